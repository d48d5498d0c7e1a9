"""The steps of the demo and of `make verify`, in chapters: operations on a stack with a domain, and promises to check.

The demo runs the chapter `LIFE`, `make verify` runs all of them. A chapter creates its own stack and deletes it at the
end, so each can run alone. To add a step, write a function with @step and add it to a chapter.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from handler.claims import LOGICAL_ID, is_ownership_key
from local.processes import PROJECT, EngineError
from local.story import Names, Story, edited, failure, step

EXAMPLE = Path("examples/minimal.yaml")
# The names that stand in the example and in the example's ServiceToken.
EXAMPLE_DOMAIN = "amazon-connect-shop"
EXAMPLE_PROVIDER = "customer-profiles-domain-provider"

# The documentation does not say when GetDomain's Stats count a new profile.
STATS_SECONDS = 600

DAYS = "DefaultExpirationDays: 366"
# A second resource that always fails after the first one: it has no DefaultExpirationDays.
FAILING_SIBLING = """  Sibling:
    Type: Custom::CustomerProfilesDomain
    DependsOn: Domain
    Properties:
      ServiceToken: !ImportValue {provider}-ServiceToken
      DomainName: {domain}-sibling

"""


def example(story: Story, **properties: str) -> str:
    """The example, with the story's own names, and with further properties."""
    template = edited(
        (PROJECT / EXAMPLE).read_text(),
        (f"DomainName: {EXAMPLE_DOMAIN}\n", f"DomainName: {story.names.domain}\n"),
        (f"{EXAMPLE_PROVIDER}-ServiceToken", f"{story.engine.provider_stack}-ServiceToken"),
    )
    lines = "".join(f"      {name}: {value}\n" for name, value in properties.items())
    return edited(template, (f"      {DAYS}\n", f"      {DAYS}\n{lines}"))


def with_failing_sibling(story: Story, template: str) -> str:
    sibling = FAILING_SIBLING.format(provider=story.engine.provider_stack, domain=story.names.domain)
    return edited(template, ("Outputs:\n", f"{sibling}Outputs:\n"))


def all_domains(names: Names) -> list[str]:
    """Every domain that a chapter may make."""
    return [names.domain, names.renamed, names.made_by_hand, f"{names.domain}-sibling"]


def resources_of(template: str) -> str:
    """The text of the Resources section."""
    return template.partition("Resources:\n")[2].partition("\n\n")[0]


def make_by_hand(story: Story) -> None:
    """A domain that no stack owns, which has to be the same at the end."""
    story.engine.customer_profiles.create_domain(
        DomainName=story.names.made_by_hand, DefaultExpirationDays=30, Tags={"MadeBy": "hand"}
    )
    story.by_hand = story.domain(story.names.made_by_hand)


@step("Create", "a stack makes a domain, and its outputs tell about it")
def create(story: Story) -> None:
    name = story.names.domain
    make_by_hand(story)
    template = example(story)
    story.page.text(f"{EXAMPLE}:")
    story.page.source(resources_of(template))
    story.deploy(template, ends="CREATE_COMPLETE")
    story.template = template

    domain, outputs = story.domain(name), story.engine.outputs(story.names.stack)
    created = datetime.fromisoformat(outputs["CreatedAt"])
    story.promise("the API has the domain, with 366 days", domain["DefaultExpirationDays"], 366)
    story.promise("and with the tag Team: marketing", domain["Tags"].get("Team"), "marketing")
    story.promise("Ref is the domain's name", outputs["DomainName"], name)
    story.promise("CreatedAt is the API's", created, domain["CreatedAt"])


@step("Update", "an update changes what changed in the template, in the same domain")
def update(story: Story) -> None:
    before = story.domain(story.names.domain)
    changed = edited(
        story.template,
        (DAYS, "DefaultExpirationDays: 90"),
        (
            "        Team: marketing\n",
            "        Team: sales\n"
            "        CostCentre: '4711'\n"
            "      Matching:\n"
            "        Enabled: true\n"
            "        JobSchedule: {DayOfTheWeek: SUNDAY, Time: '03:00'}\n",
        ),
    )
    story.page.difference(story.template, changed)
    story.deploy(changed, ends="UPDATE_COMPLETE")
    story.template = changed

    domain = story.domain(story.names.domain)
    tags, schedule = domain["Tags"], domain.get("Matching", {}).get("JobSchedule")
    story.promise("the API has 90 days", domain["DefaultExpirationDays"], 90)
    story.promise("Team is changed, CostCentre is new", (tags["Team"], tags.get("CostCentre")), ("sales", "4711"))
    story.promise("matching runs on Sundays", schedule, {"DayOfTheWeek": "SUNDAY", "Time": "03:00"})
    story.promise("it is the same domain as before", domain["CreatedAt"], before["CreatedAt"])


