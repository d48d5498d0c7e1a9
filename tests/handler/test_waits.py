"""Waiting for a domain that may still appear: it is found if it is late, and the wait never makes an event fail."""

from __future__ import annotations

from typing import Any

import pytest

from handler.claims import LOGICAL_ID, REQUEST_ID, STACK_ID
from handler.event import Aftermath, failed_create_id
from local.customerprofiles.models import Domain
from tests.handler import faults
from tests.handler.cloudformation import ACCOUNT, STACK, Function, Mailbox, event
from tests.handler.faults import REGION, Clock, Fault, Wire, live_domains

LEAST = {"DomainName": "customers", "DefaultExpirationDays": 30}
RENAMED = {"DomainName": "clients", "DefaultExpirationDays": 30}
FOREIGN = {STACK_ID: "another", LOGICAL_ID: "Domain", REQUEST_ID: "theirs"}
NOT_FOUND = next(f for f in faults.faults_of_the_api(faults.service_model()) if f.name == "ResourceNotFoundException")


def own(name: str, request_id: str = "earlier") -> Domain:
    tags = {STACK_ID: STACK, LOGICAL_ID: "Domain", REQUEST_ID: request_id}
    live_domains()[name] = Domain(name, {"DefaultExpirationDays": 30}, tags, ACCOUNT, REGION)
    return live_domains()[name]


@pytest.mark.parametrize("looks", [1, 3])
def test_a_create_whose_name_is_in_use_but_not_yet_readable_reads_again(
    looks: int, function: Function, mailbox: Mailbox, wire: Wire
) -> None:
    own("customers").tags = dict(FOREIGN)

    def not_seen_yet(attempt: int, operation: str) -> Fault | None:
        return NOT_FOUND if operation == "GetDomain" and wire.attempts.count("GetDomain") <= looks else None

    wire.begin(not_seen_yet)
    answer = function.invoke(event("Create", LEAST, response_url=mailbox.url())).answer
    assert wire.attempts.count("GetDomain") == looks + 1
    assert "already exists and belongs to Domain of stack another" in answer["Reason"]


def test_a_create_whose_name_is_in_use_but_never_readable_fails_after_some_seconds(
    function: Function, mailbox: Mailbox, wire: Wire, clock: Clock
) -> None:
    own("customers")
    wire.begin(faults.lasting_for(NOT_FOUND, "GetDomain"))
    began = clock.now
    answer = function.invoke(event("Create", LEAST, response_url=mailbox.url())).answer
    assert answer["Status"] == "FAILED"
    assert "already exists" in answer["Reason"]
    assert clock.now - began < 30


@pytest.mark.parametrize("seconds", [5, 10, 60])
def test_the_rollback_of_a_rename_that_left_nothing_is_answered_in_time(
    seconds: int, function: Function, mailbox: Mailbox, clock: Clock
) -> None:
    own("customers")
    timeout: dict[str, Any] = {"ServiceTimeout": seconds}
    began = clock.now
    sent = event("Update", LEAST | timeout, RENAMED | timeout, physical_id="customers", response_url=mailbox.url())
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    assert clock.now - began < seconds


@pytest.mark.parametrize("seconds", [5, 10, 60])
def test_the_delete_after_an_unsettled_create_that_left_nothing_is_answered_in_time(
    seconds: int, function: Function, mailbox: Mailbox, clock: Clock
) -> None:
    began = clock.now
    physical_id = failed_create_id("the-request", Aftermath.UNSETTLED)
    sent = event("Delete", LEAST | {"ServiceTimeout": seconds}, physical_id=physical_id, response_url=mailbox.url())
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    assert clock.now - began < seconds


def test_the_delete_after_an_unsettled_create_deletes_a_domain_that_appears_late(
    function: Function, mailbox: Mailbox, clock: Clock
) -> None:
    def comes_through() -> None:
        if len(clock.pauses) == 1:
            own("customers", "the-request")

    clock.on_sleep.append(comes_through)
    physical_id = failed_create_id("the-request", Aftermath.UNSETTLED)
    sent = event("Delete", LEAST, physical_id=physical_id, response_url=mailbox.url())
    assert function.invoke(sent).answer["Status"] == "SUCCESS"
    assert live_domains() == {}


@pytest.mark.parametrize("properties", [{"DomainName": "customers"}, {**LEAST, "Maching": "true"}])
def test_the_delete_after_a_create_that_created_nothing_makes_no_call(
    properties: dict[str, Any], function: Function, mailbox: Mailbox, wire: Wire, clock: Clock
) -> None:
    now = mailbox.url(sent_at=clock.time())
    created = function.invoke(event("Create", properties, response_url=now)).answer
    assert created["Status"] == "FAILED"
    wire.begin(faults.lasting(faults.REFUSED, 0))
    deleted = event("Delete", properties, physical_id=created["PhysicalResourceId"], response_url=mailbox.url())
    assert function.invoke(deleted).answer["Status"] == "SUCCESS"
    assert wire.attempts == []
