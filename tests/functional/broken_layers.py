"""Layers made for the bench: scripts as extensions, each with something wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

from pipeline.layer.zip import EARLIEST, ZipEntry, pack

# What every script begins with: it can speak to the Extensions API.
_PRELUDE = """\
#!{python} -IS
import http.client, json, os, sys, time
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
name = os.path.basename(sys.argv[0])
who = {{}}
def ask(method, path, body=None, **more):
    api.request(method, "/2020-01-01/extension/" + path, body, {{**who, **more}})
    answer = api.getresponse()
    return answer, json.loads(answer.read())
def register(events=("INVOKE", "SHUTDOWN")):
    body = json.dumps({{"events": events}})
    answer, _ = ask("POST", "register", body, **{{"Lambda-Extension-Name": name}})
    who["Lambda-Extension-Identifier"] = answer.headers["Lambda-Extension-Identifier"]
def next_event():
    return ask("GET", "event/next")[1]
def fail(kind):
    ask("POST", "init/error", "{{}}", **{{"Lambda-Extension-Function-Error-Type": kind}})
def live():
    while next_event()["eventType"] != "SHUTDOWN":
        pass
"""


def script(body: str) -> bytes:
    """An extension in Python; `body` may be indented."""
    return (_PRELUDE.format(python=sys.executable) + dedent(body)).encode()


def layer(
    path: Path, content: bytes, *, mode: int = 0o755, more: tuple[ZipEntry, ...] = ()
) -> Path:
    """A zip with that as its extension."""
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
WELL = script("register(); live()")
NO_INTERPRETER = b"#!/nowhere/python\n"
