"""The one policy of retries: whether a failed attempt is followed by another, and after which pause.

botocore's own retries have one number of attempts for every kind of error, pauses of up to 20 s, and a budget that
outlives the event. A hundred domains at once then took 1.7 times as long as the API's quota dictates, because the last
of them slept while the API idled.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handler.deadline import Deadline
from handler.errors import Kind


@dataclass(frozen=True)
class Limits:
    """How long an event retries each kind of error; it always stops in time for an answer."""

    seconds: Mapping[Kind, float]  # spent in pauses
    failed_attempts: int  # at one operation without a success; each of them can wait for the read timeout
    attempts_between_looks: int  # before the caller has to look at the domain again
    attempts_between_questions: int  # at making a domain, before the caller has to ask CloudFormation
    longest_pause: float


LIMITS = Limits(
    # New permissions of a role take some seconds to spread, policies of keys, queues and buckets take longer.
    seconds={Kind.THROTTLED: math.inf, Kind.FAILED: math.inf, Kind.DENIED: 20, Kind.NOT_GRANTED: 60},
    failed_attempts=8,
    attempts_between_looks=3,
    attempts_between_questions=10,
    longest_pause=3,
)


def needs_a_look(kind: Kind, operation: str, attempt: int) -> bool:
    """Whether to look at the domain before the next attempt: by then its owner, settings or contents may be others."""
    if operation == "CreateDomain":  # nothing to look at, but its event may have been cancelled meanwhile
        return kind is Kind.THROTTLED and attempt % LIMITS.attempts_between_questions == 0
    if operation not in ("UpdateDomain", "DeleteDomain", "TagResource", "UntagResource"):
        return False
    # Many domains that are changed or deleted at once are throttled, and GetDomain has a quota as well.
    is_of_many = kind is Kind.THROTTLED and operation in ("UpdateDomain", "DeleteDomain")
    return not is_of_many or attempt % LIMITS.attempts_between_looks == 1


class Retries:
    """The retries of one event.

    >>> retries = Retries(Deadline(290))
    >>> retries.pause(Kind.FINAL, "CreateDomain", attempt=1) is None
    True
    """

    def __init__(self, deadline: Deadline, random: Callable[[], float] = random.random) -> None:
        self._deadline = deadline
        self._time_to_answer = min(5.0, deadline.seconds_left() / 10)
        self._random = random
        self._waited = dict.fromkeys(Kind, 0.0)
        self._failed: Counter[str] = Counter()

    def has_time(self, seconds: float) -> bool:
        """Whether there is time to wait for so many seconds and to answer after that."""
        return seconds < self._deadline.seconds_left() - self._time_to_answer

    def succeeded(self, operation: str) -> None:
        """Note that an attempt at that operation succeeded."""
        del self._failed[operation]

    def pause(self, kind: Kind, operation: str, attempt: int) -> float | None:
        """For how many seconds to wait before the next attempt, after this one met such an error. None: give up.

        The pauses have full jitter: each is anything between zero and a bound that grows from one second to
        LIMITS.longest_pause, so that functions that were throttled together do not come back together.
        """
        pause = self._random() * min(attempt, LIMITS.longest_pause)
        if kind is Kind.FAILED:
            self._failed[operation] += 1
        is_spent = self._failed[operation] >= LIMITS.failed_attempts or self._waited[kind] >= LIMITS.seconds.get(
            kind, 0
        )
        if is_spent or not self.has_time(pause):
            return None
        self._waited[kind] += pause
        return pause
