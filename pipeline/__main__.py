"""The start of `ocelot`: Ctrl-C ends it without a traceback while it imports, and while it ends."""

from __future__ import annotations

import signal


def main() -> None:
    """Import the command line and run it.

    Python's own handler raises KeyboardInterrupt, which only the command line can catch.
    """
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
