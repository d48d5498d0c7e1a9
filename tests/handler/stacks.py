"""Stacks, as CloudFormation deploys, rolls back and deletes them: what it sends, and what it makes of the answers.

What it does and in which order is from AWS's "Custom resource request objects" and "Understanding update behaviors of
stack resources", and from watching ministack's engine, on which a stack's whole life is tested in tests/end_to_end. The
statuses that DescribeStackResource and DescribeStacks report are AWS's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeGuard

from tests.handler.cloudformation import Answer, event, new_request_id

# How CloudFormation undoes a replacement that succeeded in an update that failed. AWS documents neither; ministack
# deletes the new one.
UPDATES_BACK = "an Update back, then the Delete of the new one"
DELETES_THE_NEW = "only the Delete of the new one"


@dataclass(frozen=True)
class Declared:
    """A resource as a template has it; `retained` is DeletionPolicy and UpdateReplacePolicy: Retain."""

    properties: dict[str, Any]
    retained: bool = False

    @property
    def domain_name(self) -> str:
        return str(self.properties.get("DomainName", ""))


@dataclass
class Resource:
    """What CloudFormation knows of a resource whose Create succeeded."""

    physical_id: str
    properties: dict[str, Any]
    retained: bool = False


@dataclass(frozen=True)
class Listing:
    """A resource as DescribeStackResource reports it."""

    status: str
    physical_id: str
    since: float


@dataclass(frozen=True)
class Request:
    """An event that a stack is going to send. `is_clean_up`: for what an update has replaced."""

    kind: str
    logical_id: str
    properties: dict[str, Any]
    old_properties: dict[str, Any] | None = None
    physical_id: str | None = None
    is_clean_up: bool = False


@dataclass(frozen=True)
class Undeleted:
    """A Delete that failed, which CloudFormation or the user tries again, and the stack's status at that time."""

    request: Request
    stack_status: str


@dataclass(frozen=True)
class Unrolled:
    """An Update that was to roll back and failed: the stack is UPDATE_ROLLBACK_FAILED, and it has to be sent again."""

    request: Request
    before: Resource


@dataclass(frozen=True)
class Carried:
    """What became of some requests: their answers, None where CloudFormation waited in vain or cancelled the event.

    A request that was never sent, since another one had failed before, has no answer here. `failed_elsewhere`: a
    resource of another kind in the same stack failed.
    """

    answers: Mapping[int, Answer | None]
    failed_elsewhere: bool = False


# What happens to one event on its way: it is given a ResponseURL, is delivered, possibly more than once, and the answer
# that CloudFormation got is returned, None if it waited in vain.
Send = Callable[[dict[str, Any]], Answer | None]
CarryOut = Callable[["Stack", Sequence[Request], bool], Carried]


