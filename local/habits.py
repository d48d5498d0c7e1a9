"""What only AWS can tell: the words of the API, what it fills in, and how long it takes.

Each step notes what it sees. A note names a part of the stand-in's guess that it is about (local/customerprofiles,
"Guessed"), so that the report has an answer beside each guess. Promised is only what the resource relies on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from local.chapters import example
from local.story import Story, step

DAYS = 30
AT_ONCE = "GetDomain sees what CreateDomain has made at once"
NAME_AGAIN = "a deleted domain's name can be used again at once"
NOT_MADE = "a setting that nobody made not at all"
EMPTY_LISTS = "List operations are empty"
IN_PROGRESS = "while its status is IN_PROGRESS"
OTHER_WORDS = "The words for more than 50 tags"
QUEUE_WORDS = "The words for a queue and a bucket"
SERVICE_LINKED_ROLE = "CreateDomain needs iam:CreateServiceLinkedRole"
KEY = "Failed to grant access to key"


def words(call: Callable[[], object]) -> str:
    """What the API says to a call: its error's code and message, or that it took it."""
    try:
        call()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return "taken"


def shown(value: object) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def service_linked_roles(story: Story) -> str:
    """How many the account has, or the API's words if it does not tell."""
    pages = story.engine.client("iam").get_paginator("list_roles")
    try:
        roles = pages.paginate(PathPrefix="/aws-service-role/profile.amazonaws.com/")
        return str(sum(len(page["Roles"]) for page in roles))
    except ClientError as error:
        return f"unknown ({error})"


@contextmanager
def closed_queue(story: Story) -> Iterator[str]:
    """The URL of a queue that only its own account may use. It is removed when the block is left."""
    sqs = story.engine.client("sqs")
    url: str = sqs.create_queue(QueueName=story.names.domain)["QueueUrl"]
    try:
        yield url
    finally:
        sqs.delete_queue(QueueUrl=url)


@step("A new domain", "what the API reports of it, and in which words it refuses a second one")
def new_domain(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    before = service_linked_roles(story)
    client.create_domain(DomainName=name, DefaultExpirationDays=DAYS)
    seconds = story.wait_for(lambda: story.existing(name) == {name}, at_most=120)
    roles = f"{before} before CreateDomain, {service_linked_roles(story)} after it"
    story.note("service-linked roles of Customer Profiles in the account", roles, SERVICE_LINKED_ROLE)
    story.note("GetDomain sees a new domain", f"after {seconds:.1f} s", AT_ONCE)
    reported = {key: value for key, value in client.get_domain(DomainName=name).items() if key != "ResponseMetadata"}
    story.note("GetDomain of a new domain", shown(reported), NOT_MADE)
    lists = {
        "ListIntegrations": client.list_integrations(DomainName=name, IncludeHidden=True)["Items"],
        "ListProfileObjectTypes": client.list_profile_object_types(DomainName=name)["Items"],
        "ListDomainObjectTypes": client.list_domain_object_types(DomainName=name)["Items"],
    }
    story.note("the lists of a new domain", shown(lists), EMPTY_LISTS)

    said = words(lambda: client.create_domain(DomainName=name, DefaultExpirationDays=DAYS))
    story.note("CreateDomain with a name in use", said)
    story.promise("it is a BadRequestException", said.partition(":")[0], "BadRequestException")
    story.promise("that says: already exists", "already exists" in said, True)


@step("Identity resolution", "what the service fills in, and what it says to a change of rules at work")
def identity_resolution(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.update_domain(DomainName=name, Matching={"Enabled": True})
    story.note("Matching with Enabled alone, as reported", shown(story.domain(name).get("Matching")))
    said = words(lambda: client.update_domain(DomainName=name, RuleBasedMatching={"Enabled": True}))
    story.note("RuleBasedMatching with Enabled alone", said)
    story.note("and as reported", shown(story.domain(name).get("RuleBasedMatching")))

    # A new domain skips the hour that an existing one waits before its rules are at work.
    new = story.names.renamed
    client.create_domain(DomainName=new, DefaultExpirationDays=DAYS, RuleBasedMatching={"Enabled": True})
    story.note("RuleBasedMatching of a new domain", shown(story.domain(new).get("RuleBasedMatching")))
    said = words(lambda: client.update_domain(DomainName=new, RuleBasedMatching={"Enabled": True}))
    story.note("the same RuleBasedMatching again, at once", said, IN_PROGRESS)
    said = words(lambda: client.update_domain(DomainName=new, RuleBasedMatching={"Enabled": False}))
    story.note("RuleBasedMatching switched off, at once", said, IN_PROGRESS)
    client.delete_domain(DomainName=new)


@step("Refusals", "the API's words for what it does not take")
def refusals(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    arn = f"arn:aws:profile:{story.engine.region}:{story.engine.account}:domains/{name}"
    client.tag_resource(resourceArn=arn, tags={f"key-{number}": "value" for number in range(49)})
    said = words(lambda: client.tag_resource(resourceArn=arn, tags={"another": "value", "and-another": "value"}))
    story.note("a tag beyond the fiftieth", said, OTHER_WORDS)
    said = words(lambda: client.put_profile_object(DomainName=name, ObjectTypeName="absent", Object="{}"))
    story.note("PutProfileObject of an absent type", said, OTHER_WORDS)
    with closed_queue(story) as url:
        said = words(lambda: client.update_domain(DomainName=name, DeadLetterQueueUrl=url))
    story.note("a queue whose policy does not let the service in", said, QUEUE_WORDS)


@step("A deleted domain", "the API's words for what is gone, and when its name can be used again")
def deleted_domain(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.delete_domain(DomainName=name)
    seconds = story.wait_for(lambda: story.existing(name) == set(), at_most=300)
    story.note("GetDomain no longer sees a deleted domain", f"after {seconds:.1f} s")
    said = words(lambda: client.get_domain(DomainName=name))
    story.note("GetDomain of what is gone", said)
    story.promise("it is a ResourceNotFoundException", said.partition(":")[0], "ResourceNotFoundException")
    answers: list[str] = []

    def can_be_made() -> bool:
        answers.append(words(lambda: client.create_domain(DomainName=name, DefaultExpirationDays=DAYS)))
        return answers[-1] == "taken"

    seconds = story.wait_for(can_be_made, at_most=300)
    story.note("the name can be used again", f"after {seconds:.1f} s, first {answers[0]!r}", NAME_AGAIN)
    client.delete_domain(DomainName=name)


HABITS = (new_domain, identity_resolution, refusals, deleted_domain)


@step("A customer's key", "a stack makes a domain that is encrypted with the key that was named")
def customers_key(story: Story) -> None:
    name = story.names.domain
    story.deploy(example(story, DefaultEncryptionKey=story.engine.key), ends="CREATE_COMPLETE")
    story.note("the form in which the key is reported", str(story.domain(name).get("DefaultEncryptionKey")), KEY)
    story.deploy(example(story), ends="UPDATE_COMPLETE")
    story.promise("the key can be taken away", story.domain(name).get("DefaultEncryptionKey") or "", "")
    story.delete()


KEYS = (customers_key,)
