"""A fake of CloudFormation's stacks: which events a deployment, a rollback and a deletion send, and in which order.

    deploy:    Create and Update events, in the order of the template
               one fails: roll back with an Update for each Update, then a Delete for each Create
               all succeed: clean up with a Delete for what was removed or replaced
    delete:    a Delete for each resource that is not retained

`Stack` turns these operations into requests, and updates its state from the answers. How an event gets to the function
is not decided here: `send` or `send_phase` do that. A failed rollback or Delete is kept, to be sent again.

The order is from AWS's "Custom resource request objects" and "Understanding update behaviors of stack resources", and
from what the local engine (ministack) does; tests/end_to_end tests whole stacks on that. The statuses are those that
AWS documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from tests.handler.cloudformation import Answer, event, new_request_id

CUSTOM_TYPE, STACK_TYPE = "Custom::CustomerProfilesDomain", "AWS::CloudFormation::Stack"

# What CloudFormation sends if a replacement succeeds, but the stack's update fails. AWS documents neither; the local
# engine (ministack) sends only the Delete.
ROLLS_BACK_WITH_UPDATE = "an Update to the old properties, then the Delete of the new domain"
ROLLS_BACK_WITH_DELETE = "only the Delete of the new domain"


@dataclass(frozen=True)
class Declared:
    """A resource in a template. `retained` is DeletionPolicy: Retain with UpdateReplacePolicy: Retain."""

    properties: dict[str, Any]
    retained: bool = False

    @property
    def domain_name(self) -> str:
        return str(self.properties.get("DomainName", ""))


@dataclass
class Resource:
    """What CloudFormation knows about a resource whose Create succeeded."""

    physical_id: str
    properties: dict[str, Any]
    retained: bool = False


@dataclass(frozen=True)
class ReportedResource:
    """A resource as DescribeStackResource reports it."""

    status: str
    physical_id: str
    since: float
    resource_type: str = CUSTOM_TYPE


@dataclass(frozen=True)
class ReportedEvent:
    """One line of what DescribeStackEvents reports. A stack's own lines have its ARN as the physical id."""

    at: float
    logical_id: str
    physical_id: str
    status: str
    resource_type: str


@dataclass(frozen=True)
class Request:
    """An event that a stack is going to send. `is_clean_up`: a Delete for a domain that an update has replaced."""

    kind: str
    logical_id: str
    properties: dict[str, Any]
    old_properties: dict[str, Any] | None = None
    physical_id: str | None = None
    is_clean_up: bool = False


@dataclass(frozen=True)
class FailedDelete:
    """A Delete that failed and can be sent again, and the stack's status when it failed."""

    request: Request
    stack_status: str


@dataclass(frozen=True)
class RollbackUpdate:
    """An Update of a rollback, and the resource before the update. If it fails, it can be sent again."""

    request: Request
    before: Resource


@dataclass(frozen=True)
class PhaseResult:
    """The answers to the requests of one phase, by their index.

    The answer is None if CloudFormation got none before the timeout, or cancelled the event. A request that was not
    sent, because another one had failed, has no entry. `sibling_failed`: another resource of the same stack failed.
    """

    answers: Mapping[int, Answer | None]
    sibling_failed: bool = False


# Delivers one event and returns the answer, or None if CloudFormation got none before the timeout.
Send = Callable[[dict[str, Any]], Answer | None]
SendPhase = Callable[["Stack", Sequence[Request], bool], PhaseResult]


