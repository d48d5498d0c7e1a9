"""What must hold, whatever happens: a judge of the calls that the API carries out.

Written from the promises alone (README.md, "What happens on each event"), knowing nothing of how the handler decides,
so that a wrong decision there isn't a wrong expectation here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from local.customerprofiles.models import Domain
from tests.handler.faults import Call, is_in_use, live_domains
from tests.handler.stacks import Stack

STACK_ID, LOGICAL_ID, REQUEST_ID = (f"cloudformation:{tag}" for tag in ("stack-id", "logical-id", "request-id"))
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
    def is_loan(self) -> bool:
        return self.request_id == "adopted"


def claims(tags: Mapping[str, str]) -> list[Claim]:
    """The claims on a domain, the holder's first: the last one is the first that is no loan.

    Two claims of one resource next to each other are one, and what the lower one says counts.
    """
    found: list[Claim] = []
    for index in itertools.count():
        suffix = f".{index}" if index else ""
        claim = Claim(*(tags.get(key + suffix, "") for key in (STACK_ID, LOGICAL_ID, REQUEST_ID)))
        if not all(claim.resource):
            break
        if found and found[-1].resource == claim.resource:
            found.pop()
        found.append(claim)
        if not claim.is_loan:
            break
    return found


def resources(tags: Mapping[str, str]) -> list[tuple[str, str]]:
    """Who has claims on a domain, the holder first."""
    return [claim.resource for claim in claims(tags)]


def resource_of(event: Mapping[str, Any]) -> tuple[str, str]:
    return event["StackId"], event["LogicalResourceId"]


def has_claim(tags: Mapping[str, str], event: Mapping[str, Any]) -> bool:
    return resource_of(event) in [claim.resource for claim in claims(tags)]


def is_own(tags: Mapping[str, str], stack_id: str, logical_id: str) -> bool:
    return [claim.resource for claim in claims(tags)][:1] == [(stack_id, logical_id)]


def judge(
    event: Mapping[str, Any],
    call: Call,
    *,
    is_rolling_back: bool = False,
    was_told: bool = False,
    had_claimed: bool = False,
) -> None:
    """Judge one call that the API has just carried out for an event, as an auditor would who knows that event.

    `is_rolling_back` is the truth about the event's stack, `was_told` whether CloudFormation told the function,
    `had_claimed` whether the event had a claim on the domain before: another event may have taken it away since.
    """
    if not call.is_change:
        return
    if call.operation == "DeleteDomain":
        assert is_own(call.tags_before, *resource_of(event)), "a domain was deleted that isn't the event's own"
        _judge_delete(event, call, is_rolling_back=is_rolling_back, was_told=was_told)
    elif call.operation == "CreateDomain":
        tags = live_domains()[call.name].tags
        assert event["RequestType"] != "Delete", "a Delete made a domain"
        assert call.name == event["ResourceProperties"]["DomainName"], "a domain was made that nobody named"
        assert claims(tags) == [Claim(*resource_of(event), event["RequestId"])], "a domain was made for somebody else"
    elif call.operation == "UpdateDomain":
        assert event["RequestType"] != "Delete", "a Delete changed settings"
        assert call.name == event["ResourceProperties"]["DomainName"], "a domain was changed that nobody named"
        is_claimed = had_claimed or is_own(call.tags_before, *resource_of(event))
        assert is_claimed, "settings were changed before the domain was claimed"
    else:
        _judge_tags(event, call)


def _judge_delete(event: Mapping[str, Any], call: Call, *, is_rolling_back: bool, was_told: bool) -> None:
    physical_id, asked = event.get("PhysicalResourceId", ""), event["ResourceProperties"]
    [mine, *others] = claims(call.tags_before)
    is_unprotected = asked.get("DeletionProtection") == "false"
    if event["RequestType"] != "Delete":
        old = (event.get("OldResourceProperties") or {}).get("DomainName")
        is_leftover = call.name == old != physical_id == asked["DomainName"]
        is_unwanted = call.name == asked["DomainName"] != physical_id and mine.request_id == event["RequestId"]
        assert is_leftover or is_unwanted, f"a {event['RequestType']} deleted more than it had made"
        assert not mine.is_loan, "a domain was deleted that had been taken over"
        assert not call.is_in_use_before, "a domain was deleted that was in use"
    elif physical_id != call.name:
        assert not mine.is_loan, "a domain was deleted that had been taken over"
        if ":" in physical_id:
            assert physical_id.endswith(":" + mine.request_id), "deleted for another Create's failure"
            assert not call.is_in_use_before or is_unprotected, "a failed Create's domain was deleted while in use"
        else:
            assert not call.is_in_use_before, "a domain in use was deleted for an id that CloudFormation made up"
    elif mine.is_loan:
        assert not others, "a domain was deleted that is on loan"
        assert is_unprotected, "a domain that had been taken over was deleted, and no template said so"
        assert was_told, "a domain that had been taken over was deleted without asking CloudFormation"
        assert not is_rolling_back, "a domain that was there before was deleted in a rollback"
    elif call.is_in_use_before:
        assert asked.get("DeletionProtection") != "true", "a protected domain was deleted while in use"
        if mine.request_id == "found":
            assert was_told or is_unprotected, "a domain that was found in use was deleted without asking"
            assert not (was_told and is_rolling_back), "a domain that was found in use was deleted in a rollback"


def _judge_tags(event: Mapping[str, Any], call: Call) -> None:
    domain = live_domains()[call.name]
    before, after = claims(call.tags_before), claims(domain.tags)
    mine = resource_of(event)
    holders, left = resources(call.tags_before), resources(domain.tags)
    # A resource may have lent a domain and borrowed it back: each time it lets go of one of its claims.
    without_one = [_merged(holders[:place] + holders[place + 1 :]) for place in _places(mine, holders)]
    without_any = _merged([each for each in holders if each != mine])
    asked = event["ResourceProperties"]
    changed = {key for key in {*call.tags_before, *domain.tags} if call.tags_before.get(key) != domain.tags.get(key)}
    template_keys = {key for key in changed if not _is_for_claims(key)}
    if event["RequestType"] == "Delete":
        assert not template_keys, "a Delete changed tags that are none of its business"
    if holders == left:
        # What is put back after a takeover that failed is put back on somebody else's domain.
        may_put_back = asked.get("AdoptExisting") == "true" or event["RequestType"] == "Update"
        is_others = bool(holders) and mine not in holders
        assert not (is_others and template_keys) or may_put_back, "tags of a domain were changed that is another's"
    elif not holders and any(map(_is_for_claims, call.tags_before)):
        assert left[:1] == [mine], "a domain whose holder's tags were removed by hand got a wrong holder"
    elif left[:1] == [mine] and left in ([mine, *holders], [mine, *without_any]):
        _judge_takeover(event, call, holders, asked)
    else:
        assert left in (*without_one, without_any), f"claims of others were changed: {mine} made {left} of {holders}"
        if holders[:1] != [mine] and before[-1].resource == mine:
            assert after[-1].request_id == before[-1].request_id, "who let go did not leave the domain to its holder"


def _places(mine: tuple[str, str], holders: list[tuple[str, str]]) -> list[int]:
    return [place for place, holder in enumerate(holders) if holder == mine]


def _merged(holders: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [holder for holder, _ in itertools.groupby(holders)]


def _judge_takeover(
    event: Mapping[str, Any], call: Call, resources: list[tuple[str, str]], asked: Mapping[str, Any]
) -> None:
    assert event["RequestType"] != "Delete", "a Delete claimed a domain"
    assert call.name == asked["DomainName"], "a domain was claimed that the template doesn't name"
    if event.get("PhysicalResourceId") == call.name and not resources:
        return
    mine = resource_of(event)
    is_within_stack = mine in resources and all(
        stack_id == mine[0] for stack_id, _ in resources[: resources.index(mine)]
    )
    if event["RequestType"] == "Update" and is_within_stack:
        return
    assert event.get("PhysicalResourceId") != call.name, "an Update changed what another stack has taken over"
    assert asked.get("AdoptExisting") == "true", "a domain was claimed that nobody asked to adopt"


def _is_for_claims(key: str) -> bool:
    plain, _, number = key.rpartition(".")
    return key in OWNERSHIP or (plain in OWNERSHIP and number.isdecimal())


class Ledger:
    """What a careful observer keeps of all that has happened."""

    def __init__(self) -> None:
        self.made: list[Domain] = []  # by the function
        self.prior: list[Domain] = []  # by people, before any stack had to do with it
        self.excused: list[Domain] = []  # what nobody could have known better, or people have meddled with
        self.kept: set[tuple[str, tuple[str, str]]] = set()  # (domain name, resource): retained, or in use
        self.made_nothing: set[str] = set()  # physical ids of failed Creates

    def excuse(self, domains: Iterable[Domain]) -> None:
        for domain in domains:
            self.excused.append(domain)
            self.prior = [prior for prior in self.prior if prior is not domain]

    def note(self, event: Mapping[str, Any], call: Call, *, excused: bool) -> None:
        """Note a call that was carried out; `excused`: on its way when the function's time was up, in vain."""
        if call.operation == "CreateDomain":
            self.made.append(live_domains()[call.name])
        if excused and call.is_change:
            self.excuse(domain for domain in (live_domains().get(call.name),) if domain is not None)
        if call.operation == "DeleteDomain" and event["ResourceProperties"].get("DeletionProtection") == "false":
            # Whether it was allowed the judge of the call has said.
            self.prior = [prior for prior in self.prior if prior is not call.domain]


def left_behind(stacks: Iterable[Stack]) -> Iterator[tuple[Domain, Claim]]:
    """The domains on which a resource has a claim that neither its stack nor the stack's user knows of any more."""
    known = {stack.arn: stack for stack in stacks}
    for domain in list(live_domains().values()):
        for claim in claims(domain.tags):
            stack = known.get(claim.stack_id)
            if stack is not None and not stack.knows(claim.logical_id, domain.name):
                yield domain, claim


def nobodys(ledger: Ledger) -> Iterator[Domain]:
    """The domains that the function made and that nobody has a claim on."""
    return (domain for domain in ledger.made if domain in live_domains().values() and not claims(domain.tags))


def is_kept_for_its_use(domain: Domain, claim: Claim) -> bool:
    """Whether it was right to leave it: it is in use, and nobody but this resource has to do with it."""
    return is_in_use(domain) and not claim.is_loan and claims(domain.tags) == [claim]
