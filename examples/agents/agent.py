#!/usr/bin/env python3
"""An agent that takes missions from the queue, with nothing but Python's standard library and git.

    MISSION_CONTROL_URL=http://127.0.0.1:8000 MISSION_CONTROL_KEY=mck_... AGENT_ID=my-agent \
        python3 agent.py [--once] [COMMAND [ARGUMENT...]]

COMMAND runs in a clean checkout of the mission's base, with the brief in the file named by MISSION_BRIEF; what it changes
there is the patch. Without one, scripted-fix.sh beside this file runs. --once ends after one mission: 0 when its patch was
proved, 1 when it was not.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

URL = os.environ["MISSION_CONTROL_URL"].rstrip("/")
AGENT = os.environ["AGENT_ID"]
# The command works on what others wrote: it does not get the key.
KEY = os.environ.pop("MISSION_CONTROL_KEY")
LEASE_SECONDS = 120


class Refused(Exception):
    """The API answered, and the answer is no."""

    def __init__(self, status, problem):
        super().__init__(f"{problem.get('code', status)}: {problem.get('detail', '')}")
        self.status, self.code = status, problem.get("code", "")


def call(method, path, body=None, media_type="application/json"):
    """One request; its answer's bytes. Raises Refused, or OSError when nobody answers."""
    data = json.dumps(body).encode() if media_type == "application/json" and body is not None else body
    request = urllib.request.Request(URL + path, data=data, method=method, headers={"authorization": f"Bearer {KEY}"})
    if data is not None:
        request.add_header("content-type", media_type)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        try:
            problem = json.loads(error.read())
        except ValueError:
            problem = {}
        raise Refused(error.code, problem) from None


def call_json(*arguments):
    return json.loads(call(*arguments))


def persistently(*arguments):
    """The same, again while nobody is there: every request of ours may be repeated."""
    while True:
        try:
            return call_json(*arguments)
        except Refused as refused:
            if refused.status not in (429, 503):
                raise
            print(refused, file=sys.stderr)
        except OSError as error:
            print(error, file=sys.stderr)
        time.sleep(1)


def heartbeat(mission, lease, over):
    """Keeps the lease until `over` is set. A lease that is lost all the same is noticed when the patch is posted."""
    while not over.wait(LEASE_SECONDS / 3):
        try:
            call("POST", f"/mission-control/queue/{mission}/lease", {"lease_id": lease})
        except (Refused, OSError) as error:
            print(f"heartbeat: {error}", file=sys.stderr)


def git(folder, *arguments):
    return subprocess.run(["git", "-C", str(folder), *arguments], check=True, stdout=subprocess.PIPE).stdout


def make_patch(folder, claim, command):
    """Runs the command in a clean checkout; the difference that it leaves."""
    bundle, checkout, brief = folder / "base.bundle", folder / "checkout", folder / "brief.md"
    if not checkout.exists():
        bundle.write_bytes(call("GET", claim["links"]["bundle"]))
        subprocess.run(["git", "clone", "--quiet", str(bundle), str(checkout)], check=True)
    git(checkout, "reset", "--quiet", "--hard", claim["base"]["commit"])
    git(checkout, "clean", "--quiet", "-ffdx")
    brief.write_text(claim["brief"], encoding="utf-8")
    subprocess.run(command, cwd=checkout, env={**os.environ, "MISSION_BRIEF": str(brief)}, check=True)
    git(checkout, "add", "--all")
    return git(checkout, "diff", "--cached", "--binary", "--full-index", "--no-renames", "--no-ext-diff", claim["base"]["commit"])


def work_at(mission, command):
    """Takes the mission and tries until a patch is proved or none is wanted any more. True when one was proved."""
    taking = ("POST", f"/mission-control/queue/{mission}/claim", {"agent_id": AGENT, "lease_seconds": LEASE_SECONDS})
    claim = persistently(*taking)
    lease = claim["lease"]["lease_id"]
    over = threading.Event()
    threading.Thread(target=heartbeat, args=(mission, lease, over), daemon=True).start()
    try:
        with tempfile.TemporaryDirectory(prefix="agent-") as name:
            while True:
                print(f"{mission}: attempt {claim['attempt']} of {claim['max_attempts']}")
                patch = make_patch(pathlib.Path(name), claim, command)
                query = urllib.parse.urlencode({"lease_id": lease})
                posted = persistently("POST", f"{claim['links']['patches']}?{query}", patch, "text/x-diff")
                while posted["state"] == "testing" and posted["mission_status"] == "in_progress":
                    posted = persistently("GET", f"{claim['links']['patches']}/{posted['number']}?wait=20")
                print(f"{mission}: patch {posted['number']} {posted['state']}{': ' + posted['reason'] if posted['reason'] else ''}")
                if not posted["again"]:
                    return posted["state"] == "proved"
                # Whoever holds it gets the same lease, and the brief of the next attempt.
                claim = persistently(*taking)
    except (subprocess.CalledProcessError, OSError):
        call("DELETE", f"/mission-control/queue/{mission}/lease?lease_id={lease}")
        raise
    finally:
        over.set()


def main():
    once = sys.argv[1:2] == ["--once"]
    command = sys.argv[2 if once else 1:] or ["sh", str(pathlib.Path(__file__).resolve().parent / "scripted-fix.sh")]
    query = urllib.parse.urlencode({"agent_id": AGENT, "needs": "patch", "wait": 20})
    while True:
        mission = persistently("GET", f"/mission-control/queue/next?{query}")["mission"]
        if mission is None:
            continue
        try:
            proved = work_at(mission["mission_id"], command)
            if once:
                return 0 if proved else 1
        except (Refused, subprocess.CalledProcessError, OSError) as error:
            # Somebody else was faster, the lease was lost, or the command failed: the next one, then.
            print(f"{mission['mission_id']}: {error}", file=sys.stderr)
            time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
