"""Refusals: the reasons for refusing an event. Each says what is wrong, what was done, and how to go on.

A stack event shows them, often in a rollback or a clean-up after an update, so none gives advice that fits only the
deletion of a stack.
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.event import Event
from handler.ownership import LOGICAL_ID, STACK_ID, Claims
from handler.plans import Refuse, Use

# System tags of AWS::CustomerProfiles::Domain. They stay after a deletion that retains the domain.
NATIVE_STACK_ID = "aws:cloudformation:stack-id"
_NATIVE_LOGICAL_ID = "aws:cloudformation:logical-id"


def already_exists(name: str, claims: Claims, tags: Mapping[str, str]) -> Refuse:
    """A Create, or an Update to a new name, meets a domain that is not its own."""
    if claims:
        belongs = f"belongs to {holder(claims)}"
    elif NATIVE_STACK_ID in tags:
        belongs = (
            f"belongs to {tags.get(_NATIVE_LOGICAL_ID, 'a resource')} of stack {tags[NATIVE_STACK_ID]} "
            "(AWS::CustomerProfiles::Domain), unless that stack has retained it"
        )
    else:
        belongs = "belongs to no stack"
    return Refuse(
        f"Domain {name} already exists and {belongs}. It was left alone. "
        "Choose another DomainName, or set AdoptExisting: true to take it over."
    )


def has_moved_on(name: str, claims: Claims) -> Refuse:
    """An Update meets a domain that another resource has taken over."""
    return Refuse(
        f"Domain {name} now belongs to {holder(claims)}. It was left alone. Give this resource another "
        "DomainName, or remove it from this stack: its Delete will leave the domain alone."
    )


def has_no_room(name: str, count: int, most: int) -> Refuse:
    """The domain can't have as many tags."""
    return Refuse(
        f"Domain {name} would have {count} tags, and the API allows {most}. Nothing was changed. "
        "Remove tags from the domain or from the template."
    )


def may_be_in_use(name: str, use: Use) -> Refuse:
    """What a failed event has made can't be removed, since the API does not tell whether it is in use by now."""
    return Refuse(
        f"Domain {name} was left behind by an event that failed, and it may be in use by now: it holds {use.words}. It "
        "was left alone. Make it possible to look into the domain and try again, or delete it yourself."
    )


def is_protected(event: Event, name: str, use: Use) -> Refuse:
    """A Delete meets a domain that is in use, which `use` tells, and that must not be deleted then."""
    return Refuse(
        f"Domain {name} is protected and in use: it holds {use.words}. It was left alone. To keep it, do nothing in a "
        f"clean-up or rollback, and retain {event.logical_id} if you delete the stack again. To delete it with all its "
        f"data, run aws customer-profiles delete-domain --domain-name {name}, then delete again."
    )


def lost_its_tags(event: Event, name: str) -> Refuse:
    """A Delete meets a domain without an owner."""
    return Refuse(
        f"Domain {name} has lost its ownership tags, or was created again. It was left alone. To have it "
        f"deleted by this resource, tag it {STACK_ID}={event.stack_id} and {LOGICAL_ID}={event.logical_id}, then "
        f"delete again. To keep it, retain {event.logical_id} if you delete the stack again."
    )


def holder(claims: Claims) -> str:
    """Who holds the domain, in words."""
    return f"{claims[0].logical_id or 'a resource'} of stack {claims[0].stack_id or 'unknown'}"
