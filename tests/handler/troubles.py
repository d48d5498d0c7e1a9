"""What can go wrong, for Hypothesis to choose from, and the templates that people write."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.handler import faults
from tests.handler.faults import Fault
from tests.handler.questions import Refusal
from tests.handler.world import Schedule, Trouble, Way

# Weighted, so that the same domain is often in question.
NAMES = ("alpha", "alpha", "alpha", "beta", "beta", "gamma")

_MODEL = faults.service_model()
_HARMFUL = [*faults.deadlines(late_by=2.5), faults.DIES_BEFORE, faults.DIES_AFTER]
# An API that says of a domain that it isn't there, again and again, has to be believed: a Delete is then done. Where it
# need not be believed, the fault matrix has it.
_FAULTS = [
    fault
    for fault in (*faults.faults_of_the_api(_MODEL), *faults.faults_of_the_wire())
    if fault.name != "ResourceNotFoundException"
]
_attempts = st.integers(0, 4)  # most events make up to five calls
_stops = st.integers(0, 9)
_refusals = st.sampled_from([None, None, None, *Refusal])
_delays = st.sampled_from([1.2, 3.0, 40.0])

_troubles = st.one_of(
    st.builds(Trouble, st.sampled_from(_HARMFUL), _attempts),
    st.builds(Trouble, st.sampled_from(_FAULTS), _attempts, lasting=st.just(True)),
    # The next attempt meets what this one has left.
    st.builds(Trouble, st.sampled_from(_FAULTS), _attempts),
    st.builds(Trouble, answer_is_refused=st.sampled_from([1, 99])),
    st.builds(Trouble, slow_at=_stops, slow_by=_delays, refusal=_refusals),
    st.builds(
        Trouble,
        st.sampled_from([*_HARMFUL, *_FAULTS]),
        _attempts,
        lasting=st.booleans(),
        slow_at=_stops,
        slow_by=_delays,
        refusal=_refusals,
    ),
)


def _dying_for_good(fault: Fault, at: int) -> tuple[Trouble, ...]:
    return (Trouble(fault, at, lasting=True),) * 3


_lives = st.one_of(
    st.just(()),
    st.just(()),
    st.lists(_troubles, min_size=1, max_size=3).map(tuple),
    st.builds(_dying_for_good, st.sampled_from(_HARMFUL), _attempts),
)

_ways = st.one_of(
    st.builds(Way, _lives),
    st.builds(Way, _lives),
    st.builds(Way, _lives, twin_at=_stops),
    st.builds(Way, _lives, answer_is_lost=st.just(True)),
    st.builds(Way, is_held_back=st.just(True)),
    st.builds(Way, queued=st.sampled_from([1.5, 45.0])),
)

schedules = st.builds(
    Schedule,
    ways=st.lists(_ways, max_size=4),
    fails_at=st.one_of(st.none(), st.none(), st.integers(0, 12)),
    together=st.booleans(),
    turns=st.lists(st.integers(0, 3), max_size=40),
)
calm_schedules = st.builds(Schedule, ways=st.lists(_ways, max_size=2))


def _rarely(value: Any) -> st.SearchStrategy[list[Any]]:
    return st.sampled_from([[], [], [], [], [], [], [value]])


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Any]:
    """A resource's properties."""
    properties: dict[str, Any] = {
        "DomainName": draw(st.sampled_from(NAMES)),
        "DefaultExpirationDays": draw(st.sampled_from([30, 60])),
    }
    optional: dict[str, list[Any]] = {
        "AdoptExisting": [True, True, True, False],
        "DeletionProtection": [True, False, False],
        "DeadLetterQueueUrl": ["", "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters"],
        "Matching": [{"Enabled": True}, {"Enabled": False}],
        "Tags": [{"team": "red"}, {"team": "blue", "cost": "1"}, {}],
    }
    for name, values in optional.items():
        value = draw(st.sampled_from([None, None, None, *values]))
        if value is not None:
            properties[name] = value
    for name in draw(_rarely("Misspelt")):
        properties[name] = "refused before any call"
    return properties
