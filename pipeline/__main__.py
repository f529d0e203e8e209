"""The start of `ocelot`: Ctrl-C ends it without a traceback while it imports, and while it ends."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec

_USAGE = 2
_NO_POSIX = "error: ocelot runs on Linux and macOS; on Windows, run it in WSL or a container\n"


def main() -> None:
    """Import the command line and run it.

    Python's own handler raises KeyboardInterrupt, which only the command line can catch.
    """
    if find_spec("fcntl") is None:  # as on Windows
        sys.stderr.write(_NO_POSIX)
        sys.exit(_USAGE)
    handled = signal.getsignal(signal.SIGINT) is signal.default_int_handler  # else it is ignored
    if handled:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from pipeline import cli  # noqa: PLC0415  takes time, in which Ctrl-C may come

    if handled:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        cli.main()
    finally:
        if handled:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    main()
