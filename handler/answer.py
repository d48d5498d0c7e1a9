"""Answer out: what the function answers to CloudFormation, and how the answer is delivered."""

from __future__ import annotations

import functools
import json
import logging
import os
import ssl
import time
from collections.abc import Mapping
from typing import Any

import urllib3
from botocore.httpsession import ProxyConfiguration
from botocore.utils import get_environ_proxies

from handler.deadline import Deadline
from handler.event import Event
from handler.telemetry import logger

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
MOST_BYTES = 4096
SUCCESS, FAILED = "SUCCESS", "FAILED"

_LONGEST_ATTEMPT = 10.0  # seconds
# S3 answers with a redirect while a bucket is new. All other retries are made here, with a look at the clock.
_ONLY_REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, redirect=2, status=0, other=0)


class AnswerNotTakenError(Exception):
    """CloudFormation did not get the answer. Lambda runs the event again."""


class _HideQueries(logging.Filter):
    """Cuts every message off where a URL's query begins: the query of a ResponseURL is a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        text, mark, _ = record.getMessage().partition("?")
        record.msg, record.args = text + mark, None
        return True


# The loggers to which urllib3 hands the URL of a request, when debugging or with a warning.
for _name in ("urllib3.connectionpool", "urllib3.poolmanager", "urllib3.util.retry"):
    logging.getLogger(_name).addFilter(_HideQueries())


def succeeded(event: Event, physical_id: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to an event that was carried out; `data` holds strings and numbers, for Fn::GetAtt."""
    return _answer(event, SUCCESS, physical_id, "", data)


def failed(event: Event, physical_id: str, reason: str) -> dict[str, Any]:
    """The answer to an event that failed; a failed Create needs a physical id, too."""
    return _answer(event, FAILED, physical_id, reason, {})


def _answer(event: Event, status: str, physical_id: str, reason: str, data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Status": status,
        "Reason": reason,
        "PhysicalResourceId": physical_id,
        "StackId": event.stack_id,
        "RequestId": event.request_id,
        "LogicalResourceId": event.logical_id,
        "NoEcho": False,
        "Data": data,
    }


def fitted(answer: Mapping[str, Any], log_stream: str) -> dict[str, Any]:
    """The answer, short enough for CloudFormation: a long reason keeps its beginning and names the log stream."""
    ending = f"... (all of it is in the log stream {log_stream})"
    reason, data = answer["Reason"], dict(answer["Data"])
    short = {**answer, "Data": data}
    while (excess := len(encoded(short)) - MOST_BYTES) > 0:
        cut = excess // 6 + 1  # characters: one takes up to 6 bytes, and what is cut too little is cut again
        longest = max(data, key=lambda name: len(str(data[name])), default=None)
        if reason and (len(reason) > 256 or longest is None):
            reason = reason[:-cut]
            short["Reason"] = reason + ending
        elif longest is not None and data[longest] != "":
            data[longest] = str(data[longest])[:-cut]
        else:
            break  # nothing is left but what CloudFormation itself sent
    return short


def encoded(answer: Mapping[str, Any]) -> bytes:
    """The answer as bytes of JSON; half a surrogate pair, which UTF-8 can't hold, becomes an escape that JSON knows."""
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace")


def is_response_url(url: Any) -> bool:
    """Whether an answer can be sent to that URL.

    It can't to "...", to "https://", or to what Lambda's own test event has, http://pre-signed-S3-url-for-response:
    a pre-signed URL has a path and a query.
    """
    try:
        parts = urllib3.util.parse_url(url if isinstance(url, str) else "")
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.host) and bool((parts.path or "").strip("/") or parts.query)


def deliver(url: Any, answer: Mapping[str, Any], end: Deadline) -> None:
    """Send the answer until it is taken; `end` is when the function has to stop.

    Raises AnswerNotTakenError when the time is up, and at once for a URL that can't be one. It has the answer in its
    text, but not the URL, which is a credential.
    """
    said = f"{answer['Status']} {answer['Reason']}".strip()
    if not is_response_url(url):
        raise AnswerNotTakenError(f"The event's ResponseURL is not a URL of CloudFormation's. The answer was: {said}")
    pause, body = 0.1, encoded(answer)
    # An attempt gets a third of the time that is left, so that one that hangs leaves time for two more.
    while outcome := _attempt(url, body, end.seconds_left() / 3):
        pause = min(pause * 2, 10.0)
        if end.seconds_left() - pause < 0.5:
            raise AnswerNotTakenError(f"CloudFormation did not take the answer ({outcome}). The answer was: {said}")
        logger.warning("answer not taken, retrying", outcome=outcome)
        time.sleep(pause)


def _attempt(url: str, body: bytes, seconds: float) -> str:
    """Send the answer once, the way that the API's calls go. Returns what went wrong; "" if it was taken."""
    proxy = ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url)
    try:
        response = _pool(proxy).request(
            "PUT",
            url,
            body=body,
            headers={"Content-Type": "", "Content-Length": str(len(body))},
            timeout=urllib3.Timeout(total=max(0.5, min(_LONGEST_ATTEMPT, seconds))),
            retries=_ONLY_REDIRECTS,
        )
    except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
        return type(getattr(error, "reason", error)).__name__
    return f"status {response.status}" if response.status >= 400 else ""


@functools.cache
def certificates() -> ssl.SSLContext:
    """The certificates that the answer's connection is checked with, read once: that takes some 20 ms.

    The bundle is that of the API's calls. One that isn't there is ignored: the answer that reports it has to go out.
    """
    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE", "")
    return ssl.create_default_context(cafile=bundle if os.path.exists(bundle) else None)


@functools.cache
def _pool(proxy: str | None) -> urllib3.PoolManager:
    """Connections stay open from one event to the next; urllib3 notices one that died while Lambda had frozen it."""
    context = certificates()
    if proxy is None:
        return urllib3.PoolManager(ssl_context=context)
    headers = ProxyConfiguration().proxy_headers_for(proxy)
    return urllib3.ProxyManager(proxy, proxy_headers=headers, ssl_context=context, proxy_ssl_context=context)
