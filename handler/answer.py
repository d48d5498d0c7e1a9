"""Answer out: what CloudFormation is told, and how it gets there."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3

from handler.telemetry import logger

# https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
MOST_BYTES = 4096


@functools.cache
def _pool() -> urllib3.PoolManager:
    """Connections stay open from one event to the next; urllib3 notices one that died while the environment was frozen.

    The certificates are read once: else urllib3 reads them for every new connection. A bundle that isn't there must not
    keep the answer back which says so.
    """
    bundle = os.environ.get("AWS_CA_BUNDLE", "")
    return urllib3.PoolManager(
        ssl_context=ssl.create_default_context(cafile=bundle if os.path.exists(bundle) else None)
    )


# Reading certificates takes 15 ms of a cold start of 220, and OpenSSL needs no lock of Python's for it.
_reading = threading.Thread(target=_pool, daemon=True)
_reading.start()
# S3 answers with a redirect while a bucket is new. All other trying again is done here, with a look at the clock.
_ONLY_REDIRECTS = urllib3.Retry(total=None, connect=0, read=0, redirect=2, status=0, other=0)


class AnswerNotTakenError(Exception):
    """CloudFormation didn't take the answer in the time there was. Lambda runs the event again."""


def fitted(answer: Mapping[str, Any], log_stream: str) -> dict[str, Any]:
    """The answer, short enough for CloudFormation: what is too long keeps its beginning, and says where the rest is."""
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


def deliver(url: str, answer: Mapping[str, Any], seconds_left: Callable[[], float]) -> None:
    """Send the answer until it is taken. Raises AnswerNotTakenError when the time is up.

    The URL is pre-signed, a credential, so no library gets to log it, nor does an exception that quotes it.
    """
    _reading.join()
    body = encoded(answer)
    pause = 0.1
    while True:
        try:
            with _unlogged():
                response = _pool().request(
                    "PUT",
                    url,
                    body=body,
                    headers={"Content-Type": "", "Content-Length": str(len(body))},
                    timeout=urllib3.Timeout(total=max(0.5, min(10.0, seconds_left() / 3))),  # so that three fit
                    retries=_ONLY_REDIRECTS,
                )
            outcome = f"status {response.status}"
            if response.status < 400:
                return
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            outcome = type(getattr(error, "reason", error)).__name__
        pause = min(pause * 2, 10.0)
        if seconds_left() - pause < 0.5:
            raise AnswerNotTakenError(f"CloudFormation did not take the answer ({outcome}), and the time is up")
        logger.warning("answer not taken, trying again", outcome=outcome)
        time.sleep(pause)


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