@dataclass
class Stack:
    """One stack. `send` delivers one event. `send_phase`, if given, is used instead: it can deliver several at once.

    `forgets_removed`: whether DescribeStackResource no longer reports a resource after an update has removed it.
    DescribeStacks reports `status`, `status_reason`, `parent_id` (the stack that this one is nested in) and `tags`,
    DescribeStackEvents `events`, the oldest first.
    """

    arn: str
    send: Send
    send_phase: SendPhase | None = None
    now: Callable[[], float] = lambda: 0.0
    forgets_removed: bool = False
    status: str = ""
    status_reason: str = ""
    parent_id: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    reported: dict[str, ReportedResource] = field(default_factory=dict)
    events: list[ReportedEvent] = field(default_factory=list)
    failed_deletes: list[FailedDelete] = field(default_factory=list)
    failed_rollbacks: dict[str, RollbackUpdate] = field(default_factory=dict)
    # (logical id, domain name) of the domains that were retained when their resource was removed.
    retained: list[tuple[str, str]] = field(default_factory=list)
    _after_rollback: list[Request] = field(default_factory=list)

    # One resource at a time

    def create(self, logical_id: str, properties: dict[str, Any], *, sibling_fails: bool = False) -> bool:
        """Add a resource. Return whether that succeeded."""
        return self.deploy({**self.template(), logical_id: Declared(properties)}, sibling_fails=sibling_fails)

    def update(
        self,
        logical_id: str,
        properties: dict[str, Any],
        *,
        sibling_fails: str | None = None,
        retains_replaced: bool = False,
    ) -> bool:
        """Change a resource's properties. Return whether that succeeded.

        `sibling_fails`: another resource fails, and CloudFormation rolls back in this way.
        """
        changed = {**self.template(), logical_id: Declared(properties, retains_replaced)}
        return self.deploy(
            changed, sibling_fails=bool(sibling_fails), rollback_style=sibling_fails or ROLLS_BACK_WITH_UPDATE
        )

    def remove(self, logical_id: str, *, retains: bool = False) -> None:
        """Remove a resource from the template."""
        self.resources[logical_id].retained = retains
        self.deploy({key: declared for key, declared in self.template().items() if key != logical_id})

    def template(self) -> dict[str, Declared]:
        """The deployed template."""
        return {key: Declared(resource.properties, resource.retained) for key, resource in self}

    # Operations

    def deploy(
        self,
        template: Mapping[str, Declared],
        *,
        sibling_fails: bool = False,
        rollback_style: str = ROLLS_BACK_WITH_UPDATE,
        retain_except_on_create: bool = False,
        keeps_failed_creation: bool = False,
    ) -> bool:
        """Create or update the stack. Return True if it succeeds, False if it is rolled back.

        `retain_except_on_create`: the rollback deletes what the deployment created, although the template retains it.
        `keeps_failed_creation` (--disable-rollback): a new stack that fails is not rolled back but stays as it is, to
        be deleted.
        """
        is_new = not self.status
        before = {key: replace(resource) for key, resource in self}
        requests = [
            Request("Update", key, declared.properties, before[key].properties, before[key].physical_id)
            if key in before
            else Request("Create", key, declared.properties)
            for key, declared in template.items()
            if key not in before or before[key].properties != declared.properties
        ]
        self.enter("CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS")
        result = self._send_phase(requests, is_forward=True)
        for request, answer in _sent(requests, result):
            if succeeded(answer):
                self.resources[request.logical_id] = Resource(answer["PhysicalResourceId"], request.properties)
        if sibling_fails or result.sibling_failed or not all(map(succeeded, result.answers.values())):
            if is_new and keeps_failed_creation:
                self._keep(_sent(requests, result))
                return False
            kept = {key for key, declared in template.items() if declared.retained and not retain_except_on_create}
            self._roll_back(before, _sent(requests, result), rollback_style, kept, is_new=is_new)
            return False
        for key, declared in template.items():
            self.resources[key].retained = declared.retained
        if not is_new:
            self._clean_up(before, template)
        self.enter("CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE")
        return True

    def delete(self) -> bool:
        """Delete the stack. Return whether every Delete succeeded."""
        self.retry_deletes(clean_ups_only=True)
        self.enter("DELETE_IN_PROGRESS")
        failed_deletes, self.failed_deletes = self.failed_deletes, []
        for failed in failed_deletes:
            self._delete([failed.request])
        gone = {key: self.resources.pop(key) for key, _ in self}
        self._delete([self._removal(key, resource) for key, resource in gone.items() if not resource.retained])
        for key, resource in gone.items():
            if resource.retained:
                self._retain(key, resource.physical_id)
        self.enter("DELETE_FAILED" if self.failed_deletes else "DELETE_COMPLETE")
        return not self.failed_deletes

    def continue_rollback(self, logical_id: str | None = None) -> None:
        """The user's continue-update-rollback after UPDATE_ROLLBACK_FAILED."""
        self._roll_back_updates([failed for key, failed in self.failed_rollbacks.items() if logical_id in (None, key)])

    def skip_rollback(self, logical_id: str) -> None:
        """The user's continue-update-rollback that skips a resource: it is left as it is."""
        failed = self.failed_rollbacks.pop(logical_id)
        self.resources[logical_id] = failed.before
        self._report(logical_id, "UPDATE_COMPLETE", failed.before.physical_id)
        self._clean_up_later(failed.request, failed.before.physical_id)
        self._end_rollback()

    def retry_deletes(self, *, clean_ups_only: bool = False) -> None:
        """Send the failed Deletes again."""
        status = self.status
        for failed in list(self.failed_deletes):
            if clean_ups_only and not failed.request.is_clean_up:
                continue
            self.failed_deletes.remove(failed)
            # What can be done with a stack whose rollback failed is to delete it.
            self.enter(failed.stack_status.replace("ROLLBACK_", "DELETE_", 1) if self.is_gone else failed.stack_status)
            self._delete([failed.request])
        if status in ("ROLLBACK_FAILED", "DELETE_FAILED"):
            status = status if self.failed_deletes else "DELETE_COMPLETE"
        self.enter(status)

    # Phases of the operations

    def _keep(self, sent: Sequence[tuple[Request, Answer | None]]) -> None:
        self.enter("CREATE_FAILED")
        for request, answer in sent:
            if not succeeded(answer):
                physical_id = answer["PhysicalResourceId"] if answer else self._generated_id(request.logical_id)
                self.resources[request.logical_id] = Resource(physical_id, request.properties)

    def _roll_back(
        self,
        before: dict[str, Resource],
        sent: Sequence[tuple[Request, Answer | None]],
        rollback_style: str,
        kept: set[str],
        *,
        is_new: bool,
    ) -> None:
        self.enter("ROLLBACK_IN_PROGRESS" if is_new else "UPDATE_ROLLBACK_IN_PROGRESS")
        rollbacks: list[RollbackUpdate] = []
        for request, answer in sent:
            key = request.logical_id
            if request.kind == "Create":
                self.resources.pop(key, None)
                physical_id = answer["PhysicalResourceId"] if answer else self._generated_id(key)
                if key in kept:
                    self._retain(key, physical_id, request.properties["DomainName"])
                else:
                    delete = Request("Delete", key, request.properties, physical_id=physical_id)
                    self._after_rollback.append(delete)
                continue
            new_id = answer["PhysicalResourceId"] if succeeded(answer) else before[key].physical_id
            rollback = Request("Update", key, before[key].properties, request.properties, new_id)
            self.resources[key] = before[key]
            if new_id != before[key].physical_id and rollback_style == ROLLS_BACK_WITH_DELETE:
                self._report(key, "UPDATE_COMPLETE", before[key].physical_id)
                self._clean_up_later(rollback, before[key].physical_id)
            else:
                rollbacks.append(RollbackUpdate(rollback, before[key]))
        self._roll_back_updates(rollbacks)
        if is_new:
            self.enter("ROLLBACK_FAILED" if self.failed_deletes else "ROLLBACK_COMPLETE")

    def _roll_back_updates(self, rollbacks: Sequence[RollbackUpdate]) -> None:
        result = self._send_phase([rollback.request for rollback in rollbacks])
        for index, rollback in enumerate(rollbacks):
            key, answer = rollback.request.logical_id, result.answers[index]
            if not succeeded(answer):
                self.failed_rollbacks[key] = rollback
                continue
            self.failed_rollbacks.pop(key, None)
            self.resources[key] = replace(rollback.before, physical_id=answer["PhysicalResourceId"])
            self._clean_up_later(rollback.request, answer["PhysicalResourceId"])
        self._end_rollback()

    def _clean_up_later(self, rollback: Request, physical_id: str) -> None:
        if rollback.physical_id not in (None, physical_id):
            assert rollback.old_properties is not None
            delete = Request(
                "Delete", rollback.logical_id, rollback.old_properties, None, rollback.physical_id, is_clean_up=True
            )
            self._after_rollback.append(delete)

    def _end_rollback(self) -> None:
        if self.failed_rollbacks:
            self.enter("UPDATE_ROLLBACK_FAILED")
            return
        if self.status != "ROLLBACK_IN_PROGRESS":
            self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        deletes, self._after_rollback = self._after_rollback, []
        self._delete(deletes)
        if self.status != "ROLLBACK_IN_PROGRESS":
            self.enter("UPDATE_ROLLBACK_COMPLETE")

    def _clean_up(self, before: Mapping[str, Resource], template: Mapping[str, Declared]) -> None:
        self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        deletes = []
        for key, resource in before.items():
            if key not in template:
                del self.resources[key]
                if resource.retained:
                    self._retain(key, resource.physical_id)
                else:
                    deletes.append(self._removal(key, resource))
            elif self.resources[key].physical_id != resource.physical_id:
                if template[key].retained:
                    self.retained.append((key, resource.physical_id))
                else:
                    deletes.append(replace(self._removal(key, resource), is_clean_up=True))
        self._delete(deletes)

    def _removal(self, logical_id: str, resource: Resource) -> Request:
        return Request("Delete", logical_id, resource.properties, physical_id=resource.physical_id)

    def _retain(self, logical_id: str, physical_id: str, name: str = "") -> None:
        self.retained.append((logical_id, name or physical_id))
        self._report(logical_id, "DELETE_SKIPPED", physical_id)
        if self.forgets_removed:
            del self.reported[logical_id]

    def _delete(self, requests: Sequence[Request]) -> None:
        result = self._send_phase(requests)
        for index, request in enumerate(requests):
            if not succeeded(result.answers[index]):
                self.failed_deletes.append(FailedDelete(request, self.status))

    def _send_phase(self, requests: Sequence[Request], *, is_forward: bool = False) -> PhaseResult:
        if not requests:
            return PhaseResult({})
        if self.send_phase is not None:
            return self.send_phase(self, requests, is_forward)
        answers: dict[int, Answer | None] = {}
        for index, request in enumerate(requests):
            answers[index] = self.send(self.begin(request))
            self.end(request, answers[index])
            if is_forward and not succeeded(answers[index]):
                break
        return PhaseResult(answers)

    def _generated_id(self, logical_id: str) -> str:
        """The physical id that CloudFormation generates if a Create is never answered. It looks like a domain name."""
        return f"{self.arn.split('/')[1]}-{logical_id}-{new_request_id()[-12:]}"

    # What DescribeStackResource reports

    def begin(self, request: Request) -> dict[str, Any]:
        """Report that the request is in progress, and return its event."""
        report = self.log if request.is_clean_up else self._report
        report(request.logical_id, f"{request.kind.upper()}_IN_PROGRESS", request.physical_id or "")
        return event(
            request.kind,
            request.properties,
            request.old_properties,
            physical_id=request.physical_id,
            stack_id=self.arn,
            logical_id=request.logical_id,
        )

    def end(self, request: Request, answer: Answer | None) -> None:
        """Report how the request ended. There is no answer if it timed out or was cancelled."""
        key, outcome = request.logical_id, "COMPLETE" if succeeded(answer) else "FAILED"
        physical_id = request.physical_id or ""
        if answer and (request.kind == "Create" or succeeded(answer)):
            physical_id = answer["PhysicalResourceId"]
        report = self.log if request.is_clean_up else self._report
        report(key, f"{request.kind.upper()}_{outcome}", physical_id)
        if self.forgets_removed and not request.is_clean_up and request.kind == "Delete" and succeeded(answer):
            del self.reported[key]

    def _report(self, logical_id: str, status: str, physical_id: str) -> None:
        self.reported[logical_id] = ReportedResource(status, physical_id, self.now())
        self.log(logical_id, status, physical_id)

    def log(self, logical_id: str, status: str, physical_id: str, resource_type: str = CUSTOM_TYPE) -> None:
        """Add a line to the stack's events."""
        self.events.append(ReportedEvent(self.now(), logical_id, physical_id, status, resource_type))

    def enter(self, status: str) -> None:
        """Get a new status, and add that to the stack's events."""
        if status != self.status:
            self.log(self.arn.split("/")[1], status, self.arn, STACK_TYPE)
        self.status = status

    # What the stack knows

    @property
    def undoes(self) -> bool:
        """Whether it undoes an operation: it is rolled back, or was never complete and is deleted."""
        statuses = {line.status for line in self.events if line.physical_id == self.arn}
        is_complete = not statuses.isdisjoint({"CREATE_COMPLETE", "UPDATE_COMPLETE"})
        return "ROLLBACK" in self.status or (self.status.startswith("DELETE_") and not is_complete)

    @property
    def is_gone(self) -> bool:
        """Whether it can only be deleted or is deleted: its deletion has begun, or its creation failed."""
        return self.status.startswith(("DELETE_", "ROLLBACK_", "CREATE_FAILED"))

    def knows(self, logical_id: str, name: str) -> bool:
        """Whether the stack knows the domain as that resource's, or has still an event to send for it."""
        pending = [failed.request for failed in self.failed_deletes_of(logical_id)]
        pending += [request for request in self._after_rollback if request.logical_id == logical_id]
        names = {request.properties.get("DomainName") for request in pending}
        if logical_id in self.resources:
            names.add(self.resources[logical_id].physical_id)
            if self.status == "CREATE_FAILED":  # and what its Create may have made
                names.add(self.resources[logical_id].properties.get("DomainName"))
        if failed := self.failed_rollbacks.get(logical_id):
            names |= {
                (each or {}).get("DomainName") for each in (failed.request.properties, failed.request.old_properties)
            }
        return name in names

    def knows_any(self, name: str) -> bool:
        """Whether any of its resources has the domain."""
        return any(resource.physical_id == name for _, resource in self)

    def never_created(self) -> set[tuple[str, str]]:
        """The resources whose last Create failed, by stack and logical id."""
        creates = {line.logical_id: line.status for line in self.events if line.status.startswith("CREATE_")}
        return {(self.arn, key) for key, status in creates.items() if status == "CREATE_FAILED"}

    def failed_deletes_of(self, logical_id: str) -> list[FailedDelete]:
        return [failed for failed in self.failed_deletes if failed.request.logical_id == logical_id]

    def __iter__(self) -> Iterator[tuple[str, Resource]]:
        return iter(list(self.resources.items()))


def succeeded(answer: Answer | None) -> TypeGuard[Answer]:
    """Whether there is an answer, with the status SUCCESS."""
    return answer is not None and answer["Status"] == "SUCCESS"


def _sent(requests: Sequence[Request], result: PhaseResult) -> list[tuple[Request, Answer | None]]:
    return [(requests[index], answer) for index, answer in sorted(result.answers.items())]