@dataclass
class Stack:
    """One stack. `send` delivers one event; `carry_out`, where it is given, several at the same time.

    `forgets_removed`: whether DescribeStackResource no longer knows a resource that an update has removed.
    """

    arn: str
    send: Send
    carry_out: CarryOut | None = None
    now: Callable[[], float] = lambda: 0.0
    forgets_removed: bool = False
    status: str = ""
    resources: dict[str, Resource] = field(default_factory=dict)
    listed: dict[str, Listing] = field(default_factory=dict)
    undeleted: list[Undeleted] = field(default_factory=list)
    unrolled: dict[str, Unrolled] = field(default_factory=dict)
    # (logical id, domain name) of what was to stay although CloudFormation no longer knows it.
    retained: list[tuple[str, str]] = field(default_factory=list)
    _after_rollback: list[Request] = field(default_factory=list)

    # One resource at a time

    def create(self, logical_id: str, properties: dict[str, Any], *, fails_elsewhere: bool = False) -> bool:
        """Add a resource; True if it is there at the end."""
        return self.deploy({**self.template(), logical_id: Declared(properties)}, fails_elsewhere=fails_elsewhere)

    def update(
        self,
        logical_id: str,
        properties: dict[str, Any],
        *,
        fails_elsewhere: str | None = None,
        retains_replaced: bool = False,
    ) -> bool:
        """Change a resource's properties; True if it has them at the end."""
        changed = {**self.template(), logical_id: Declared(properties, retains_replaced)}
        return self.deploy(changed, fails_elsewhere=bool(fails_elsewhere), way_back=fails_elsewhere or UPDATES_BACK)

    def remove(self, logical_id: str, *, retains: bool = False) -> None:
        """Take a resource out of the template."""
        self.resources[logical_id].retained = retains
        self.deploy({key: declared for key, declared in self.template().items() if key != logical_id})

    def template(self) -> dict[str, Declared]:
        """The template as it is deployed."""
        return {key: Declared(resource.properties, resource.retained) for key, resource in self}

    # Operations

    def deploy(
        self,
        template: Mapping[str, Declared],
        *,
        fails_elsewhere: bool = False,
        way_back: str = UPDATES_BACK,
        retain_except_on_create: bool = False,
    ) -> bool:
        """Create or update the stack; True if it comes through, False if it is rolled back.

        `retain_except_on_create`: a failed deployment deletes what it has made although the template retains it.
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
        self.status = "CREATE_IN_PROGRESS" if is_new else "UPDATE_IN_PROGRESS"
        carried = self._carry_out(requests, is_forward=True)
        for request, answer in _sent(requests, carried):
            if succeeded(answer):
                self.resources[request.logical_id] = Resource(answer["PhysicalResourceId"], request.properties)
        if fails_elsewhere or carried.failed_elsewhere or not all(map(succeeded, carried.answers.values())):
            kept = {key for key, declared in template.items() if declared.retained and not retain_except_on_create}
            self._roll_back(before, _sent(requests, carried), way_back, kept, is_new=is_new)
            return False
        for key, declared in template.items():
            self.resources[key].retained = declared.retained
        self._clean_up(before, template)
        self.status = "CREATE_COMPLETE" if is_new else "UPDATE_COMPLETE"
        return True

    def delete(self) -> bool:
        """Delete the stack; True if nothing is left of it but what it retains."""
        self.delete_again(clean_ups_only=True)
        self.status = "DELETE_IN_PROGRESS"
        undeleted, self.undeleted = self.undeleted, []
        for left in undeleted:
            self._delete([left.request])
        gone = {key: self.resources.pop(key) for key, _ in self}
        self._delete([self._removal(key, resource) for key, resource in gone.items() if not resource.retained])
        for key, resource in gone.items():
            if resource.retained:
                self._retain(key, resource.physical_id)
        self.status = "DELETE_FAILED" if self.undeleted else "DELETE_COMPLETE"
        return not self.undeleted

    def continue_rollback(self, logical_id: str | None = None) -> None:
        """What a user does after UPDATE_ROLLBACK_FAILED."""
        self._update_back([left for key, left in self.unrolled.items() if logical_id in (None, key)])

    def skip_rollback(self, logical_id: str) -> None:
        """The other thing to do then: the resource is left as it is, whatever that is."""
        left = self.unrolled.pop(logical_id)
        self.resources[logical_id] = left.before
        self._list(logical_id, "UPDATE_COMPLETE", left.before.physical_id)
        self._replaced(left.request, left.before.physical_id)
        self._end_rollback()

    def delete_again(self, *, clean_ups_only: bool = False) -> None:
        """Try the Deletes again that failed."""
        status = self.status
        for left in list(self.undeleted):
            if clean_ups_only and not left.request.is_clean_up:
                continue
            self.undeleted.remove(left)
            self.status = left.stack_status
            self._delete([left.request])
        if status in ("ROLLBACK_FAILED", "DELETE_FAILED"):
            status = status if self.undeleted else "DELETE_COMPLETE"
        self.status = status

    # What it sends

    def _roll_back(
        self,
        before: dict[str, Resource],
        sent: Sequence[tuple[Request, Answer | None]],
        way_back: str,
        kept: set[str],
        *,
        is_new: bool,
    ) -> None:
        self.status = "ROLLBACK_IN_PROGRESS" if is_new else "UPDATE_ROLLBACK_IN_PROGRESS"
        backs: list[Unrolled] = []
        for request, answer in sent:
            key = request.logical_id
            if request.kind == "Create":
                self.resources.pop(key, None)
                physical_id = answer["PhysicalResourceId"] if answer else self._made_up_id(key)
                if key in kept:
                    self._retain(key, physical_id, request.properties["DomainName"])
                else:
                    delete = Request("Delete", key, request.properties, physical_id=physical_id)
                    self._after_rollback.append(delete)
                continue
            new_id = answer["PhysicalResourceId"] if succeeded(answer) else before[key].physical_id
            back = Request("Update", key, before[key].properties, request.properties, new_id)
            self.resources[key] = before[key]
            if new_id != before[key].physical_id and way_back == DELETES_THE_NEW:
                self._list(key, "UPDATE_COMPLETE", before[key].physical_id)
                self._replaced(back, before[key].physical_id)
            else:
                backs.append(Unrolled(back, before[key]))
        self._update_back(backs)
        if is_new:
            self.status = "ROLLBACK_FAILED" if self.undeleted else "ROLLBACK_COMPLETE"

    def _update_back(self, backs: Sequence[Unrolled]) -> None:
        carried = self._carry_out([back.request for back in backs])
        for index, back in enumerate(backs):
            key, answer = back.request.logical_id, carried.answers[index]
            if not succeeded(answer):
                self.unrolled[key] = back
                continue
            self.unrolled.pop(key, None)
            self.resources[key] = replace(back.before, physical_id=answer["PhysicalResourceId"])
            self._replaced(back.request, answer["PhysicalResourceId"])
        self._end_rollback()

    def _replaced(self, back: Request, physical_id: str) -> None:
        if back.physical_id not in (None, physical_id):
            assert back.old_properties is not None
            delete = Request("Delete", back.logical_id, back.old_properties, None, back.physical_id, is_clean_up=True)
            self._after_rollback.append(delete)

    def _end_rollback(self) -> None:
        if self.unrolled:
            self.status = "UPDATE_ROLLBACK_FAILED"
            return
        if self.status != "ROLLBACK_IN_PROGRESS":
            self.status = "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"
        deletes, self._after_rollback = self._after_rollback, []
        self._delete(deletes)
        if self.status != "ROLLBACK_IN_PROGRESS":
            self.status = "UPDATE_ROLLBACK_COMPLETE"

    def _clean_up(self, before: Mapping[str, Resource], template: Mapping[str, Declared]) -> None:
        self.status = "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
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
        self._list(logical_id, "DELETE_SKIPPED", physical_id)
        if self.forgets_removed:
            del self.listed[logical_id]

    def _delete(self, requests: Sequence[Request]) -> None:
        carried = self._carry_out(requests)
        for index, request in enumerate(requests):
            if not succeeded(carried.answers[index]):
                self.undeleted.append(Undeleted(request, self.status))

    def _carry_out(self, requests: Sequence[Request], *, is_forward: bool = False) -> Carried:
        if not requests:
            return Carried({})
        if self.carry_out is not None:
            return self.carry_out(self, requests, is_forward)
        answers: dict[int, Answer | None] = {}
        for index, request in enumerate(requests):
            answers[index] = self.send(self.begin(request))
            self.end(request, answers[index])
            if is_forward and not succeeded(answers[index]):
                break
        return Carried(answers)

    def _made_up_id(self, logical_id: str) -> str:
        """CloudFormation's own, of the stack's name, the logical id and random characters; it looks like a name."""
        return f"{self.arn.split('/')[1]}-{logical_id}-{new_request_id()[-12:]}"

    # What it lists

    def begin(self, request: Request) -> dict[str, Any]:
        """List that the request is under way. Returns its event."""
        if not request.is_clean_up:
            self._list(request.logical_id, f"{request.kind.upper()}_IN_PROGRESS", request.physical_id or "")
        return event(
            request.kind,
            request.properties,
            request.old_properties,
            physical_id=request.physical_id,
            stack_id=self.arn,
            logical_id=request.logical_id,
        )

    def end(self, request: Request, answer: Answer | None) -> None:
        """List what became of the request; no answer where CloudFormation waited in vain or cancelled the event."""
        if request.is_clean_up:
            return
        key, outcome = request.logical_id, "COMPLETE" if succeeded(answer) else "FAILED"
        physical_id = request.physical_id or ""
        if answer and (request.kind == "Create" or succeeded(answer)):
            physical_id = answer["PhysicalResourceId"]
        self._list(key, f"{request.kind.upper()}_{outcome}", physical_id)
        if self.forgets_removed and request.kind == "Delete" and succeeded(answer):
            del self.listed[key]

    def _list(self, logical_id: str, status: str, physical_id: str) -> None:
        self.listed[logical_id] = Listing(status, physical_id, self.now())

    # What it knows

    @property
    def is_rolling_back(self) -> bool:
        return "ROLLBACK" in self.status

    @property
    def is_gone(self) -> bool:
        """Whether nothing can be deployed into it any more: it is deleted, or its creation failed."""
        return self.status.startswith(("DELETE_", "ROLLBACK_"))

    def knows(self, logical_id: str, name: str) -> bool:
        """Whether the stack, or its user by way of an event that failed, knows the domain as that resource's."""
        names = {left.request.properties.get("DomainName") for left in self.undeleted_of(logical_id)}
        if logical_id in self.resources:
            names.add(self.resources[logical_id].physical_id)
        if left := self.unrolled.get(logical_id):
            names |= {(each or {}).get("DomainName") for each in (left.request.properties, left.request.old_properties)}
        return name in names

    def knows_any(self, name: str) -> bool:
        """Whether it is the domain of any of its resources."""
        return any(resource.physical_id == name for _, resource in self)

    def undeleted_of(self, logical_id: str) -> list[Undeleted]:
        return [left for left in self.undeleted if left.request.logical_id == logical_id]

    def __iter__(self) -> Iterator[tuple[str, Resource]]:
        return iter(list(self.resources.items()))


def succeeded(answer: Answer | None) -> TypeGuard[Answer]:
    """Whether there is an answer, and it is SUCCESS."""
    return answer is not None and answer["Status"] == "SUCCESS"


def _sent(requests: Sequence[Request], carried: Carried) -> list[tuple[Request, Answer | None]]:
    return [(requests[index], answer) for index, answer in sorted(carried.answers.items())]
