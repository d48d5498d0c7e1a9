"""Event in: what CloudFormation asks for, as plain values.

Powertools has an event class for this too; importing it imports every event class it has, at each cold start, and the
decisions want a frozen value. So the few fields are read here.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

REQUEST_TYPES = ("Create", "Update", "Delete")

# An event of this age, in seconds, when it starts may be a duplicate, or one that CloudFormation no longer waits for.
OLD = 30.0
# An event of this age, in seconds, may have been cancelled, and the Delete that follows may have looked already: public
# logs show it two seconds after the cancellation (aws-cdk issue 26139).
CANCELLABLE = 2.0

_LIFETIME = 7200  # seconds that a response URL is valid: X-Amz-Expires


class Aftermath(enum.Enum):
    """What a failed Create can have left, as the physical id of its answer says.

    CloudFormation sends that id back with the Delete that follows. The colon keeps it apart from every domain name.
    """

    NOTHING = "create-made-nothing:"
    SOMETHING = "create-failed:"
    UNSETTLED = "create-unsettled:"  # a CreateDomain may still come through after the answer


@dataclass(frozen=True)
class Event:
    """One request of CloudFormation for one resource, without the ResponseURL, which is a credential.

    `properties` and `old_properties` are as CloudFormation sent them: not checked, every scalar a string. `sent_at` is
    when CloudFormation sent it, in seconds since 1970 and without their fraction; None where the URL does not say.
    """

    request_type: str
    request_id: str
    stack_id: str
    logical_id: str
    physical_id: str
    properties: Any
    old_properties: Any
    sent_at: int | None = None

    @property
    def resource(self) -> tuple[str, str]:
        """The resource that it is for: its stack and its logical id."""
        return self.stack_id, self.logical_id

    @property
    def domain_name(self) -> Any:
        """DomainName of ResourceProperties as it came, or None; it need not be a name."""
        return _property(self.properties, "DomainName")

    @property
    def service_timeout(self) -> float:
        """For how many seconds CloudFormation waits for the answer: it gives up, and cleans up, after that."""
        timeout = str(_property(self.properties, "ServiceTimeout"))
        return int(timeout) if timeout.isdecimal() and len(timeout) < 9 else 3600

    @property
    def is_create(self) -> bool:
        """Whether it is a Create."""
        return self.request_type == "Create"

    @property
    def is_delete(self) -> bool:
        """Whether it is a Delete."""
        return self.request_type == "Delete"

    @property
    def failed_create(self) -> str | None:
        """The RequestId of the failed Create whose answer gave this event its physical id; None for any other id."""
        for aftermath in Aftermath:
            if self.physical_id.startswith(aftermath.value):
                return self.physical_id.removeprefix(aftermath.value)
        return None

    @property
    def made_nothing(self) -> bool:
        """Whether the Create that this event's physical id stands for made and changed nothing."""
        return self.physical_id.startswith(Aftermath.NOTHING.value)

    @property
    def is_unsettled(self) -> bool:
        """Whether the Create that this event's physical id stands for may still come through."""
        return self.physical_id.startswith(Aftermath.UNSETTLED.value)

    def is_for(self, name: str) -> bool:
        """Whether CloudFormation knows the domain of that name as this resource's."""
        return self.physical_id == name

    def is_made_up(self, physical_id: str, name: str) -> bool:
        """Whether CloudFormation has made that physical id up, for a Create without an answer.

        It can look like a domain's name, which `name` would be.
        """
        return ":" not in physical_id and f"-{self.logical_id}-" in physical_id and physical_id != name

    def is_rename(self, name: str) -> bool:
        """Whether the event gives the resource another domain, of that name."""
        return self.request_type == "Update" and self.physical_id != name

    def is_update_of(self, name: str) -> bool:
        """Whether the event changes the domain of that name and leaves it to the resource."""
        return self.request_type == "Update" and self.physical_id == name

    def replacement_to_undo(self, name: str, old_name: str) -> str:
        """The domain that a replacement meant to make before it failed, "" where the event undoes none.

        What follows it, its rollback or (with --disable-rollback) another Update, has OldResourceProperties with a name
        that is not in PhysicalResourceId.
        """
        return old_name if old_name not in (name, self.physical_id) else ""

    def age(self, now: float) -> float:
        """How many seconds ago CloudFormation sent the event; infinite if that is not known."""
        return float("inf") if self.sent_at is None else now - self.sent_at


def read(raw: Mapping[str, Any]) -> Event:
    """Read CloudFormation's event; a field that is missing or no text becomes "".

    It raises nothing: an event that is not as it should be is answered like any other
    (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html has the fields).
    """

    def text(field: str) -> str:
        value = raw.get(field)
        return value if isinstance(value, str) else ""

    return Event(
        request_type=text("RequestType"),
        request_id=text("RequestId"),
        stack_id=text("StackId"),
        logical_id=text("LogicalResourceId"),
        physical_id=text("PhysicalResourceId"),
        properties=raw.get("ResourceProperties", {}),
        old_properties=raw.get("OldResourceProperties", {}),
        sent_at=_signed_at(text("ResponseURL")),
    )


def failed_create_id(request_id: str, aftermath: Aftermath) -> str:
    """The physical id with which a failed Create answers."""
    return aftermath.value + request_id


def _signed_at(response_url: str) -> int | None:
    """When CloudFormation signed the URL for the answer, which is when it sent the event."""
    try:
        query = parse_qs(urlsplit(response_url).query)
        if "X-Amz-Date" in query:
            return int(datetime.fromisoformat(query["X-Amz-Date"][0]).replace(tzinfo=UTC).timestamp())
        # Signature version 2 says only when the URL ends to be valid.
        return int(query["Expires"][0]) - _LIFETIME
    except (ValueError, KeyError, OverflowError):
        return None


def _property(properties: Any, name: str) -> Any:
    return properties.get(name) if isinstance(properties, Mapping) else None