@step("Drift", "a change by hand is named, with both values, and an update takes it back")
def drift(story: Story) -> None:
    name = story.names.domain
    story.engine.customer_profiles.update_domain(DomainName=name, DefaultExpirationDays=30)
    status, report = drift_of(story)
    story.page.source(report)
    days = [line.split() for line in report.splitlines() if "DefaultExpirationDays" in line]
    story.promise(
        "drift names the property, the template's value and the live one", days, [["DefaultExpirationDays", "90", "30"]]
    )
    story.promise("and exits with status 1", status, 1)

    changed = edited(
        story.template, ("        CostCentre: '4711'\n", "        CostCentre: '4711'\n        Checked: daily\n")
    )
    story.page.difference(story.template, changed)
    story.deploy(changed, ends="UPDATE_COMPLETE")
    story.template = changed

    story.promise("the API has 90 days again", story.domain(name)["DefaultExpirationDays"], 90)
    story.promise("and there is no drift: status 0", drift_of(story)[0], 0)


def drift_of(story: Story) -> tuple[int, str]:
    """What `make drift` says of the story's stack: its exit status, and its words."""
    command = [sys.executable, "-m", "tools.drift", "--stack", story.names.stack]
    done = subprocess.run(command, cwd=PROJECT, env=story.engine.environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@step("Rename", "another name is a replacement: there is a new domain, and the old one is gone")
def rename(story: Story) -> None:
    old, new = story.names.domain, story.names.renamed
    changed = edited(story.template, (f"DomainName: {old}\n", f"DomainName: {new}\n"))
    story.page.difference(story.template, changed)
    story.deploy(changed, ends="UPDATE_COMPLETE")
    story.template = changed

    story.promise(f"the API has {new}, and no longer {old}", story.existing(old, new), {new})
    story.promise("with the 90 days of the old one", story.domain(new)["DefaultExpirationDays"], 90)
    story.promise("Ref is the new name", story.engine.outputs(story.names.stack)["DomainName"], new)


@step("Update with two mistakes", "the stack's events name each mistake at once, and nothing is changed")
def update_with_mistakes(story: Story) -> None:
    before = story.domain(story.names.renamed)
    changed = edited(
        story.template, ("DefaultExpirationDays: 90", "DefaultExpirationDays: 5000"), ("Matching:", "Maching:")
    )
    story.page.difference(story.template, changed)
    reason = failure(story.deploy(changed, ends="UPDATE_ROLLBACK_COMPLETE"))

    named = {name for name in ("DefaultExpirationDays", "Maching") if f"{name}: " in reason}
    story.promise("one event names both properties", named, {"DefaultExpirationDays", "Maching"})
    story.promise("the domain is as before, LastUpdatedAt too", story.domain(story.names.renamed), before)
    story.promise("the stack still has it", story.engine.outputs(story.names.stack)["DomainName"], story.names.renamed)


@step("Delete", "deleting the stack deletes its domain, and no other one")
def delete(story: Story) -> None:
    names = story.names
    story.delete()

    story.promise(f"the API no longer has {names.renamed}", story.existing(names.domain, names.renamed), set())
    story.promise("the domain that was made by hand is as it was", story.domain(names.made_by_hand), story.by_hand)
    story.engine.customer_profiles.delete_domain(DomainName=names.made_by_hand)


LIFE = (create, update, drift, rename, update_with_mistakes, delete)


@step("Create with a typo", "a typo ends in an event that names the property, and the API is not called")
def typo(story: Story) -> None:
    template = edited(example(story), (f"{DAYS}\n", "DefaultExpirationDay: 366\n"))
    reason = failure(story.deploy(template, ends="ROLLBACK_COMPLETE"))

    story.promise("the event names the property", "DefaultExpirationDay: " in reason, True)
    story.promise("there is no domain", story.existing(story.names.domain), set())
    story.delete()


@step("Create with a name in use", "a domain that another owner made is left alone")
def name_in_use(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.create_domain(DomainName=name, DefaultExpirationDays=30)
    before = story.domain(name)
    reason = failure(story.deploy(example(story), ends="ROLLBACK_COMPLETE"))

    story.promise("the event says that the name is in use", "already exists" in reason, True)
    story.promise("the domain is as before", story.domain(name), before)
    story.delete()
    story.promise("it still is when the stack has been deleted", story.domain(name), before)
    client.delete_domain(DomainName=name)


@step("Rename that is rolled back", "the old domain is as it was, and the new one is gone")
def rename_rolled_back(story: Story) -> None:
    old, new = story.names.domain, story.names.renamed
    template = example(story)
    story.deploy(template, ends="CREATE_COMPLETE")
    before = story.domain(old)

    changed = with_failing_sibling(story, edited(template, (f"DomainName: {old}\n", f"DomainName: {new}\n")))
    story.deploy(changed, ends="UPDATE_ROLLBACK_COMPLETE")
    story.promise("the API has the old domain and not the new one", story.existing(old, new), {old})
    story.promise("the old domain is as before", story.domain(old), before)


@step("Update that is rolled back", "another resource's failure takes the update back")
def update_rolled_back(story: Story) -> None:
    changed = edited(example(story), (DAYS, "DefaultExpirationDays: 90"), ("Team: marketing", "Team: sales"))
    story.deploy(with_failing_sibling(story, changed), ends="UPDATE_ROLLBACK_COMPLETE")

    domain = story.domain(story.names.domain)
    story.promise("the API has 366 days again", domain["DefaultExpirationDays"], 366)
    story.promise("and the tag Team: marketing", domain["Tags"].get("Team"), "marketing")
    story.delete()


FAILURES = (typo, name_in_use, rename_rolled_back, update_rolled_back)


@step("Take over a domain", "AdoptExisting takes a domain over, and deleting the stack leaves it")
def take_over(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.create_domain(DomainName=name, DefaultExpirationDays=30, Tags={"MadeBy": "hand"})
    created = story.domain(name)["CreatedAt"]
    story.deploy(example(story, AdoptExisting="true"), ends="CREATE_COMPLETE")

    domain = story.domain(name)
    story.promise("the domain has the template's 366 days", domain["DefaultExpirationDays"], 366)
    story.promise("it keeps the tag that it had", domain["Tags"].get("MadeBy"), "hand")
    story.promise("it is the same domain", domain["CreatedAt"], created)
    story.delete()
    story.promise("it is still there when the stack has been deleted", story.domain(name)["CreatedAt"], created)
    client.delete_domain(DomainName=name)


@step("Take over a domain and roll back", "a stack that fails after it took a domain over gives it back")
def take_over_rolled_back(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.create_domain(DomainName=name, DefaultExpirationDays=30, Tags={"MadeBy": "hand"})
    created = story.domain(name)["CreatedAt"]
    template = with_failing_sibling(story, example(story, AdoptExisting="true"))
    story.deploy(template, ends="ROLLBACK_COMPLETE")

    domain = story.domain(name)
    story.promise("the domain is still there", domain["CreatedAt"], created)
    story.promise("it keeps the tag that it had", domain["Tags"].get("MadeBy"), "hand")
    story.promise("and has no owner again", ownership_tags(domain), {})
    story.delete()
    client.delete_domain(DomainName=name)


@step("Rename a logical id", "the domain moves on with its resource, and back if the update fails")
def rename_logical_id(story: Story) -> None:
    name = story.names.domain
    template = example(story)
    story.deploy(template, ends="CREATE_COMPLETE")
    before = story.domain(name)
    renamed = example(story, AdoptExisting="true").replace("  Domain:\n    Type", "  Profiles:\n    Type")
    renamed = renamed.replace("!Ref Domain", "!Ref Profiles").replace("!GetAtt Domain.", "!GetAtt Profiles.")
    failing = with_failing_sibling(story, renamed).replace("DependsOn: Domain", "DependsOn: Profiles")

    story.deploy(failing, ends="UPDATE_ROLLBACK_COMPLETE")
    story.promise("after the rollback the domain has the owner that it had", story.domain(name)["Tags"], before["Tags"])
    story.deploy(renamed, ends="UPDATE_COMPLETE")
    domain = story.domain(name)
    story.promise("after the update it is the same domain", domain["CreatedAt"], before["CreatedAt"])
    story.promise("with one owner", domain["Tags"].get(LOGICAL_ID), "Profiles")
    story.promise("and no trace of the former one", len(ownership_tags(domain)), len(ownership_tags(before)))
    story.delete()
    story.promise("deleting the stack deletes the domain", story.existing(name), set())


ADOPTION = (take_over, take_over_rolled_back, rename_logical_id)


def ownership_tags(domain: Mapping[str, Any]) -> dict[str, str]:
    """The tags that name the domain's owner."""
    return {key: value for key, value in domain["Tags"].items() if is_ownership_key(key)}


def put_profile_in(story: Story, name: str, *, at_most: float = STATS_SECONDS) -> None:
    """Put a profile into the domain. If Stats do not count it in time, add an object type, so that it is in use."""
    client = story.engine.customer_profiles
    client.create_profile(DomainName=name, FirstName="Ada")

    def counted() -> bool:
        return client.get_domain(DomainName=name)["Stats"]["ProfileCount"] > 0

    try:
        seconds = story.wait_for(counted, at_most=at_most)
    except EngineError:
        story.note("Stats count a new profile", f"not within {at_most:.0f} s")
        client.put_profile_object_type(DomainName=name, ObjectTypeName="verify", Description="made by make verify")
    else:
        story.note("Stats count a new profile", f"after {seconds:.0f} s")


@step("Delete a protected domain", "DeletionProtection keeps a domain that is in use")
def protected_delete(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    story.deploy(example(story, DeletionProtection="true"), ends="CREATE_COMPLETE")
    put_profile_in(story, name)
    reason = failure(story.delete(ends="DELETE_FAILED"))

    said = [word for word in ("protected", "holds") if word in reason]
    story.promise("the event says that it is protected, and what it holds", said, ["protected", "holds"])
    story.promise("the domain is still there", story.existing(name), {name})
    client.delete_domain(DomainName=name)
    story.delete()


PROTECTION = (protected_delete,)


def demo_names() -> Names:
    """The names on the local engine, which has no others."""
    return Names("crm", EXAMPLE_DOMAIN, "amazon-connect-web-shop", "amazon-connect-made-by-hand")
