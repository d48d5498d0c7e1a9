"""The limits of calls a second, for each account, region and operation.

CustomerProfilesBackend.quotas = Quotas()                        # the documented defaults
CustomerProfilesBackend.quotas = Quotas(clock=lambda: test.now)  # with a test's own time
CustomerProfilesBackend.quotas = None                            # no limit, the default
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock

from .exceptions import ThrottlingException

# Amazon Connect administrator guide, "Amazon Connect service quotas", section on the Customer Profiles API (November
# 2026). ListDomainObjectTypes and PutDomainObjectType are not in that table: they are taken to be like their siblings.
CALLS_PER_SECOND: Mapping[str, float] = {
    "CreateDomain": 1,
    "UpdateDomain": 1,
    "DeleteDomain": 1,
    "GetDomain": 5,
    "ListDomains": 5,
    "TagResource": 5,
    "UntagResource": 5,
    "ListTagsForResource": 5,
    "ListIntegrations": 5,
    "ListProfileObjectTypes": 5,
    "ListDomainObjectTypes": 5,
    "PutIntegration": 1,
    "PutProfileObjectType": 1,
    "PutDomainObjectType": 1,
    "CreateProfile": 100,
    "PutProfileObject": 100,
}


class TokenBucket:
    """A limit of calls a second (a token bucket). It starts full, and holds the tokens of one second.

    The documentation does not say how many calls at once the service accepts after a pause.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic):
        self._rate = rate
        self._clock = clock
        self._tokens = rate
        self._filled_at = clock()

    def take(self) -> bool:
        """Take a token if there is one; tell whether there was."""
        now = self._clock()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Quotas:
    """The quotas of all accounts and regions.

    A refused call takes no token.
    """

    def __init__(
        self,
        calls_per_second: Mapping[str, float] = CALLS_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._calls_per_second = calls_per_second
        self._clock = clock
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}
        self._lock = Lock()  # the server handles requests in threads

    def count(self, account_id: str, region_name: str, operation: str) -> None:
        """Count a call. Raises ThrottlingException if its quota is used up; some operations have no quota."""
        rate = self._calls_per_second.get(operation)
        if rate is None:
            return
        with self._lock:
            bucket = self._buckets.setdefault((account_id, region_name, operation), TokenBucket(rate, self._clock))
            if not bucket.take():
                raise ThrottlingException
