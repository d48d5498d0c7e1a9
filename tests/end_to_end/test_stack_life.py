"""The operations on a stack with a domain, on the local CloudFormation engine, with the function from `sam deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.end_to_end.stack import Stack, domain_resource, failures

if TYPE_CHECKING:
    from mypy_boto3_customer_profiles import CustomerProfilesClient

pytestmark = pytest.mark.end_to_end


def described(api: CustomerProfilesClient, name: str) -> dict[str, Any]:
    """The domain as the API reports it."""
    response = dict(api.get_domain(DomainName=name))
    del response["ResponseMetadata"]
    return response


def names(api: CustomerProfilesClient) -> set[str]:
    return {item["DomainName"] for item in api.list_domains()["Items"]}


def test_create_creates_the_domain_and_returns_its_attributes(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    attributes = ["DomainName", "DomainArn", "CreatedAt", "LastUpdatedAt", "Stats.ProfileCount"]
    events = stack.deploy(
        {"DomainName": name, "DefaultExpirationDays": 366, "Tags": {"Team": "marketing"}},
        outputs={attribute.replace(".", ""): {"Fn::GetAtt": f"Domain.{attribute}"} for attribute in attributes},
    )

    assert events[-1].status == "CREATE_COMPLETE"
    domain = described(api, name)
    assert domain["DefaultExpirationDays"] == 366
    assert domain["Tags"]["Team"] == "marketing"
    outputs = stack.outputs()
    assert outputs["Name"] == outputs["DomainName"] == name
    assert outputs["DomainArn"].endswith(f":domains/{name}")
    assert outputs["CreatedAt"].startswith(f"{domain['CreatedAt']:%Y-%m-%dT%H:%M:%S}")
    assert outputs["LastUpdatedAt"].startswith(f"{domain['LastUpdatedAt']:%Y-%m-%dT%H:%M:%S}")
    assert outputs["StatsProfileCount"] == "0"


def test_an_update_changes_the_domain_to_match_the_template(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy(
        {
            "DomainName": name,
            "DefaultExpirationDays": 366,
            "Matching": {"Enabled": True},
            "Tags": {"Team": "marketing", "Stage": "test"},
        }
    )
    created = described(api, name)

    events = stack.deploy({"DomainName": name, "DefaultExpirationDays": 90, "Tags": {"Team": "sales"}})

    assert events[-1].status == "UPDATE_COMPLETE"
    domain = described(api, name)
    assert domain["DefaultExpirationDays"] == 90
    assert domain["Matching"]["Enabled"] is False
    assert domain["Tags"]["Team"] == "sales"
    assert "Stage" not in domain["Tags"]
    assert domain["CreatedAt"] == created["CreatedAt"]


def test_an_update_corrects_a_change_by_hand(stack: Stack, api: CustomerProfilesClient, name: str) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    api.update_domain(DomainName=name, DefaultExpirationDays=1)

    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "Tags": {"Team": "marketing"}})

    assert described(api, name)["DefaultExpirationDays"] == 366


def test_a_rename_creates_the_new_domain_and_deletes_the_old_one(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})

    events = stack.deploy({"DomainName": f"{name}-2", "DefaultExpirationDays": 366})

    assert events[-1].status == "UPDATE_COMPLETE"
    assert names(api) == {f"{name}-2"}
    assert stack.outputs()["Name"] == f"{name}-2"


def test_a_rename_keeps_the_old_domain_if_the_template_retains_it(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})

    stack.deploy({"DomainName": f"{name}-2", "DefaultExpirationDays": 366}, domain={"UpdateReplacePolicy": "Retain"})

    assert names(api) == {name, f"{name}-2"}


def test_the_rollback_of_a_failed_update_restores_the_domain(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "Tags": {"Team": "marketing"}})
    before = described(api, name)

    events = stack.deploy({"DomainName": name, "DefaultExpirationDays": 5000, "Tags": {"Team": "sales"}})

    assert events[-1].status == "UPDATE_ROLLBACK_COMPLETE"
    assert "DefaultExpirationDays" in failures(events)["Domain"]
    assert described(api, name) == before


def test_if_another_resource_fails_the_rollback_undoes_an_update(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "Tags": {"Team": "marketing"}})

    events = stack.deploy(
        {"DomainName": name, "DefaultExpirationDays": 90, "Matching": {"Enabled": True}, "Tags": {"Stage": "test"}},
        beside={"Broken": domain_resource({"DomainName": f"{name}-2"}) | {"DependsOn": "Domain"}},
    )

    assert events[-1].status == "UPDATE_ROLLBACK_COMPLETE"
    domain = described(api, name)
    assert domain["DefaultExpirationDays"] == 366
    assert domain["Matching"]["Enabled"] is False
    assert domain["Tags"]["Team"] == "marketing"
    assert "Stage" not in domain["Tags"]
    assert names(api) == {name}


def test_if_another_resource_fails_the_rollback_undoes_a_rename(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    before = described(api, name)

    events = stack.deploy(
        {"DomainName": f"{name}-2", "DefaultExpirationDays": 366},
        beside={"Broken": domain_resource({"DomainName": f"{name}-3"}) | {"DependsOn": "Domain"}},
    )

    assert events[-1].status == "UPDATE_ROLLBACK_COMPLETE"
    assert names(api) == {name}
    assert described(api, name) == before
    assert stack.outputs()["Name"] == name


def test_the_rollback_of_a_creation_deletes_the_domain(stack: Stack, api: CustomerProfilesClient, name: str) -> None:
    events = stack.deploy(
        {"DomainName": name, "DefaultExpirationDays": 366},
        beside={"Broken": domain_resource({"DomainName": f"{name}-2"}) | {"DependsOn": "Domain"}},
    )

    assert events[-1].status == "ROLLBACK_COMPLETE"
    assert names(api) == set()


def test_a_delete_deletes_the_domain(stack: Stack, api: CustomerProfilesClient, name: str) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})

    events = stack.delete()

    assert events[-1].status == "DELETE_COMPLETE"
    assert names(api) == set()


def test_a_delete_succeeds_if_the_domain_was_deleted_before(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    api.delete_domain(DomainName=name)

    assert stack.delete()[-1].status == "DELETE_COMPLETE"


def test_a_delete_keeps_a_domain_that_the_template_retains(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366}, domain={"DeletionPolicy": "Retain"})

    stack.delete()

    assert names(api) == {name}


@pytest.mark.parametrize(
    ("mistake", "named"),
    [
        ({"DefaultExpirationDay": 30}, "DefaultExpirationDay"),
        ({"DefaultExpirationDays": 1099}, "DefaultExpirationDays"),
        ({"DefaultExpirationDays": 0}, "DefaultExpirationDays"),
        ({"Matching": {"Enabled": "yes"}}, "Matching.Enabled"),
        ({"Matching": {"Enabled": True, "JobSchedule": {"DayOfTheWeek": "SUNDAY"}}}, "Matching.JobSchedule.Time"),
    ],
    ids=["unknown", "too-many-days", "too-few-days", "not-a-boolean", "missing-member"],
)
def test_a_mistake_in_a_template_fails_with_an_event_that_names_the_property(
    stack: Stack, api: CustomerProfilesClient, name: str, mistake: dict[str, Any], named: str
) -> None:
    events = stack.deploy({"DomainName": name, "DefaultExpirationDays": 366} | mistake)

    assert events[-1].status == "ROLLBACK_COMPLETE"
    assert f"{named}: " in failures(events)["Domain"]
    assert names(api) == set()


def test_one_stack_event_names_every_mistake(stack: Stack, api: CustomerProfilesClient, name: str) -> None:
    events = stack.deploy({"DomainName": name, "DefaultExpirationDays": 5000, "Maching": {"Enabled": True}})

    assert "DefaultExpirationDays: " in failures(events)["Domain"]
    assert "Maching: " in failures(events)["Domain"]


def test_a_stack_that_uses_the_name_of_a_domain_made_by_hand_does_not_change_it(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    api.create_domain(DomainName=name, DefaultExpirationDays=30)
    before = described(api, name)

    events = stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})

    assert events[-1].status == "ROLLBACK_COMPLETE"
    assert "already exists" in failures(events)["Domain"]
    assert described(api, name) == before
    stack.delete()
    assert described(api, name) == before


def test_a_rename_to_the_name_of_a_domain_made_by_hand_changes_neither_domain(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    api.create_domain(DomainName=f"{name}-2", DefaultExpirationDays=30)
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    before = described(api, name), described(api, f"{name}-2")

    events = stack.deploy({"DomainName": f"{name}-2", "DefaultExpirationDays": 366})

    assert events[-1].status == "UPDATE_ROLLBACK_COMPLETE"
    assert (described(api, name), described(api, f"{name}-2")) == before


def test_a_domain_of_another_stack_does_not_change_and_the_reason_names_its_owner(
    stack: Stack, other_stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    before = described(api, name)

    events = other_stack.deploy({"DomainName": name, "DefaultExpirationDays": 90})

    assert events[-1].status == "ROLLBACK_COMPLETE"
    assert stack.name in failures(events)["Domain"]
    other_stack.delete()
    assert described(api, name) == before


def test_a_domain_made_by_hand_is_taken_over_if_the_template_says_so(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    api.create_domain(DomainName=name, DefaultExpirationDays=30, Tags={"By": "hand"})
    created = described(api, name)["CreatedAt"]

    events = stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "AdoptExisting": True})

    assert events[-1].status == "CREATE_COMPLETE"
    domain = described(api, name)
    assert domain["DefaultExpirationDays"] == 366
    assert domain["Tags"]["By"] == "hand"
    assert domain["CreatedAt"] == created


def test_a_domain_that_was_handed_over_to_a_stack_survives_the_rollback_of_its_creation(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    api.create_domain(DomainName=name, DefaultExpirationDays=30)
    properties = {"DomainName": name, "DefaultExpirationDays": 30, "AdoptExisting": True, "DeletionProtection": False}

    events = stack.deploy(properties, beside={"Broken": domain_resource({"DomainName": "x"}) | {"DependsOn": "Domain"}})

    assert events[-1].status == "ROLLBACK_COMPLETE"
    assert names(api) == {name}
    assert not described(api, name)["Tags"]


def test_a_domain_that_was_handed_over_to_a_stack_is_deleted_with_it(
    stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    api.create_domain(DomainName=name, DefaultExpirationDays=30)
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 30, "AdoptExisting": True, "DeletionProtection": False})

    assert stack.delete()[-1].status == "DELETE_COMPLETE"
    assert names(api) == set()


def test_a_domain_moves_to_another_stack_which_owns_it_from_then_on(
    stack: Stack, other_stack: Stack, api: CustomerProfilesClient, name: str
) -> None:
    """The steps of docs/migration.md, "To another stack"."""
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    created = described(api, name)["CreatedAt"]

    other_stack.deploy({"DomainName": name, "DefaultExpirationDays": 366, "AdoptExisting": True})
    assert stack.delete()[-1].status == "DELETE_COMPLETE"
    domain = described(api, name)
    assert domain["CreatedAt"] == created
    assert other_stack.name in domain["Tags"]["cloudformation:stack-id"]
    assert not any(key.endswith(".1") for key in domain["Tags"])

    other_stack.delete()
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        described(api, name)


def test_the_pre_signed_url_is_not_in_the_log(stack: Stack, other_stack: Stack, name: str) -> None:
    stack.deploy({"DomainName": name, "DefaultExpirationDays": 366})
    other_stack.deploy({"DomainName": name, "DefaultExpirationDays": 5000})

    log = "\n".join(stack.engine.function_log())

    assert stack.name in log
    assert other_stack.name in log
    assert "cfn-response" not in log
