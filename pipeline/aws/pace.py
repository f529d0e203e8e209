"""The pace at which requests are sent: AWS limits them by account and region."""

from __future__ import annotations

import threading
import time

from pipeline.errors import AwsError


class Pace:
    """Delays requests so that they are sent at least some time apart; threads may share it.

    Attributes:
        spacing: seconds between two requests.
        stopped: once it is set, no request is sent any more.
    """

    def __init__(self, spacing: float, stopped: threading.Event) -> None:
        self.spacing = spacing
        self.stopped = stopped
        self._turn = threading.Lock()
        self._next_at = 0.0

    def wait(self, **_: object) -> None:
        """Delay a request until `spacing` after the one before; a handler of `before-send`.

        Raises:
            AwsError: the run has ended.
        """
        with self._turn:
            time.sleep(max(0.0, self._next_at - time.monotonic()))
            self._next_at = time.monotonic() + self.spacing
        if self.stopped.is_set():
            raise AwsError("the run has ended: no request is sent any more")
