"""The tags of the stack, which CloudFormation gives to native resources but not to custom ones.

Only with the template's parameter PropagateStackTags on: the function may call cloudformation:DescribeStacks then.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handler.event import Event
from handler.properties import takeable_tags
from handler.telemetry import logger


def stack_tags(event: Event, shape: Any) -> Mapping[str, str]:
    """The tags of the event's stack; `shape` is the input shape of CreateDomain.

    A stack that can't be read costs a warning, and so does a tag that the API doesn't take: neither is worth a failed
    deployment.
    """
    if os.environ.get("PROPAGATE_STACK_TAGS") != "true":
        return {}
    try:
        stack = _client().describe_stacks(StackName=event.stack_id)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        logger.warning("the stack's tags could not be read, so the domain doesn't get them", error=str(error))
        return {}
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
    taken = takeable_tags(tags, shape)
    if taken != tags:
        logger.warning("tags of the stack that Customer Profiles doesn't take", keys=sorted(tags.keys() - taken.keys()))
    return taken


@functools.cache
def _client() -> Any:
    return boto3.client("cloudformation")
