"""Event in: what CloudFormation asks for, as plain values.

Powertools has an event class for this too; importing it imports every event class it has, at each cold start, and the
decisions want a frozen value. So the few fields are read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The physical id that answers a failed Create. CloudFormation sends it back with the Delete that follows. The colon
# keeps it apart from every domain name, and the RequestId says which Create it was. "Unsettled" is a Create whose
# CreateDomain may still come through after the answer: its Delete has to look more than once.
_FAILED_CREATE = "create-failed:"
_UNSETTLED_CREATE = "create-unsettled:"

REQUEST_TYPES = ("Create", "Update", "Delete")


@dataclass(frozen=True)
class Event:
    """One request of CloudFormation for one resource, without the ResponseURL, which is a credential.

    `properties` and `old_properties` are as CloudFormation sent them: not checked, every scalar a string.
    """

    request_type: str
    request_id: str
    stack_id: str
    logical_id: str
    physical_id: str
    properties: Any
    old_properties: Any

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
    def failed_create(self) -> str | None:
        """The RequestId of the failed Create whose answer gave this event its physical id; None for any other id."""
        for marker in (_FAILED_CREATE, _UNSETTLED_CREATE):
            if self.physical_id.startswith(marker):
                return self.physical_id.removeprefix(marker)
        return None

    @property
    def is_unsettled(self) -> bool:
        """Whether the Create that this event's physical id stands for may still come through."""
        return self.physical_id.startswith(_UNSETTLED_CREATE)


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
    )


def failed_create_id(request_id: str, *, unsettled: bool) -> str:
    """The physical id with which a failed Create answers."""
    return (_UNSETTLED_CREATE if unsettled else _FAILED_CREATE) + request_id


def _property(properties: Any, name: str) -> Any:
    return properties.get(name) if isinstance(properties, Mapping) else None
