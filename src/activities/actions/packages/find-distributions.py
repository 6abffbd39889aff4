"""Says of distributions whether they are in a folder, in which version, and whether a module of theirs is found there.

usage: python3 -I find-distributions <folder> <{"packages": [{"name", "location"}], "load"}>
"""
import importlib.metadata
import importlib.util
import json
import os
import sys

folder = sys.argv[1]
sys.dont_write_bytecode = True
sys.path.insert(0, folder)
found = []
for name in (one["name"] for one in json.loads(sys.argv[2])["packages"]):
    here = list(importlib.metadata.distributions(name=name, path=[folder]))
    files = [str(file) for file in (here[0].files or [])] if here else []
    modules = {file.split("/")[0] for file in files if file.endswith("/__init__.py") and file.count("/") == 1}
    modules |= {file[:-3] for file in files if file.endswith(".py") and "/" not in file}
    found.append({
        "name": name,
        "version": here[0].version if here else None,
        "resolves": bool(files) and all(importlib.util.find_spec(module) is not None for module in modules)
        and all(os.path.exists(os.path.join(folder, file)) for file in files if not file.startswith(("/", "..")) and not file.endswith(".pyc")),
        "loads": None,
    })
print("\n" + json.dumps(found))
