"""Steps of `make verify` that record how the real API behaves where its documentation says nothing.

The stand-in (local/customerprofiles) had to guess that: the text of error messages, default values, how long a change
takes. Its docstring lists the guesses under "Guessed". Here each step makes some API calls and records what it sees
with `story.note(text, seen, guess)`. `guess` is a part of the text of one of these guesses. The report then shows what
was seen beside each guess.

`story.promise` is used only for behaviour that the resource relies on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from local.chapters import example
from local.story import Story, step

DAYS = 30
AT_ONCE = "GetDomain sees a new domain at once"
NAME_AGAIN = "a deleted domain's name can be used again at once"
NOT_SET = "leaves out settings that nobody set"
EMPTY_LISTS = "List operations are empty"
IN_PROGRESS = "while its status is IN_PROGRESS"
OTHER_MESSAGES = "The messages for more than 50 tags"
QUEUE_MESSAGE = "The messages for a queue and a bucket"
SERVICE_LINKED_ROLE = "CreateDomain needs iam:CreateServiceLinkedRole"
KEY = "Failed to grant access to key"


def result_of(call: Callable[[], object]) -> str:
    """Make a call. Return the code and the message of its error, or "taken" if it succeeded."""
    try:
        call()
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return "taken"


def shown(value: object) -> str:
    return json.dumps(value, default=str, sort_keys=True)


def service_linked_roles(story: Story) -> str:
    """How many service-linked roles of Customer Profiles the account has, or the error if IAM does not tell."""
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


@step("A new domain", "what the API reports about it, and how it refuses a second one of the same name")
def new_domain(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    before = service_linked_roles(story)
    client.create_domain(DomainName=name, DefaultExpirationDays=DAYS)
    seconds = story.wait_for(lambda: story.existing(name) == {name}, at_most=120)
    roles = f"{before} before CreateDomain, {service_linked_roles(story)} after it"
    story.note("service-linked roles of Customer Profiles in the account", roles, SERVICE_LINKED_ROLE)
    story.note("GetDomain sees a new domain", f"after {seconds:.1f} s", AT_ONCE)
    reported = {key: value for key, value in client.get_domain(DomainName=name).items() if key != "ResponseMetadata"}
    story.note("GetDomain of a new domain", shown(reported), NOT_SET)
    lists = {
        "ListIntegrations": client.list_integrations(DomainName=name, IncludeHidden=True)["Items"],
        "ListProfileObjectTypes": client.list_profile_object_types(DomainName=name)["Items"],
        "ListDomainObjectTypes": client.list_domain_object_types(DomainName=name)["Items"],
    }
    story.note("the lists of a new domain", shown(lists), EMPTY_LISTS)

    result = result_of(lambda: client.create_domain(DomainName=name, DefaultExpirationDays=DAYS))
    story.note("CreateDomain with a name in use", result)
    story.promise("it is a BadRequestException", result.partition(":")[0], "BadRequestException")
    story.promise("that says: already exists", "already exists" in result, True)


@step("Identity resolution", "the default values, and the answer to a change of rules while the service applies them")
def identity_resolution(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.update_domain(DomainName=name, Matching={"Enabled": True})
    story.note("Matching with Enabled alone, as reported", shown(story.domain(name).get("Matching")))
    result = result_of(lambda: client.update_domain(DomainName=name, RuleBasedMatching={"Enabled": True}))
    story.note("RuleBasedMatching with Enabled alone", result)
    story.note("and as reported", shown(story.domain(name).get("RuleBasedMatching")))

    # In an existing domain the service applies new rules after an hour (PENDING). In a new domain it starts at once, so
    # this step can see the status IN_PROGRESS.
    new = story.names.renamed
    client.create_domain(DomainName=new, DefaultExpirationDays=DAYS, RuleBasedMatching={"Enabled": True})
    story.note("RuleBasedMatching of a new domain", shown(story.domain(new).get("RuleBasedMatching")))
    result = result_of(lambda: client.update_domain(DomainName=new, RuleBasedMatching={"Enabled": True}))
    story.note("the same RuleBasedMatching again, immediately", result, IN_PROGRESS)
    result = result_of(lambda: client.update_domain(DomainName=new, RuleBasedMatching={"Enabled": False}))
    story.note("RuleBasedMatching switched off, immediately", result, IN_PROGRESS)
    client.delete_domain(DomainName=new)


@step("Refusals", "the error messages for requests that the API refuses")
def refusals(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    arn = f"arn:aws:profile:{story.engine.region}:{story.engine.account}:domains/{name}"
    client.tag_resource(resourceArn=arn, tags={f"key-{number}": "value" for number in range(49)})
    result = result_of(lambda: client.tag_resource(resourceArn=arn, tags={"another": "value", "and-another": "value"}))
    story.note("a tag beyond the fiftieth", result, OTHER_MESSAGES)
    result = result_of(lambda: client.put_profile_object(DomainName=name, ObjectTypeName="absent", Object="{}"))
    story.note("PutProfileObject of an absent type", result, OTHER_MESSAGES)
    with closed_queue(story) as url:
        result = result_of(lambda: client.update_domain(DomainName=name, DeadLetterQueueUrl=url))
    story.note("a queue whose policy does not allow the service", result, QUEUE_MESSAGE)


@step("A deleted domain", "the error message for a deleted domain, and when its name can be used again")
def deleted_domain(story: Story) -> None:
    client, name = story.engine.customer_profiles, story.names.domain
    client.delete_domain(DomainName=name)
    seconds = story.wait_for(lambda: story.existing(name) == set(), at_most=300)
    story.note("GetDomain no longer sees a deleted domain", f"after {seconds:.1f} s")
    result = result_of(lambda: client.get_domain(DomainName=name))
    story.note("GetDomain of a deleted domain", result)
    story.promise("it is a ResourceNotFoundException", result.partition(":")[0], "ResourceNotFoundException")
    answers: list[str] = []

    def can_be_made() -> bool:
        answers.append(result_of(lambda: client.create_domain(DomainName=name, DefaultExpirationDays=DAYS)))
        return answers[-1] == "taken"

    seconds = story.wait_for(can_be_made, at_most=300)
    story.note("the name can be used again", f"after {seconds:.1f} s, first {answers[0]!r}", NAME_AGAIN)
    client.delete_domain(DomainName=name)


BEHAVIOUR = (new_domain, identity_resolution, refusals, deleted_domain)


@step("A customer's key", "a stack creates a domain that is encrypted with the key in the template")
def customers_key(story: Story) -> None:
    name = story.names.domain
    story.deploy(example(story, DefaultEncryptionKey=story.engine.key), ends="CREATE_COMPLETE")
    story.note("the form in which the key is reported", str(story.domain(name).get("DefaultEncryptionKey")), KEY)
    story.deploy(example(story), ends="UPDATE_COMPLETE")
    story.promise("the key can be removed", story.domain(name).get("DefaultEncryptionKey") or "", "")
    story.delete()


CUSTOMER_KEY = (customers_key,)
