"""Refusals: the reasons for refusing an event. Each says what is wrong, what was done, and how to go on.

A stack event shows them, often in a rollback or a clean-up after an update, so none gives advice that fits only the
deletion of a stack.
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.claims import (
    ADOPTED,
    FOUND,
    LOGICAL_ID,
    NATIVE_LOGICAL_ID,
    NATIVE_STACK_ID,
    NATIVE_TYPE,
    NO_ID,
    REQUEST_ID,
    STACK_ID,
    Claims,
    read_claims,
)
from handler.event import Event
from handler.plans import Refuse, Use


def belongs(claims: Claims, tags: Mapping[str, str]) -> str:
    """Whom a domain belongs to, in words."""
    if claims:
        return f"belongs to {holder(claims)}"
    if NATIVE_STACK_ID in tags:
        return f"belongs to {_native(tags)}, unless that stack has retained it"
    if behind := read_claims(tags, first=1):
        return f"is on loan from {holder(behind)}, to one whose tags were removed"
    return "belongs to no stack"


def already_exists(name: str, claims: Claims, tags: Mapping[str, str]) -> Refuse:
    """A Create, or an Update to a new name, meets a domain that is not its own."""
    return Refuse(
        f"Domain {name} already exists and {belongs(claims, tags)}. It was left alone. "
        "Choose another DomainName, or set AdoptExisting: true to take it over."
    )


def has_moved_on(event: Event, name: str, claims: Claims, *, may_be_rolled_back: bool) -> Refuse:
    """An Update meets a domain that another resource has taken over."""
    in_a_rollback = (
        f" In a rollback, go on with continue-update-rollback --resources-to-skip {event.logical_id}: CloudFormation "
        "could not be asked about that (cloudformation:DescribeStacks)."
    )
    return Refuse(
        f"Domain {name} now belongs to {holder(claims)}. It was left alone. Give this resource another "
        "DomainName, or remove it from this stack: its Delete will leave the domain alone."
        f"{in_a_rollback if may_be_rolled_back else ''}"
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


def may_be_rolled_back(event: Event, name: str, use: Use) -> Refuse:
    """A Delete meets a domain in use that may have been there before an operation that is rolled back."""
    return Refuse(
        f"Domain {name} is in use: it holds {use.words}. It was there before its last Create or Update, and "
        "CloudFormation could not be asked whether that is rolled back (cloudformation:DescribeStacks, "
        "DescribeStackEvents). It was left alone. To delete it with all its data, set DeletionProtection: false, or "
        "run aws customer-profiles "
        f"delete-domain --domain-name {name}, then delete again. To keep it, retain {event.logical_id}."
    )


def lost_its_tags(event: Event, name: str, tags: Mapping[str, str], claims: Claims, *, is_unprotected: bool) -> Refuse:
    """A Delete meets a domain without an owner.

    `claims`: those that the next Delete would go by, if the resource had the domain on loan. `is_unprotected`: the
    template says DeletionProtection: false.
    """
    behind, native = read_claims(tags, first=1), NATIVE_STACK_ID in tags
    is_loan = claims[0].is_adopted and (bool(behind) or native or tags.get(REQUEST_ID) == ADOPTED)
    if any(claim.is_of(event) or claim.was_given_up_by(event) for claim in behind[:1]):
        belongs = " This resource had lent it: if another one still has it, update that one first."
    elif behind:
        belongs = f" It was lent by {holder(behind)}."
    else:
        belongs = f" It has the tags of {_native(tags)}." if native else ""
    way_on = "given back" if is_loan and (len(claims) > 1 or not is_unprotected) else "deleted"
    request_id = ADOPTED if is_loan else FOUND
    wanted = {STACK_ID: event.stack_id, LOGICAL_ID: event.logical_id, REQUEST_ID: request_id}
    tagged = ", ".join(f"{key}={value}" for key, value in wanted.items())
    return Refuse(
        f"Domain {name} has lost its ownership tags, was created again, or was given back by an earlier delivery of "
        f"this Delete.{belongs} It was left alone. To have it {way_on} by this resource, tag it {tagged}, then delete "
        f"again. To keep it as it is, retain {event.logical_id} if you delete the stack again."
    )


def _native(tags: Mapping[str, str]) -> str:
    logical_id = tags.get(NATIVE_LOGICAL_ID, "a resource")
    return f"{logical_id} of stack {tags[NATIVE_STACK_ID]} ({NATIVE_TYPE})"


def holder(claims: Claims) -> str:
    """Who holds the domain, in words."""
    logical_id, stack_id = claims[0].logical_id, claims[0].stack_id
    return (
        f"{logical_id.removeprefix(NO_ID) or 'a resource'} "
        f"of stack {'unknown' if stack_id in ('', NO_ID) else stack_id}"
    )
