"""What the tests of single events start from, and what happens while such an event is throttled or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from handler.claims import STACK_ID, Claim, read_claims, tags_of
from local.customerprofiles.models import Domain
from tests.handler.cloudformation import ACCOUNT, STACK, stack_arn
from tests.handler.faults import (
    REGION,
    Acts,
    Call,
    Clock,
    Fault,
    Wire,
    faults_of_the_api,
    faults_of_the_wire,
    live_domains,
    service_model,
)

LEAST = {"DomainName": "customers", "DefaultExpirationDays": 30}
CHANGED = {**LEAST, "DefaultExpirationDays": 90}
CORRECTED = {**LEAST, "DefaultExpirationDays": 60}
OTHER = {**LEAST, "DomainName": "other"}
ADOPTING = {**LEAST, "AdoptExisting": True}
UNPROTECTED = {**ADOPTING, "DeletionProtection": False}
THEIR_STACK = stack_arn("elsewhere")
QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"

_REFUSALS = {fault.name: fault for fault in faults_of_the_api(service_model()) if fault.acts is Acts.NEVER}
THROTTLED = _REFUSALS["ThrottlingException"]
DENIED = _REFUSALS["AccessDeniedException"]
ABSENT = _REFUSALS["ResourceNotFoundException"]
FAILING = _REFUSALS["InternalServerException"]
NOT_GRANTED = _REFUSALS["BadRequestException"]  # as for a queue whose policy has not spread yet
_TIMEOUTS = {fault.acts: fault for fault in faults_of_the_wire() if fault.name == "read timeout"}
RESPONSE_LOST = _TIMEOUTS[Acts.FIRST]
REQUEST_LOST = _TIMEOUTS[Acts.NEVER]


def claims(*held: tuple[str, str]) -> dict[str, str]:
    """The tags of these claims, the holder's first. Each is the stack of a resource `Domain`, and its request-id."""
    return tags_of(tuple(Claim(stack_id, "Domain", request_id) for stack_id, request_id in held))


THEIRS = claims((THEIR_STACK, "their-request"))
MADE = claims((STACK, "an-earlier-create"))  # by the resource of the tests, in an earlier event


def existing_domain(tags: dict[str, str], *, days: int = 30) -> Domain:
    """The domain `customers`, which exists before the test's events."""
    domain = Domain("customers", {"DefaultExpirationDays": days}, dict(tags), ACCOUNT, REGION)
    live_domains()["customers"] = domain
    return domain


def days() -> int:
    """The setting of the domain `customers` that the tests change."""
    expiration: int = live_domains()["customers"].configuration["DefaultExpirationDays"]
    return expiration


def claimants(domain: Domain) -> list[tuple[str, str]]:
    """Who has claims to a domain: the stack and the request-id of each, without the time of an inheritance."""
    return [(claim.stack_id, claim.request_id.partition(":")[0]) for claim in read_claims(domain.tags)]


def holder() -> str | None:
    """The stack whose resource holds the domain `customers`."""
    return live_domains()["customers"].tags.get(STACK_ID)


@contextmanager
def overtaken(
    wire: Wire,
    clock: Clock,
    operation: str,
    meanwhile: Callable[[], None],
    *,
    fault: Fault = THROTTLED,
    after: float = 30,
    before: str = "GetDomain",
    lasts: float | None = None,
) -> Iterator[None]:
    """In this block the fault hits each attempt at the operation, and meanwhile something happens, once.

    That happens after so many seconds, before the next attempt at the operation `before`, and is not hit itself. Then
    the fault is over. With `lasts` it goes on until it has hit an attempt after so many seconds.
    """
    start, has_happened, is_over = clock.now, False, False

    def trouble(attempt: int, attempted: str) -> Fault | None:
        nonlocal has_happened, is_over
        if not has_happened and attempted == before and clock.now >= start + after:
            has_happened = is_over = True
            meanwhile()
            is_over = lasts is None
        if is_over or attempted != operation:
            return None
        is_over = has_happened and lasts is not None and clock.now >= start + lasts
        return fault

    wire.begin(trouble)
    yield
    assert has_happened, "the event ended too early"
    wire.begin()


@contextmanager
def right_after(
    wire: Wire, operation: str, meanwhile: Callable[[], None], *, fault: Fault | None = None
) -> Iterator[None]:
    """In this block something happens after the API has carried out the operation, and before the function knows it.

    The fault hits the first attempt at the operation, and no other.
    """
    has_happened = False

    def happen(call: Call) -> None:
        nonlocal has_happened
        if call.operation == operation and not has_happened:
            has_happened = True
            meanwhile()

    wire.begin(lambda attempt, attempted: fault if attempted == operation and not has_happened else None)
    wire.on_act = happen
    yield
    assert has_happened, "the event did not get so far"
    wire.begin()
    wire.on_act = lambda call: None
