"""Loaded by every Python program of a test command: writes one JSON line per test of `unittest`, wherever it runs.

pytest is asked with an option of its own and does not come here. Another `sitecustomize` further down the path still runs.
"""
import importlib.machinery
import importlib.util
import os
import sys

_FOLDER = os.environ.get("MISSION_CONTROL_REPORTS")
_HERE = os.path.dirname(os.path.abspath(__file__))


def _run_the_next():
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


def _watch(result_class):
    """Wraps the methods that unittest calls for each test; whatever class the runner derives from it calls them too."""
    import json

    target = os.path.join(_FOLDER, "lines-unittest-%d.ndjson" % os.getpid())

    def write(test, status, message=None):
        # Programs that the tests themselves start are test material: nobody asks those.
        os.environ.pop("MISSION_CONTROL_REPORTS", None)
        identity = test.id()
        # What fails outside of a test has an id like "setUpClass (tests.test_sums.Sums)".
        parts = [identity] if "(" in identity else identity.split(".")
        line = {"file": ".".join(parts[:-2]), "path": parts[-2:], "status": status, "message": message}
        with open(target, "a", encoding="utf-8") as report:
            report.write(json.dumps(line) + "\n")

    def wrap(name, status, describe):
        original = getattr(result_class, name, None)
        if original is None:
            return

        def wrapped(self, test, *rest):
            try:
                write(test, status, describe(rest))
            except Exception:  # A report that cannot be written must not change what the tests do.
                pass
            return original(self, test, *rest)

        setattr(result_class, name, wrapped)

    def nothing(_rest):
        return None

    def error(rest):
        return str(rest[0][1])[:2000] if rest and rest[0] else None

    wrap("startTest", "started", nothing)
    wrap("addSuccess", "passed", nothing)
    wrap("addFailure", "failed", error)
    wrap("addError", "failed", error)
    wrap("addSkip", "skipped", lambda rest: str(rest[0])[:2000] if rest else None)
    wrap("addExpectedFailure", "passed", nothing)
    wrap("addUnexpectedSuccess", "failed", lambda _rest: "passed, although it was expected to fail")
    original_sub_test = getattr(result_class, "addSubTest", None)
    if original_sub_test is not None:
        def add_sub_test(self, test, subtest, err):
            if err is not None:
                try:
                    write(test, "failed", str(err[1])[:2000])
                except Exception:
                    pass
            return original_sub_test(self, test, subtest, err)

        result_class.addSubTest = add_sub_test


class _Finder:
    """Hooks the module once it is imported, so that programs without tests do not pay for it."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "unittest.result":
            return None
        sys.meta_path.remove(_Finder)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            _watch(module.TestResult)

        spec.loader.exec_module = exec_module
        return spec


if _FOLDER:
    sys.meta_path.insert(0, _Finder)
_run_the_next()
