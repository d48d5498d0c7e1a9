"""The promises, as checks that hold whatever happens.

- `check_call`: was this event allowed to make this API call?
- `orphaned`, `unclaimed`: is there a domain that the function created or claimed, and that no stack knows?
- `Observations`: what happened so far, as far as the checks need it.

The checks are written from README.md ("What happens on each event") and use nothing of the handler's code. A wrong
decision in the handler is therefore not repeated here as a wrong expectation.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from local.customerprofiles.models import Domain
from tests.handler.faults import Call, is_in_use, live_domains
from tests.handler.stacks import Stack

STACK_ID, LOGICAL_ID, REQUEST_ID = (f"cloudformation:{tag}" for tag in ("stack-id", "logical-id", "request-id"))
NO_ID = "-"  # before a logical id that was given up
OWNERSHIP = {STACK_ID, LOGICAL_ID, REQUEST_ID}


class Claim(NamedTuple):
    """What the tags say about one resource's right to a domain."""

    stack_id: str
    logical_id: str
    request_id: str

    @property
    def resource(self) -> tuple[str, str]:
        return self.stack_id, self.logical_id

    @property
    def is_adopted(self) -> bool:
        return self.request_id == "adopted"


def claims(tags: Mapping[str, str]) -> list[Claim]:
    """The claims on a domain, the owner's first. The list ends with the first claim that is not `adopted`.

    Two neighbouring claims of one resource count as one, with the request id of the second. Numbers may be left out.
    """
    found: list[Claim] = []
    numbered = sorted({int(key.rpartition(".")[2]) for key in tags if _is_for_claims(key) and key not in OWNERSHIP})
    for index in (0, *numbered):
        suffix = f".{index}" if index else ""
        claim = Claim(*(tags.get(key + suffix, "") for key in (STACK_ID, LOGICAL_ID, REQUEST_ID)))
        if not claim.request_id and index < max(numbered, default=0):  # somebody removed it
            claim = claim._replace(request_id="adopted")
        if not all(claim.resource):
            break
        if found and found[-1].resource == claim.resource:
            found.pop()
        found.append(claim)
        if not claim.is_adopted:
            break
    return found


