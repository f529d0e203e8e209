"""Programs that a job on GitHub finds beside git, for tests: curl, jq, gh, python3, pip and uv.

`put_programs` lays them into a folder for PATH; each writes down how it was called. `dagger` is not
among them: it comes in an archive, from which a job installs it.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

NAMES = ("curl", "jq", "gh", "python3", "pip", "uv")
CALLS = "STAND_IN_CALLS"
DOWNLOADS = "STAND_IN_DOWNLOADS"
PULL_REQUESTS = "STAND_IN_PULL_REQUESTS"
ONLY_RECORD = "STAND_IN_ONLY_RECORD"  # where it is set, dagger does nothing

Call = list[str]
END = "end-of-call"


def put_programs(folder: Path) -> Path:
    """Lay the programs into a folder, which is the answer."""
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(_script(name, Path(__file__), name))
        (folder / name).chmod(0o755)
    return folder


def dagger_archive() -> bytes:
    """An archive with the program `dagger` in it."""
    script = _script("dagger", Path(__file__).with_name("dagger_command.py")).encode()
    script = script.replace(b"\nexec", f'\n[ -z "${ONLY_RECORD}" ] || exit 0\nexec'.encode())
    file = tarfile.TarInfo("dagger")
    file.size, file.mode = len(script), 0o755
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        archive.addfile(file, io.BytesIO(script))
    return made.getvalue()


def _script(name: str, *words: str | Path) -> str:
    # in one write: programs of a pipe begin at the same time
    note = f'printf "%s\\0" {name} "$@" {END} >> "${CALLS}"'
    examples = Path(__file__).parents[1] / "unit"
    run = shlex.join(["env", f"PYTHONPATH={examples}", sys.executable, *map(str, words)])
    return f'#!/bin/sh\n{note}\nexec {run} "$@"\n'


def calls_in(record: Path) -> list[Call]:
    """How the programs were called, in order, each with its name."""
    if not record.exists():
        return []
    return [call.split("\0") for call in record.read_text().split(f"\0{END}\0")[:-1]]


def curl(arguments: Call) -> int:
    """Fetch from loopback; of elsewhere, there is what lies in a folder under the file's name."""
    headers: dict[str, str] = {}
    output, url = "", ""
    while arguments:
        word = arguments.pop(0)
        if word == "-H":
            name, _, value = arguments.pop(0).partition(": ")
            headers[name] = value
        elif word == "-o":
            output = arguments.pop(0)
        elif word == "--retry":
            arguments.pop(0)
        elif not word.startswith("-"):
            url = word
    split = urlsplit(url)
    if split.hostname != "127.0.0.1":
        content = (Path(os.environ[DOWNLOADS]) / Path(split.path).name).read_bytes()
    else:
        try:
            request = urllib.request.Request(url, headers=headers)  # noqa: S310  loopback
            content = urllib.request.urlopen(request, timeout=10).read()  # noqa: S310
        except urllib.error.HTTPError as error:
            error.close()
            sys.stderr.write(f"curl: (22) The requested URL returned error: {error.code}\n")
            return 22
    if output:
        Path(output).write_bytes(content)
    else:
        sys.stdout.buffer.write(content)
    return 0


def jq(arguments: Call) -> int:
    """`jq -er .KEY`: a value of an object; 1 where there is none."""
    option, key = arguments
    assert option == "-er", option
    value = json.load(sys.stdin).get(key.removeprefix("."))
    print("null" if value is None else value)  # noqa: T201
    return value is None


def gh(arguments: Call) -> int:
    """Pull requests in a file, attestations that hold, credentials that need nothing."""
    file = Path(os.environ[PULL_REQUESTS])
    known: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    options = dict(zip(arguments[2::2], arguments[3::2], strict=False))
    match arguments[:2]:
        case ["pr", "list"]:
            assert arguments[-4:] == ["--json", "number", "--jq", "length"]
            states = ("open", "closed") if options["--state"] == "all" else (options["--state"],)
            found = [e for e in known if e["head"] == options["--head"] and e["state"] in states]
            print(len(found))  # noqa: T201
        case ["pr", "create"]:
            new = {name.removeprefix("--"): value for name, value in options.items()}
            file.write_text(json.dumps([*known, {**new, "state": "open"}]))
        case ["attestation", "verify"]:
            assert Path(arguments[2]).is_file()
        case ["auth", "setup-git"]:
            pass
        case _:
            raise AssertionError(arguments)
    return 0


def python3(arguments: Call) -> int:
    """`python3 -m venv FOLDER`: a folder with pip and uv."""
    assert arguments[:2] == ["-m", "venv"], arguments
    target = Path(arguments[2]) / "bin"
    target.mkdir(parents=True)
    for name in ("pip", "uv"):
        shutil.copy(str(shutil.which(name)), target / name)
    return 0


def main() -> int:
    """Be the program that the first argument names."""
    name, *arguments = sys.argv[1:]
    programs = {"curl": curl, "jq": jq, "gh": gh, "python3": python3}
    return programs[name](arguments) if name in programs else 0


if __name__ == "__main__":
    sys.exit(main())
