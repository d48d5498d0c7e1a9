"""Several updates of one stack, as its user sends them: what one of them has left counts in the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from handler import cloudformation as asking
from handler.claims import read_claims
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, STACK, Answer, Function, Mailbox
from tests.handler.describe_api import DescribeApi
from tests.handler.environments import Environments
from tests.handler.faults import REGION, Clock, Wire, client, live_domains
from tests.handler.situations import ADOPTING, LEAST, OTHER
from tests.handler.stacks import Declared, Stack

MISTYPED = {**LEAST, "DefaultExpirationDays": "ninety"}
TAKEN, THIRD = {**LEAST, "DomainName": "taken"}, {**LEAST, "DomainName": "third"}
ELSE = Declared({**LEAST, "DomainName": "else"})

Deploy = Callable[..., bool]


@pytest.fixture
def stack(wire: Wire, clock: Clock, mailbox: Mailbox) -> Iterator[Stack]:
    """A stack that CloudFormation deploys, with a domain `taken` beside it that is nobody's."""
    environments = Environments(client(), clock)

    def send(event: dict[str, Any]) -> Answer:
        clock.now += 1
        environment = environments.take()
        sent = {**event, "ResponseURL": mailbox.url(sent_at=clock.time())}
        try:
            return Function(clock, mailbox, environment).invoke(sent).answer
        finally:
            environments.give_back(environment)

    stack = Stack(STACK, send, now=clock.time)
    api = DescribeApi(lambda: {STACK: stack}, clock)
    asking.client.cache_clear()
    api.attach(asking.client())
    live_domains()["taken"] = Domain("taken", {"DefaultExpirationDays": 7}, {}, ACCOUNT, REGION)
    yield stack
    asking.client.cache_clear()


@pytest.fixture
def deploy(stack: Stack, clock: Clock) -> Deploy:
    """Deploy a template, some time after the one before. Returns whether that succeeded."""

    def deploy(*, sibling_fails: bool = False, **template: Declared) -> bool:
        clock.now += 600
        return stack.deploy(template, sibling_fails=sibling_fails)

    return deploy


def holders() -> list[str]:
    return [claim.logical_id for claim in read_claims(live_domains()["customers"].tags)]


each_failure = pytest.mark.parametrize(
    "fails", [MISTYPED, TAKEN, THIRD], ids=["a mistake", "a refused name", "a sibling fails"]
)


@each_failure
def test_a_sibling_that_had_the_domain_before_an_update_keeps_it_over_the_rollback(
    fails: dict[str, Any], deploy: Deploy
) -> None:
    """A logical id is renamed in two updates: first both have the domain. An update of the old one fails in between."""
    old, new = Declared(LEAST), Declared(ADOPTING)
    assert deploy(Old=old)
    domain = live_domains()["customers"]
    domain.profile_count = 1000
    assert deploy(Old=old, New=new)
    assert not deploy(sibling_fails=True, Old=Declared(fails), New=new)
    assert deploy(New=new)
    assert live_domains()["customers"] is domain
    assert holders() == ["New"]


@pytest.mark.parametrize("wrong", [MISTYPED, TAKEN], ids=["a mistake", "a refused name"])
@pytest.mark.parametrize("is_deleted", [True, False])
def test_what_a_borrower_has_retained_stays_though_it_was_added_again_without_success(
    is_deleted: bool, wrong: dict[str, Any], stack: Stack, deploy: Deploy
) -> None:
    old = Declared(LEAST)
    assert deploy(Old=old)
    assert deploy(Old=old, New=Declared(ADOPTING, retained=True))
    assert deploy(Old=old)
    assert not deploy(Old=old, New=Declared(wrong))
    assert stack.delete() if is_deleted else deploy(Else=ELSE)
    assert holders() == ["New"]


@pytest.mark.parametrize("added_again", [True, False])
@each_failure
def test_what_a_borrower_has_retained_stays_though_its_lender_comes_back_in_a_rollback(
    fails: dict[str, Any], added_again: bool, deploy: Deploy
) -> None:
    """The borrower has another domain by then, and changes in the update that is rolled back."""
    maker, other = Declared(LEAST), Declared(OTHER, retained=True)
    assert deploy(Maker=maker)
    assert deploy(Maker=maker, Borrower=Declared(ADOPTING, retained=True))
    before = {} if added_again else {"Borrower": other}
    assert deploy(Maker=maker, **before)
    changed = Declared({**OTHER, "DefaultExpirationDays": 60}, retained=True)
    assert not deploy(sibling_fails=True, Borrower=changed, Maker=Declared(fails))
    assert holders() == ["Borrower", "Maker"]
    assert deploy(Else=ELSE, **before)
    assert holders() == ["Borrower"]


def test_a_rollback_changes_nothing_in_a_domain_that_a_sibling_had_before_also_without_room_for_more_tags(
    deploy: Deploy,
) -> None:
    tags = {f"mine-{number}": "x" for number in range(44)}
    old, new = Declared({**LEAST, "Tags": tags}), Declared({**ADOPTING, "Tags": tags})
    assert deploy(Old=old)
    assert deploy(Old=old, New=new)
    assert not deploy(Old=Declared({**MISTYPED, "Tags": tags}), New=new)
    assert holders() == ["New", "Old"]


def test_a_retained_loan_ends_if_its_resource_is_added_again_and_removed_later(stack: Stack, deploy: Deploy) -> None:
    live_domains()["customers"] = Domain("customers", {"DefaultExpirationDays": 7}, {}, ACCOUNT, REGION)
    borrower = Declared(ADOPTING)
    assert deploy(First=Declared(ADOPTING, retained=True), Else=ELSE)
    assert deploy(Else=ELSE)
    assert deploy(Second=borrower, Else=ELSE)
    assert deploy(Second=borrower, First=borrower, Else=ELSE)
    assert deploy(Second=borrower, Else=ELSE)
    assert stack.delete()
    assert not live_domains()["customers"].tags


def test_a_rollback_keeps_what_a_logical_id_had_retained_before_it_came_back(deploy: Deploy) -> None:
    assert deploy(Old=Declared(LEAST, retained=True), Else=ELSE)
    assert deploy(New=Declared(ADOPTING), Else=ELSE)
    assert not deploy(sibling_fails=True, Old=Declared(ADOPTING), Else=ELSE)
    assert holders() == ["New", "-Old"]
    assert deploy(Else=ELSE)
    assert holders() == ["-Old"]


@pytest.mark.parametrize("is_swap", [True, False])
def test_a_domain_can_be_handed_over_and_retained_as_often_as_one_likes(is_swap: bool, deploy: Deploy) -> None:
    """Two logical ids take turns, or two resources swap their domains."""
    first, second = Declared(ADOPTING, retained=True), Declared({**OTHER, "AdoptExisting": True}, retained=True)
    for number in range(20):
        mine, theirs = (first, second) if number % 2 else (second, first)
        template = {"Blue": mine, "Green": theirs} if is_swap else {"Blue" if number % 2 else "Green": first}
        assert deploy(**template)
