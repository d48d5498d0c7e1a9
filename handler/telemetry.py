"""Log and metrics: one JSON object a line, metrics in the same log.

Every line has the keys of the event that it is about. The event's ResponseURL is a credential and does not come here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
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


def begin(event: Event, aws_request_id: str) -> None:
    """Log the event, and put its keys on every line until the next one begins."""
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
    """The text of a name, which may be anything, cut and escaped so that a line of the log can hold it."""
    return "" if text is None else str(text)[:128].encode("utf-8", "backslashreplace").decode()


def end(event: Event, answer: Mapping[str, Any], seconds: float, *, throttled: int, bug: BaseException | None) -> None:
    """Log the answer with all of its reason, and count it.

    `seconds` is how long the event took, `throttled` how many attempts the API throttled, `bug` an error that the
    function did not expect: the log gets its traceback.
    """
    outcome, reason = answer["Status"], answer["Reason"]
    logger.append_keys(physical_id=answer["PhysicalResourceId"])
    line = {"outcome": outcome, "duration_ms": round(seconds * 1000), **({"reason": reason} if reason else {})}
    write = logger.error if outcome == "FAILED" else logger.info
    write("answer", **line, exc_info=bug)
    metrics.add_dimension("RequestType", event.request_type if event.request_type in REQUEST_TYPES else "Unknown")
    metrics.add_dimensions(service=metrics.service)  # also without the request type, for an alarm on all of them
    metrics.add_metric(answer["Status"], MetricUnit.Count, 1)
    metrics.add_metric("Duration", MetricUnit.Milliseconds, seconds * 1000)
    if throttled:
        metrics.add_metric("ThrottledAttempts", MetricUnit.Count, throttled)
    metrics.flush_metrics()
