"""Layers made for the bench: scripts as extensions, each with something wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

from pipeline.layer.zip import EARLIEST, ZipEntry, pack

# The beginning of every script: functions that call the Extensions API.
_PRELUDE = """\
#!{python} -IS
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
name = os.path.basename(sys.argv[0])
identity = {{}}
def call(method, path, body=None, **more):
    api.request(method, "/2020-01-01/extension/" + path, body, {{**identity, **more}})
    answer = api.getresponse()
    return answer, json.loads(answer.read())
def register(events=("INVOKE", "SHUTDOWN")):
    body = json.dumps({{"events": events}})
    answer, _ = call("POST", "register", body, **{{"Lambda-Extension-Name": name}})
    identity["Lambda-Extension-Identifier"] = answer.headers["Lambda-Extension-Identifier"]
def next_event():
    return call("GET", "event/next")[1]
def fail(kind):
    call("POST", "init/error", "{{}}", **{{"Lambda-Extension-Function-Error-Type": kind}})
def live():
    while next_event()["eventType"] != "SHUTDOWN":
        pass
"""


def script(body: str) -> bytes:
    """Return an extension in Python; `body` may be indented."""
    return (_PRELUDE.format(python=sys.executable) + dedent(body)).encode()


def layer(
    path: Path, content: bytes, *, mode: int = 0o755, more: tuple[ZipEntry, ...] = ()
) -> Path:
    """Write a zip with that content as its extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = (ZipEntry(name="extensions/collector", content=content, mode=mode), *more)
    path.write_bytes(pack(entries, epoch=EARLIEST))
    return path


NEVER_REGISTERS = script("time.sleep(60)")
EXITS_AT_ONCE = script("print('cannot go on'); sys.exit(3)")
HANGS_IN_INIT = script("register(); time.sleep(60)")
PANICS = script("""
    register()
    print("panic: runtime error: invalid memory address\\n\\ngoroutine 1 [running]:", flush=True)
    os._exit(2)
""")
REPORTS_AN_ERROR = script("""
    register()
    fail("Collector.BadConfig")
    sys.exit(1)
""")
IGNORES_SHUTDOWN = script("register(); live(); time.sleep(60)")
HANGS_IN_INVOKE = script("register(); next_event(); time.sleep(60)")
EXITS_IN_INVOKE = script("register(); next_event(); sys.exit(4)")
WRITES_TO_LAYER = script("""
    register()
    with open(os.path.join(os.path.dirname(sys.argv[0]), "state"), "w") as file:
        file.write("x")
    live()
""")
WORKS = script("register(); live()")
NO_INTERPRETER = b"#!/nowhere/python\n"
