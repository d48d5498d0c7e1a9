"""Timeliness: whether CloudFormation still wants what an event asks for.

CloudFormation does not wait for an event that it has given up on, and Lambda delivers an event at least once. When a
sibling resource fails, CloudFormation cancels a running Create and sends its Delete two seconds later, while the Create
still runs in another execution environment (aws-cdk issue 26139). And any event may be delivered again, minutes or
hours after CloudFormation has moved on.

An event knows its own age: the pre-signed ResponseURL has the time at which CloudFormation signed it, in whole seconds.
(Run locally it may have none. Its age is then not known, and nothing is asked.) An event that is answered within two
seconds is not late, so nothing is asked here. Otherwise CloudFormation is asked (DescribeStackResource: status,
physical id, and when that status began):

    before anything is done      for an event that is old when it starts: event.OLD seconds, or its ServiceTimeout
    before each change           of a domain that exists, at an age of event.CANCELLABLE seconds or its ServiceTimeout:
                                 a later event may have made, claimed or filled that domain. At any age before a domain
                                 is deleted that was there before its resource,
                                 unless its whole stack is being deleted
    while it is throttled        for a CreateDomain, now and then: a cancelled Create must not go on for minutes
    while it undoes something    if that takes long: a later event may go on with the domain
    before the answer            for a Create or an Update that has made, claimed or changed a domain, at that age

Why it suffices that a Create asks after it has made its domain, and why neither it nor its Delete waits for the other:
let M be the moment at which the domain exists, A the Create's question, C the cancellation, and L the look of the
Delete that follows, so that C is before L. If A is before C, then M is before L: the Delete sees the domain and
deletes it. If A is after C, the Create is told that it is no longer wanted, and removes what it made. The same holds
for an Update and the Update that rolls it back. (The alternative, a Delete that waits for as long as a
Create may run, would delay every rollback by minutes.)

    event    what CloudFormation lists                                     wanted
    Create   CREATE_IN_PROGRESS                                            yes
    Update   UPDATE_IN_PROGRESS with the event's physical id, or with
             its DomainName: which of the two is listed while a
             replacement is rolled back is not documented                  yes
    Delete   DELETE_IN_PROGRESS                                            yes
    Delete   no DELETE_... status, and another physical id: the clean-up
             after a replacement                                           yes
    Delete   that the stack has no such resource, after the event has
             begun in time: it is not documented whether a resource that
             is being removed is listed                                    yes
    any      a status that began after the event was sent: it belongs to
             a later event, such as the Update that rolls this one back    no
    any      anything else, also that the stack has no such resource       no

An event that is no longer wanted before its answer

    removes the domain that it made, unless CloudFormation lists that domain: another delivery of it was answered;
    gives back the domain that it took over, unless CloudFormation lists that domain, or a later event of the resource
    is running and the stack is not rolling back: that event continues with the domain;
    puts back a domain that it found again, unless CloudFormation lists that domain, or a later event is running;
    changes the settings of a domain back to OldResourceProperties if it is an Update with the same name that was
    throttled, no rollback sent it, and the stack is rolling back: the Update that rolls it back may have looked before.

It does nothing else. An event that is no longer wanted when it starts changes nothing; only a Create removes what an
earlier delivery of it made, if CloudFormation lists it as failed, or as deleted and never made. All of them answer
FAILED and say why. Where CloudFormation can't be asked (it denies or throttles the question, or does not know the
stack), the event goes on as if it were wanted, with a warning; where asking is switched off, without one.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from handler.event import CANCELLABLE, OLD, Event


@dataclass(frozen=True)
class Listed:
    """What CloudFormation lists for a resource: `since` is when the status began, in seconds since 1970."""

    status: str
    physical_id: str = ""
    since: float = 0.0
    resource_type: str = ""


@dataclass(frozen=True)
class Unwanted:
    """An event that CloudFormation no longer wants: what it lists instead, and that in words."""

    listed: Listed
    why: str


BETWEEN_CLOCKS = 3.0  # seconds
_LONGEST_RUN = 900.0  # seconds that Lambda lets any function run

NOT_LISTED = Listed("")  # the stack has no such resource


class Rollback(enum.Enum):
    """Whether the stack is rolling back, or the event is a Delete that undoes an operation that never succeeded."""

    YES = "yes"
    ENDS = "yes, and the stack does not exist after it"
    NO = "no"
    DELETION = "no, the whole stack is being deleted"
    UNKNOWN = "unknown"

    @property
    def is_undoing(self) -> bool:
        """Whether it is known to be so."""
        return self in (Rollback.YES, Rollback.ENDS)

    @property
    def is_forward(self) -> bool:
        """Whether it is known not to be so."""
        return self in (Rollback.NO, Rollback.DELETION)


def is_late_to_start(event: Event, now: float) -> bool:
    """Whether CloudFormation is to be asked before anything is done."""
    return event.sent_at is not None and event.age(now) >= min(OLD, event.service_timeout)


def is_late_to_change(event: Event, now: float) -> bool:
    """Whether CloudFormation is to be asked before a change and before the answer."""
    return event.sent_at is not None and event.age(now) >= min(CANCELLABLE, event.service_timeout)


def is_wanted(event: Event, listed: Listed, *, has_begun: bool = False) -> bool:
    """Tell from what CloudFormation lists whether it still wants the event carried out.

    `has_begun`: it was wanted, or too young to be asked about, when it started.
    """
    if _began_after(event, listed):
        return False
    match event.request_type:
        case "Create":
            return listed.status == "CREATE_IN_PROGRESS"
        case "Update":
            is_listed = listed.physical_id in (event.physical_id, event.domain_name)
            return listed.status == "UPDATE_IN_PROGRESS" and is_listed
        case _:
            is_clean_up = not listed.status.startswith("DELETE_") and listed.physical_id not in ("", event.physical_id)
            return listed.status == "DELETE_IN_PROGRESS" or is_clean_up or (has_begun and listed == NOT_LISTED)


def has_never_succeeded(event: Event, listed: Listed, name: str) -> bool:
    """Whether the event is a Create that CloudFormation lists as failed, or as deleted after it had failed.

    Only then can a domain that an earlier delivery of it made be a leftover. After a success CloudFormation lists the
    domain's name, also when the domain was retained, or it lists what the resource has become since: another domain,
    or the failure of a later Create. A physical id that CloudFormation made up, or none, does not say which Create
    failed: it was this one if the status began while the Create can have run.
    """
    if not event.is_create or not (listed.status == "CREATE_FAILED" or listed.status.startswith("DELETE_")):
        return False
    listed_id = listed.physical_id
    if listed_id.endswith(f":{event.request_id}"):
        return True
    is_made_up = not listed_id or event.is_made_up(listed_id, name)
    ran_until = (event.sent_at or 0) + min(_LONGEST_RUN, event.service_timeout) + BETWEEN_CLOCKS
    return is_made_up and listed.since <= ran_until


def was_never_created(event: Event, listed: Listed, name: str) -> bool:
    """Whether CloudFormation lists the event's resource as one whose Create came to nothing.

    Its physical id is then one that no domain has. A resource that is not listed may have been retained.
    """
    if not (listed.status == "CREATE_FAILED" or listed.status.startswith("DELETE_")):
        return False
    return not listed.physical_id or ":" in listed.physical_id or event.is_made_up(listed.physical_id, name)


def has_succeeded(listed: Listed, name: str) -> bool:
    """Whether another delivery of a Create or a rename has succeeded: CloudFormation lists its domain, undeleted."""
    is_deleted = listed.status.startswith("DELETE_") and listed.status != "DELETE_SKIPPED"
    return listed.physical_id == name and not is_deleted


def unwanted(event: Event, listed: Listed | None, *, has_begun: bool = False) -> Unwanted | None:
    """Why CloudFormation no longer wants the event; None if it does, or if it could not be asked."""
    if listed is None or is_wanted(event, listed, has_begun=has_begun):
        return None
    return Unwanted(listed, why_unwanted(event, listed))


def is_later_at_work(event: Event, listed: Listed) -> bool:
    """Whether a later Create or Update of the same resource is running: it goes on with what it finds.

    While a Delete runs, the Create that it cleans up after may still be listed. A later one began after the Delete.
    """
    is_at_work = listed.status in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS") and not is_wanted(event, listed)
    return is_at_work and (not event.is_delete or listed.since > (event.sent_at or 0))


def _began_after(event: Event, listed: Listed) -> bool:
    """Whether the status began after the event was sent, the time of which is known in whole seconds.

    Only the Update that rolls another one back follows within seconds. For the others some seconds between the clocks
    of two services are allowed for.
    """
    if event.sent_at is None:
        return False
    return listed.since >= event.sent_at + 1 + (0 if event.request_type == "Update" else BETWEEN_CLOCKS)


def why_unwanted(event: Event, listed: Listed) -> str:
    """Say in words what CloudFormation lists instead, as the beginning of a reason."""
    if listed == NOT_LISTED:
        lists = f"the stack has no resource {event.logical_id} now"
    else:
        lists = f"it lists {event.logical_id} as {listed.status} with the physical id {listed.physical_id or '(none)'}"
    return f"CloudFormation no longer asks for this {event.request_type}: {lists}"
