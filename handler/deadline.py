"""The deadline: the moment at which an event has to be answered, whatever it is waiting for."""

from __future__ import annotations

import signal
from typing import Any


class DeadlineReached(BaseException):
    """The function's time is nearly up.

    It is a signal like KeyboardInterrupt, and no Exception, so that neither botocore nor urllib3 takes it for a failed
    attempt and tries again.
    """

    waiting_for = "its own code"


class Alarm:
    """Raises DeadlineReached in the main thread, out of whatever call it is in, once that many seconds are over.

    An answer from a second thread, as crhelper gives it, leaves the first one hanging until Lambda kills it, and what
    Lambda kills it runs again, twice: a Create that was answered FAILED would be carried out after all.
    """

    def __init__(self, seconds: float) -> None:
        self.is_armed = True
        signal.signal(signal.SIGALRM, self._ring)
        # Zero would switch it off. It rings again each second, since Python swallows what is raised in a destructor.
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), 1)

    def cancel(self) -> None:
        """Never ring again."""
        self.is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, *_: Any) -> None:
        if self.is_armed:
            raise DeadlineReached


def margin(seconds_left: float) -> float:
    """How long before the function's end the deadline is: enough for an answer that has to be sent more than once."""
    return min(10.0, seconds_left / 5)
