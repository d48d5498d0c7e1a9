"""Builds and deploys the provider, and deploys stacks, on any CloudFormation.

`Stacks` is the base class of the local engine (local/engine.py) and of an AWS account (local/account.py). The demo and
the acceptance run use only this interface.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local.processes import ENVIRONMENTS, PROJECT, EngineError, run

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef
    from mypy_boto3_customer_profiles import CustomerProfilesClient
    from mypy_boto3_logs import CloudWatchLogsClient

SAM_SECONDS = 600


@dataclass(frozen=True)
class StackEvent:
    """One event of a stack."""

    time: str
    logical_id: str
    resource_type: str
    status: str
    reason: str
    physical_id: str

    @property
    def failed(self) -> bool:
        return self.status.endswith("_FAILED")


class Stacks(ABC):
    """CloudFormation in one account and region, with the other AWS APIs there."""

    account: str
    region: str
    provider_stack: str
    # The ARN of a KMS key that the provider's function may use, or "".
    key: str
    # For the built provider and for SAM's own files.
    directory: Path
    poll_seconds: float
    stack_seconds: float

    @abstractmethod
    def client(self, service: str) -> Any:
        """A new client of one of the services."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which an AWS tool uses this account and region."""
        return os.environ | {
            # SAM looks for a newer version once a week. The file in this directory says that it has just done so.
            "__SAM_CLI_APP_DIR": str(self._sam_directory()),
            "SAM_CLI_TELEMETRY": "0",
        }

    @property
    def provider_parameters(self) -> dict[str, str]:
        """The values of the template's parameters."""
        return {}

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        client: CloudFormationClient = self.client("cloudformation")
        return client

    @cached_property
    def customer_profiles(self) -> CustomerProfilesClient:
        client: CustomerProfilesClient = self.client("customer-profiles")
        return client

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        client: CloudWatchLogsClient = self.client("logs")
        return client

    def sam(self, *arguments: str) -> str:
        """Run SAM in the project's directory and return what it printed.

        Raises:
            EngineError: It failed, or took longer than ten minutes.
        """
        return run([str(ENVIRONMENTS / "sam/bin/sam"), *arguments], self.environment, seconds=SAM_SECONDS)

    def build_provider(self) -> None:
        """`sam build` of template.yaml, into a directory of its own."""
        self.sam("build", "--build-dir", str(self.directory / "build"))

    def deploy_provider(self) -> str:
        """`sam deploy` of what `build_provider` built. Return the ServiceToken."""
        parameters = [f"{key}={value}" for key, value in self.provider_parameters.items()]
        self.sam(
            "deploy",
            # SAM looks for its configuration beside the template.
            *("--config-file", str(PROJECT / "samconfig.toml")),
            *("--template-file", str(self.directory / "build/template.yaml")),
            *("--stack-name", self.provider_stack, "--s3-prefix", self.provider_stack),
            *(["--parameter-overrides", *parameters] if parameters else []),
        )
        return self.outputs(self.provider_stack)["ServiceToken"]

    def deploy(
        self, stack_name: str, template: str | Mapping[str, object], parameters: Mapping[str, str] | None = None
    ) -> Iterator[StackEvent]:
        """Create the stack, or update it if it exists, and yield its events as they happen until the end.

        The status of the last event tells how the operation ended.

        Raises:
            EngineError: It has not ended within `stack_seconds`.
        """
        token = str(uuid.uuid4())
        client = self.cloudformation
        create_or_update = client.create_stack if self.status(stack_name) is None else client.update_stack
        stack_id = create_or_update(
            StackName=stack_name,
            TemplateBody=template if isinstance(template, str) else json.dumps(template),
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in (parameters or {}).items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            ClientRequestToken=token,
        )["StackId"]
        yield from self._events(stack_id, token)

    def delete(self, stack_name: str) -> Iterator[StackEvent]:
        """Delete the stack and yield its events as they happen until the end. See `deploy`."""
        token = str(uuid.uuid4())
        # A deleted stack can be described by its id only.
        stack_id = self.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackId"]
        self.cloudformation.delete_stack(StackName=stack_id, ClientRequestToken=token)
        yield from self._events(stack_id, token)

    def status(self, stack_name: str) -> str | None:
        """The stack's status, or None when there is no such stack."""
        try:
            return self.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise

    def outputs(self, stack_name: str) -> dict[str, str]:
        """The stack's outputs."""
        stack = self.cloudformation.describe_stacks(StackName=stack_name)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def function_log(self) -> list[str]:
        """All log lines of the function, oldest first."""
        resource = self.cloudformation.describe_stack_resource(
            StackName=self.provider_stack, LogicalResourceId="LogGroup"
        )
        group = resource["StackResourceDetail"]["PhysicalResourceId"]
        events = self.logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"].rstrip() for page in events for event in page["events"]]

    def diagnosis(self, count: int = 20) -> str:
        """The last lines of the function's log, to explain why a stack failed."""
        try:
            lines = self.function_log()[-count:]
        except ClientError:
            lines = ["none: it is not deployed"]
        return "\n".join(["The function's log:", *lines])

    def _events(self, stack_id: str, token: str) -> Iterator[StackEvent]:
        seen: set[str] = set()
        deadline = time.monotonic() + self.stack_seconds
        while True:
            # Read the status before the events: if the operation has ended by then, the events are complete.
            status = self.cloudformation.describe_stacks(StackName=stack_id)["Stacks"][0]["StackStatus"]
            pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id)
            events = [event for page in pages for event in page["StackEvents"]]
            for event in reversed(events):
                if event.get("ClientRequestToken") == token and event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    yield _stack_event(event)
            if not status.endswith("_IN_PROGRESS"):
                return
            if time.monotonic() > deadline:
                raise EngineError(f"{stack_id} is still {status} after {self.stack_seconds} s")
            time.sleep(self.poll_seconds)

    def _sam_directory(self) -> Path:
        directory = self.directory / "sam"
        directory.mkdir(exist_ok=True)
        (directory / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}))
        return directory


def _stack_event(event: StackEventTypeDef) -> StackEvent:
    return StackEvent(
        time=event["Timestamp"].strftime("%H:%M:%S"),
        logical_id=event.get("LogicalResourceId", ""),
        resource_type=event.get("ResourceType", ""),
        status=event.get("ResourceStatus", ""),
        reason=event.get("ResourceStatusReason", ""),
        physical_id=event.get("PhysicalResourceId", ""),
    )