def resources(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """The resources that have a claim on a domain, the owner first."""
    return [claim.resource for claim in claims(tags)]


def resource_of(event: Mapping[str, Any]) -> tuple[str, str]:
    return event["StackId"], event["LogicalResourceId"]


def has_claim(tags: Mapping[str, str], event: Mapping[str, Any]) -> bool:
    return resource_of(event) in [claim.resource for claim in claims(tags)]


def is_own(tags: Mapping[str, str], stack_id: str, logical_id: str) -> bool:
    return [claim.resource for claim in claims(tags)][:1] == [(stack_id, logical_id)]


def check_call(
    event: Mapping[str, Any],
    call: Call,
    *,
    is_undone: bool = False,
    has_asked: bool = False,
    has_claimed_before: bool = False,
    never_created: Collection[tuple[str, str]] = (),
) -> None:
    """Check that an event was allowed to make a call that the API has just carried out.

    Args:
        event: The event.
        call: The call.
        is_undone: Whether the event's stack really is rolling back, or was never complete and is deleted.
        has_asked: Whether the function asked CloudFormation about that, and got an answer.
        has_claimed_before: Whether the event's resource had a claim on the domain earlier during this event. Another
            event may have removed it since.
        never_created: The resources whose Create did not succeed, by stack and logical id.
    """
    if not call.is_change:
        return
    if call.operation == "DeleteDomain":
        held = list(itertools.dropwhile(lambda claim: claim.resource in never_created, claims(call.tags_before)))
        owner = held[0].resource if held else None
        assert owner == resource_of(event), "deleted a domain that the resource does not own"
        _check_delete(event, call, held, is_undone=is_undone, has_asked=has_asked)
    elif call.operation == "CreateDomain":
        tags = live_domains()[call.name].tags
        assert event["RequestType"] != "Delete", "a Delete created a domain"
        assert call.name == event["ResourceProperties"]["DomainName"], "created a domain the template does not name"
        assert claims(tags) == [Claim(*resource_of(event), event["RequestId"])], "created a domain with wrong claims"
    elif call.operation == "UpdateDomain":
        assert event["RequestType"] != "Delete", "a Delete changed settings"
        assert call.name == event["ResourceProperties"]["DomainName"], "changed a domain the template does not name"
        is_claimed = has_claimed_before or is_own(call.tags_before, *resource_of(event))
        assert is_claimed, "changed the settings of a domain before it was claimed"
    else:
        _check_tags(event, call)


def _check_delete(
    event: Mapping[str, Any], call: Call, held: Sequence[Claim], *, is_undone: bool, has_asked: bool
) -> None:
    physical_id, properties = event.get("PhysicalResourceId", ""), event["ResourceProperties"]
    [mine, *others] = held
    is_unprotected = properties.get("DeletionProtection") == "false"
    # A failed Create took the domain over, and the lender has let go since. Then nobody else wants it, if it is empty.
    is_inherited = mine.request_id.startswith("inherited")
    if event["RequestType"] != "Delete":
        old = (event.get("OldResourceProperties") or {}).get("DomainName")
        is_leftover = call.name == old != physical_id == properties["DomainName"]
        is_this_events = is_inherited or mine.request_id == event["RequestId"]
        is_unwanted = call.name == properties["DomainName"] != physical_id and is_this_events
        assert is_leftover or is_unwanted, f"a {event['RequestType']} deleted a domain that it had not created"
        assert not mine.is_adopted, "deleted an adopted domain"
        assert not call.is_in_use_before, "deleted a domain in use"
    elif physical_id != call.name:
        assert not mine.is_adopted, "deleted an adopted domain"
        if ":" in physical_id:
            assert is_inherited or physical_id.endswith(":" + mine.request_id), "deleted another Create's domain"
            may_be_in_use = is_unprotected and not is_inherited  # that is what a lender has left to it
            assert not call.is_in_use_before or may_be_in_use, "deleted a failed Create's domain, which was in use"
        else:
            assert not call.is_in_use_before, "deleted a domain in use, for a physical id that CloudFormation generated"
    elif mine.is_adopted:
        assert not others, "deleted an adopted domain that has another owner"
        assert is_unprotected, "deleted an adopted domain without DeletionProtection: false in the template"
        assert has_asked, "deleted an adopted domain without asking CloudFormation"
        assert not is_undone, "deleted an adopted domain in a rollback"
    elif call.is_in_use_before:
        assert properties.get("DeletionProtection") != "true", "deleted a protected domain in use"
        if is_inherited or mine.request_id == "found":
            assert has_asked or is_unprotected, "deleted a domain that was found in use, without asking CloudFormation"
            assert not (has_asked and is_undone), "deleted a domain that was found in use, in a rollback"


def _check_tags(event: Mapping[str, Any], call: Call) -> None:
    domain = live_domains()[call.name]
    before, after = claims(call.tags_before), claims(domain.tags)
    mine = resource_of(event)
    claimants_before, claimants_after = resources(call.tags_before), resources(domain.tags)
    # A resource can have several claims: its domain was taken over by another resource, and it took it over again. It
    # may remove one claim at a time.
    without_one = [
        _merged(claimants_before[:place] + claimants_before[place + 1 :]) for place in _places(mine, claimants_before)
    ]
    without_any = _others(mine, claimants_before)
    # After a failed takeover an older claim that it ended, or gave up to its stack, is the resource's again.
    is_as_before = claimants_before[:1] == [mine] != claimants_after[:1] and _others(mine, claimants_after) in (
        without_any,
        _others((mine[0], NO_ID + mine[1]), without_any),
    )
    # A takeover gives an older claim as the maker up to the stack. An older loan ends, or is given up as well.
    older = [claim for claim in before if claim.resource != mine or not claim.is_adopted]
    given_up, all_given_up = (
        [(mine[0], NO_ID + mine[1]) if claim.resource == mine else claim.resource for claim in each]
        for each in (older, before)
    )
    # The rollback of a rename comes back to a domain that was lent within the stack only.
    in_front = claimants_before[: claimants_before.index(mine)] if mine in claimants_before else []
    has_come_back = (
        event["RequestType"] == "Update"
        and bool(in_front)
        and claimants_after == claimants_before[len(in_front) :]
        and all(stack_id == mine[0] for stack_id, _ in in_front)
    )
    properties = event["ResourceProperties"]
    changed = {key for key in {*call.tags_before, *domain.tags} if call.tags_before.get(key) != domain.tags.get(key)}
    template_keys = {key for key in changed if not _is_for_claims(key)}
    if event["RequestType"] == "Delete":
        assert not template_keys, "a Delete changed tags other than claims"
    if claimants_before == claimants_after:
        # After a failed takeover the tags of another owner's domain are restored.
        may_restore = properties.get("AdoptExisting") == "true" or event["RequestType"] == "Update"
        is_others = bool(claimants_before) and mine not in claimants_before
        assert not (is_others and template_keys) or may_restore, "changed tags of a domain that another resource owns"
    elif not claimants_before and any(map(_is_for_claims, call.tags_before)):
        # Somebody removed tags of the holder's. A Delete of a resource behind it lets go all the same.
        is_let_go = event["RequestType"] == "Delete" and NO_ID in claimants_after[0]
        assert is_let_go or claimants_after[:1] == [mine], "claimed a domain for another resource"
    elif has_come_back:
        assert after[-1].request_id in (before[-1].request_id, "found"), "changed how a domain was made"
    elif claimants_after[:1] == [mine] and claimants_after in (
        [mine, *claimants_before],
        [mine, *without_any],
        [mine, *_merged(given_up)],
        [mine, *_merged(all_given_up)],
    ):
        _check_takeover(event, call, claimants_before, properties)
    else:
        assert is_as_before or claimants_after in (*without_one, without_any), (
            f"{mine} changed other claims: {claimants_before} to {claimants_after}"
        )
        if claimants_before[:1] != [mine] and before[-1].resource == mine:
            is_within_stack = before[-2].stack_id == before[-1].stack_id or before[-1].is_adopted
            heirs = after[-1].request_id
            is_inherited = heirs == before[-1].request_id if is_within_stack else heirs.startswith("inherited")
            assert is_inherited, "the next claim did not inherit the creator's request id"


def have_same_owner(before: Sequence[Claim], now: Sequence[Claim]) -> bool:
    """Whether a domain has the owner and the lenders that it had before.

    Two resources of one stack may have changed places, and a resource may have given up its older claim to its stack.
    """
    if len({claim.logical_id for claim in before if claim.stack_id == before[0].stack_id}) > 1:
        return bool(now) and now[0].stack_id == before[0].stack_id
    return len(before) == len(now) and all(
        old.stack_id == new.stack_id and new.logical_id in (old.logical_id, NO_ID + old.logical_id)
        for old, new in zip(before, now, strict=True)
    )


def _places(mine: tuple[str, str], claimants: list[tuple[str, str]]) -> list[int]:
    return [place for place, claimant in enumerate(claimants) if claimant == mine]


def _others(mine: tuple[str, str], claimants: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return _merged([each for each in claimants if each != mine])


def _merged(claimants: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [claimant for claimant, _ in itertools.groupby(claimants)]


def _check_takeover(
    event: Mapping[str, Any], call: Call, resources: list[tuple[str, str]], properties: Mapping[str, Any]
) -> None:
    assert event["RequestType"] != "Delete", "a Delete claimed a domain"
    assert call.name == properties["DomainName"], "claimed a domain that the template does not name"
    if event.get("PhysicalResourceId") == call.name and not resources:
        return
    mine = resource_of(event)
    is_within_stack = mine in resources and all(
        stack_id == mine[0] for stack_id, _ in resources[: resources.index(mine)]
    )
    if event["RequestType"] == "Update" and is_within_stack:
        return
    assert event.get("PhysicalResourceId") != call.name, "an Update claimed a domain that another stack has taken over"
    assert properties.get("AdoptExisting") == "true", "took over a domain without AdoptExisting: true in the template"


def _is_for_claims(key: str) -> bool:
    plain, _, number = key.rpartition(".")
    return key in OWNERSHIP or (plain in OWNERSHIP and number.isdecimal())


class Observations:
    """What has happened so far, as far as the checks need it."""

    def __init__(self) -> None:
        self.created: list[Domain] = []  # domains that the function created
        self.preexisting: list[Domain] = []  # domains that people created, before any stack used them
        self.exempt_domains: list[Domain] = []  # no check: people changed them, or no code could be safe
        self.created_nothing: set[str] = set()  # physical ids of failed Creates that certainly created nothing

    def exempt(self, domains: Iterable[Domain]) -> None:
        for domain in domains:
            self.exempt_domains.append(domain)
            self.preexisting = [each for each in self.preexisting if each is not domain]

    def record(self, event: Mapping[str, Any], call: Call, *, is_exempt: bool) -> None:
        """Record a call that the API carried out.

        `is_exempt`: the API carried it out after the function's time was up and CloudFormation had cancelled the event.
        """
        if call.operation == "CreateDomain":
            self.created.append(live_domains()[call.name])
        if is_exempt and call.is_change:
            self.exempt(domain for domain in (live_domains().get(call.name),) if domain is not None)
        if _is_left_with_its_data(event, call):
            self.exempt([live_domains()[call.name]])
        properties = event["ResourceProperties"]
        # A resource whose domain was deleted by hand, and created again, claims it as its own.
        is_claimed = call.operation == "TagResource" and event.get("PhysicalResourceId") == call.name
        may_be_deleted = call.operation == "DeleteDomain" and properties.get("DeletionProtection") == "false"
        if may_be_deleted or (is_claimed and properties.get("AdoptExisting") != "true"):
            # `check_call` checks whether it was allowed.
            self.preexisting = [each for each in self.preexisting if each is not call.domain]

    def record_clean_up(self, event: Mapping[str, Any]) -> None:
        """Record that the Delete after a failed Create, or the Update that rolls a rename back, has ended.

        If another resource has taken the domain over by then, a claim of the failed one can stay: nobody can tell
        whether it is that event's, or that of a domain that was retained (docs/limits.md). The same if its lender has
        gone by then: what was there before the operation stays.
        """
        properties = event["OldResourceProperties" if event["RequestType"] == "Update" else "ResourceProperties"]
        name = properties.get("DomainName")
        domain = live_domains().get(name)
        is_for_another = event.get("PhysicalResourceId") != name
        if domain is None or not is_for_another:
            return
        mine = [claim for claim in claims(domain.tags) if claim.resource == resource_of(event)]
        if mine and (mine[0].request_id == "found" or resource_of(event) in resources(domain.tags)[1:]):
            self.exempt([domain])


def _is_left_with_its_data(event: Mapping[str, Any], call: Call) -> bool:
    """Whether a Delete has removed the only claim, that of a takeover whose lender has gone, from a domain in use.

    A rollback after which its stack does not exist leaves such a domain to nobody, so a second attempt can adopt it.
    """
    if event["RequestType"] != "Delete" or call.operation != "UntagResource" or not call.is_in_use_before:
        return False
    before = claims(call.tags_before)
    return (
        len(before) == 1 and before[0].request_id.startswith("inherited") and not claims(live_domains()[call.name].tags)
    )


def orphaned(stacks: Iterable[Stack]) -> Iterator[tuple[Domain, Claim]]:
    """Domains with a claim of a resource that no longer has them.

    A stack's user still knows a domain if the last event about it failed: that event will be sent again.
    """
    known = {stack.arn: stack for stack in stacks}
    for domain in list(live_domains().values()):
        for claim in claims(domain.tags):
            stack = known.get(claim.stack_id)
            if stack is not None and not stack.knows(claim.logical_id, domain.name):
                yield domain, claim


def unclaimed(observations: Observations) -> Iterator[Domain]:
    """The domains that the function created and on which no resource has a claim."""
    return (domain for domain in observations.created if domain in live_domains().values() and not claims(domain.tags))


def is_kept_because_in_use(domain: Domain, claim: Claim) -> bool:
    """Whether it was right not to delete it: it is in use, and the claim is the creator's. It may be lent since."""
    return is_in_use(domain) and not claim.is_adopted and claims(domain.tags)[-1] == claim
