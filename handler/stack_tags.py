"""The tags of the stack, which CloudFormation gives to native resources but not to custom ones.

Only with the template's parameter PropagateStackTags on: the function may call cloudformation:DescribeStacks then.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handler.event import Event
from handler.properties import Desired, with_more_tags
from handler.telemetry import logger


def with_stack_tags(desired: Desired, event: Event, shape: Any) -> Desired:
    """The desired state with the tags of the event's stack too; `shape` is the input shape of CreateDomain.

    A stack that can't be read costs a warning, and so does a tag for which there is no room, or that the API doesn't
    take: neither is worth a failed deployment.
    """
    if os.environ.get("PROPAGATE_STACK_TAGS") != "true":
        return desired
    try:
        stack = _client().describe_stacks(StackName=event.stack_id)["Stacks"][0]
    except (ClientError, BotoCoreError) as error:
        logger.warning("the stack's tags could not be read, so the domain doesn't get them", error=str(error))
        return desired
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
    tagged = with_more_tags(desired, tags, shape)
    left_out = sorted(tags.keys() - tagged.tags.keys())
    if left_out:
        logger.warning("tags of the stack that the domain can't have", keys=left_out)
    return tagged


@functools.cache
def _client() -> Any:
    return boto3.client("cloudformation")
