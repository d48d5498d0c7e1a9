"""The deadline: the moment at which an event has to be answered, whatever the function is waiting for."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, Self


class DeadlineReached(BaseException):
    """The function's time is nearly up; `waiting_for` names the call that it interrupted.

    Like KeyboardInterrupt it is no Exception, so that neither botocore nor urllib3 takes it for a failed attempt and
    retries.
    """

    waiting_for = "its own code"


class Deadline:
    """The moment at which the answer has to go out.

    `seconds` is the time until then; `clock` returns the present time in seconds, from any starting point.

    >>> Deadline(290.0, clock=lambda: 0.0).seconds_left()
    290.0
    """

    # The default looks the clock up at each use, so that tests can stop the time.
    def __init__(self, seconds: float, clock: Callable[[], float] = lambda: time.monotonic()) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def seconds_left(self) -> float:
        """How many seconds are left; negative once the deadline has passed."""
        return self._end - self._clock()


class Timer:
    """Raises DeadlineReached in the main thread, out of whatever call its `with` block is in.

    That is `seconds` after the block began, or at once if they are not positive.

    crhelper's own timer answers from a second thread instead. The first thread then hangs until Lambda kills it, Lambda
    runs the event again, twice, and a Create that was answered FAILED is carried out after all.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = max(seconds, 0.001)  # zero would switch it off
        self._is_armed = False

    def __enter__(self) -> Self:
        self._is_armed = True
        signal.signal(signal.SIGALRM, self._ring)
        # It repeats every second, since Python drops an exception that is raised in a destructor.
        signal.setitimer(signal.ITIMER_REAL, self._seconds, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Never raise again. Needed after DeadlineReached, which may have interrupted the end of the block."""
        self._is_armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _ring(self, *_: Any) -> None:
        if self._is_armed:
            raise DeadlineReached


def seconds_to_work(remaining: float, service_timeout: float, age: float) -> float:
    """How many seconds the function may work before it has to answer.

    `remaining` is the function's own time, `service_timeout` for how long CloudFormation waits for the answer, `age`
    how long ago it sent the event: infinite if unknown. All in seconds. What is kept back is enough for an answer that
    has to be sent more than once.
    """
    awaited = service_timeout - max(age, 0.0)
    if age == float("inf"):
        awaited = service_timeout
    elif awaited <= 0:  # CloudFormation no longer waits; the function cleans up for as long as it may run
        awaited = remaining
    left = min(remaining, awaited)
    return left - min(10.0, left / 5)
