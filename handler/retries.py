"""Trying again: botocore's own retry handler, put together for an API that throttles more than most.

As Config sets it up, it has one number of attempts for every kind of error, pauses that grow to 20 s, and a budget of
retries that outlives the event. A hundred domains at once, against 5 calls a second, then took 1.7 times as long as the
limit itself dictates, because the last of them slept while the API idled. As put together here they took 1.03 times.
"""

from __future__ import annotations

import sys
from typing import Any

from botocore.client import BaseClient
from botocore.retries import quota, standard
from botocore.retries.base import BaseRetryableChecker

_LONGEST_PAUSE = 3  # seconds; half of it on average
_THROTTLED_ATTEMPTS = 170  # as many as the function's time holds, with some left to say so
_FAILED_ATTEMPTS = 8
_DELETE_ATTEMPTS = 3  # within a few seconds of the look at the domain; app.py looks again, and goes on


def retry_patiently(client: BaseClient) -> None:
    """Replace the client's retry handler."""
    adapter = standard.RetryEventAdapter()
    throttling = standard.ThrottlingErrorDetector(adapter)
    handler = standard.RetryHandler(
        retry_policy=standard.RetryPolicy(
            retry_checker=_Patience(throttling),
            retry_backoff=standard.ExponentialBackoff(max_backoff=_LONGEST_PAUSE, throttling_detector=throttling),
        ),
        retry_event_adapter=adapter,
        # No budget but the event's time: botocore's own is used up by a few throttled events, and the next one that the
        # same environment gets would fail at its first attempt.
        retry_quota=standard.RetryQuotaChecker(  # type: ignore[arg-type]
            quota.RetryQuota(initial_capacity=sys.maxsize), throttling
        ),
    )
    service = client.meta.service_model.service_id.hyphenize()
    event, unique_id = f"needs-retry.{service}", f"retry-config-{service}"
    client.meta.events.unregister(event, unique_id=unique_id)
    client.meta.events.register(event, handler.needs_retry, unique_id=unique_id)  # type: ignore[arg-type]


class _Patience(BaseRetryableChecker):
    """Patient with an API that throttles, sooner done with one that fails or can't be reached."""

    def __init__(self, throttling: standard.ThrottlingErrorDetector) -> None:
        self._throttling = throttling
        self._conditions = standard.StandardRetryConditions(max_attempts=_THROTTLED_ATTEMPTS)

    def is_retryable(self, context: Any) -> bool:
        """Tell whether the call is to be tried again; `context` is botocore's RetryContext."""
        if context.operation_model.name == "DeleteDomain" and context.attempt_number >= _DELETE_ATTEMPTS:
            return False
        if not self._throttling.is_throttling_error_from_context(context):
            failures = context.request_context.get("failures", 0) + 1
            context.request_context["failures"] = failures
            if failures >= _FAILED_ATTEMPTS:
                return False
        return bool(self._conditions.is_retryable(context))
