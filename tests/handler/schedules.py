"""Hypothesis strategies: templates, and schedules (which faults hit which events, which invocation runs next)."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.handler import faults
from tests.handler.describe_api import DescribeError
from tests.handler.faults import Fault
from tests.handler.simulation import Disturbance, EventPlan, Schedule

# With repetitions, so that several resources often use the same domain.
NAMES = ("alpha", "alpha", "alpha", "beta", "beta", "gamma")

_MODEL = faults.service_model()
_INTERRUPTING = [*faults.deadlines(late_by=2.5), faults.KILLED_BEFORE, faults.KILLED_AFTER]
# Without ResourceNotFoundException: if the API says that an existing domain does not exist, a Delete succeeds and the
# domain stays. No code can notice that. The fault matrix has this error for the calls where code can notice it.
_FAULTS = [
    fault
    for fault in (*faults.faults_of_the_api(_MODEL), *faults.faults_of_the_wire())
    if fault.name != "ResourceNotFoundException"
]
_request_numbers = st.integers(0, 4)  # most events make at most five calls
_pauses = st.integers(0, 9)
_describe_errors = st.sampled_from([None, None, None, *DescribeError])
_delays = st.sampled_from([1.2, 3.0, 40.0])

_disturbances = st.one_of(
    st.builds(Disturbance, st.sampled_from(_INTERRUPTING), _request_numbers),
    st.builds(Disturbance, st.sampled_from(_FAULTS), _request_numbers, is_lasting=st.just(True)),
    # One request only: the retry finds what the first attempt has done.
    st.builds(Disturbance, st.sampled_from(_FAULTS), _request_numbers),
    st.builds(Disturbance, refused_answers=st.sampled_from([1, 99])),
    st.builds(Disturbance, slow_at=_pauses, slow_seconds=_delays, describe_error=_describe_errors),
    st.builds(
        Disturbance,
        st.sampled_from([*_INTERRUPTING, *_FAULTS]),
        _request_numbers,
        is_lasting=st.booleans(),
        slow_at=_pauses,
        slow_seconds=_delays,
        describe_error=_describe_errors,
    ),
)


def _interrupted_in_every_run(fault: Fault, at: int) -> tuple[Disturbance, ...]:
    return (Disturbance(fault, at, is_lasting=True),) * 3


_runs = st.one_of(
    st.just(()),
    st.just(()),
    st.lists(_disturbances, min_size=1, max_size=3).map(tuple),
    st.builds(_interrupted_in_every_run, st.sampled_from(_INTERRUPTING), _request_numbers),
)

_event_plans = st.one_of(
    st.builds(EventPlan, _runs),
    st.builds(EventPlan, _runs),
    st.builds(EventPlan, _runs, duplicate_at=_pauses),
    st.builds(EventPlan, _runs, answer_is_lost=st.just(True)),
    st.builds(EventPlan, is_held_back=st.just(True)),
    st.builds(EventPlan, queue_seconds=st.sampled_from([1.5, 45.0])),
)

schedules = st.builds(
    Schedule,
    event_plans=st.lists(_event_plans, max_size=4),
    sibling_fails_at=st.one_of(st.none(), st.none(), st.integers(0, 12)),
    in_parallel=st.booleans(),
    turns=st.lists(st.integers(0, 3), max_size=40),
)
retry_schedules = st.builds(Schedule, event_plans=st.lists(_event_plans, max_size=2))


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
