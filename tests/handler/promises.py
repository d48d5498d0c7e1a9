"""What must hold, whatever happens: a judge of the calls that the API carries out.

Written from the promises (README.md, "What happens on each event"), knowing nothing of how the handler decides, so that
a wrong decision there isn't a wrong expectation here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from local.customerprofiles.models import Domain
from tests.handler.cloudformation import Stack
from tests.handler.faults import Call, live_domains

STACK_ID, LOGICAL_ID, REQUEST_ID = (f"cloudformation:{tag}" for tag in ("stack-id", "logical-id", "request-id"))
OWNERSHIP = {STACK_ID, LOGICAL_ID, REQUEST_ID}


def judge(event: Mapping[str, Any], call: Call) -> None:
    """Judge one call that the API has just carried out for an event, as an auditor would who knows that event."""
    if call.operation == "GetDomain" or call.operation.startswith("List"):
        return
    kind, physical_id, asked = event["RequestType"], event.get("PhysicalResourceId"), event["ResourceProperties"]
    owned = is_own(call.tags_before, event["StackId"], event["LogicalResourceId"])
    if call.operation == "DeleteDomain":
        assert owned, "a domain was deleted that isn't the event's own"
        _judge_delete(event, call)
        return
    if kind == "Delete":
        assert call.operation in ("TagResource", "UntagResource"), f"a Delete led to {call.operation}"
        return
    assert call.name == asked["DomainName"], f"{call.operation} of a domain that the template doesn't name"
    tags = live_domains()[call.name].tags
    if call.operation == "CreateDomain":
        assert is_own(tags, event["StackId"], event["LogicalResourceId"])
        assert tags[REQUEST_ID] == event["RequestId"]
    elif physical_id == call.name:
        assert owned or _is_unowned(call.tags_before, event), "an Update changed what another stack has taken over"
    else:
        assert owned or asked.get("AdoptExisting") == "true", "a domain was changed that nobody asked to adopt"
    if call.operation == "UntagResource":
        dropped = call.tags_before.keys() - tags.keys()
        assert dropped <= event["OldResourceProperties"].get("Tags", {}).keys(), "a tag was removed that isn't ours"


def _judge_delete(event: Mapping[str, Any], call: Call) -> None:
    physical_id, asked = event.get("PhysicalResourceId", ""), event["ResourceProperties"]
    is_made = call.tags_before.get(REQUEST_ID) != "adopted"
    may_have_data = asked.get("DeletionProtection") == "false"
    assert event["RequestType"] != "Create", "a Create deleted something"
    if event["RequestType"] == "Update":
        old = event["OldResourceProperties"].get("DomainName")
        assert call.name == old != physical_id == asked["DomainName"], "an Update deleted more than its leftover"
        assert is_made, "a leftover was deleted that had been taken over"
        assert not call.has_data_before, "a leftover was deleted with data in it"
    elif physical_id == call.name:
        if asked.get("DeletionProtection") == "true":
            assert not call.has_data_before, "a protected domain was deleted with data in it"
        assert is_made or not call.has_data_before or may_have_data, "a domain taken over was deleted with its data"
    elif ":" in physical_id:
        assert physical_id.endswith(":" + call.tags_before[REQUEST_ID]), "deleted for another Create's failure"
        assert not call.has_data_before or may_have_data, "a failed Create's domain was deleted with data in it"
    else:
        assert is_made, "a domain was deleted for a physical id that CloudFormation made up"
        assert not call.has_data_before, "a domain with data was deleted for an id that CloudFormation made up"


def left_behind(stacks: Iterable[Stack], *, but: Collection[Domain] = ()) -> Iterator[Domain]:
    """The domains that the resource made and that neither their stack nor its user knows of any more."""
    for domain in list(live_domains().values()):
        if domain not in but and domain.tags.get(REQUEST_ID) != "adopted":
            for stack in stacks:
                is_its = domain.tags.get(STACK_ID) == stack.arn
                if is_its and not stack.knows(domain.tags.get(LOGICAL_ID, ""), domain.name):
                    yield domain


def is_own(tags: Mapping[str, str], stack_id: str, logical_id: str) -> bool:
    return (tags.get(STACK_ID), tags.get(LOGICAL_ID)) == (stack_id, logical_id)


def _is_unowned(tags: Mapping[str, str], event: Mapping[str, Any]) -> bool:
    """Whether no tag that is left says that the domain is another's."""
    left = (tags.get(STACK_ID, event["StackId"]), tags.get(LOGICAL_ID, event["LogicalResourceId"]))
    return left == (event["StackId"], event["LogicalResourceId"])
