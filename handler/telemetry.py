"""What the function tells its operators: one JSON object a line, and metrics in the same log.

Every line carries whose event it is about. The event's ResponseURL is a credential, and is handed to nothing in here.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from handler.event import REQUEST_TYPES, Event

_NAME = "CustomerProfilesDomain"

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME") or _NAME)
metrics = Metrics(
    namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or _NAME,
    service=os.environ.get("POWERTOOLS_SERVICE_NAME") or _NAME,
)

_attempts: Counter[str] = Counter()  # of this event; Powertools would print a metric that has a hundred values at once


def begin(event: Event, aws_request_id: str) -> None:
    """Make this event the subject of every line until the next one, and log it."""
    _attempts.clear()
    logger.clear_state()
    logger.set_correlation_id(event.request_id)
    logger.append_keys(
        request_type=event.request_type,
        stack_id=event.stack_id,
        logical_id=event.logical_id,
        physical_id=event.physical_id,
        domain_name=_legible(event.domain_name),
        aws_request_id=aws_request_id,
    )
    # Names only: a value may come from a NoEcho parameter.
    properties = event.properties if isinstance(event.properties, dict) else {}
    logger.info("event", properties=sorted(map(_legible, properties))[:100])


def _legible(text: Any) -> str:
    """A name as it came, which may be anything, as far as a line of the log can hold it."""
    return "" if text is None else str(text)[:128].encode("utf-8", "backslashreplace").decode()


def end(event: Event, answer: dict[str, Any], seconds: float) -> None:
    """Log the answer, and count it."""
    logger.append_keys(physical_id=answer["PhysicalResourceId"])
    logger.info("answer", outcome=answer["Status"], duration_ms=round(seconds * 1000))
    metrics.add_dimension("RequestType", event.request_type if event.request_type in REQUEST_TYPES else "Unknown")
    metrics.add_dimensions(service=metrics.service)  # once more without the request type, for an alarm on any of them
    metrics.add_metric(answer["Status"], MetricUnit.Count, 1)
    metrics.add_metric("Duration", MetricUnit.Milliseconds, seconds * 1000)
    if _attempts.total():
        metrics.add_metric("ThrottledAttempts", MetricUnit.Count, _attempts.total())
    metrics.flush_metrics()


def count_throttling(response: Any = None, **_: Any) -> None:
    """Count an attempt that the API throttled; a handler of botocore's needs-retry event, which it leaves alone."""
    if response is not None and response[0].status_code == 429:
        _attempts["throttled"] += 1
