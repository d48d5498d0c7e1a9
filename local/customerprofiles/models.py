"""CustomerProfilesBackend class with methods for supported APIs."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from threading import RLock
from typing import Any, ClassVar

from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.core.resource_tagging import TaggableResourcesMixin, TaggedResource
from moto.core.utils import get_service_model, utcnow
from moto.moto_api import state_manager
from moto.moto_api._internal import mock_random
from moto.moto_api._internal.managed_state_model import ManagedState
from moto.utilities.utils import get_partition

from .access import AllowEverything, Authorizer, Caller, ResourcePolicies
from .dependencies import DependencyCheck, Place
from .exceptions import (
    BadRequestException,
    DataStoreNotEnabled,
    DomainAlreadyExists,
    DomainNotFound,
    ObjectTypeNotFound,
    ResourceNotFoundException,
    RuleBasedMatchingInProgress,
    TooManyTags,
)
from .pagination import page_of
from .quotas import Quotas

RULE_BASED_MATCHING = "customer-profiles::rule-based-matching"
SERVICE = "profile.amazonaws.com"
SERVICE_LINKED_ROLE = "AWSServiceRoleForProfile"


class RuleBasedMatchingRun(ManagedState):
    """The status of one rule-based matching configuration, from its request until it is in use.

    PENDING lasts an hour, as the documentation of RuleBasedMatching.Status says; how long IN_PROGRESS takes it does
    not say. Tests set the status, or move it on with moto's state transitions, for which a running server has
    a URL: POST /moto-api/state-manager/set-transition
    {"model_name": "customer-profiles::rule-based-matching", "transition": {"progression": "manual", "times": 1}}
    lets each GetDomain bring the next status.
    """

    def __init__(self, new_domain: bool):
        super().__init__(
            RULE_BASED_MATCHING,
            transitions=[("PENDING", "IN_PROGRESS"), ("IN_PROGRESS", "ACTIVE")],
        )
        self._new_domain = new_domain
        if new_domain:  # a new domain has no data that must wait
            self.status = "IN_PROGRESS"

    @property
    def refuses_changes(self) -> bool:
        """Whether the service is evaluating existing data. A domain that was made with these rules has none."""
        return self.status == "IN_PROGRESS" and not self._new_domain


class DomainItem(BaseModel):
    """An integration or an object type in a domain: what was put, under the API's own names."""

    def __init__(self, configuration: dict[str, Any], hidden: bool = False):
        self.configuration = deepcopy(configuration)
        self.hidden = hidden  # an integration that ListIntegrations shows with IncludeHidden only
        self.created_at = self.last_updated_at = utcnow()

    def update(self, configuration: dict[str, Any]) -> None:
        self.configuration = deepcopy(configuration)
        self.last_updated_at = utcnow()

    def describe(self) -> dict[str, Any]:
        return {**self.configuration, "CreatedAt": self.created_at, "LastUpdatedAt": self.last_updated_at}


class Domain(BaseModel):
    """A domain. `configuration` holds the members of CreateDomain under the API's own names.

    A test puts something into it by setting `profile_count`, `object_count` and `total_size`, and by `put_integration`,
    `put_object_type` and `put_domain_object_type` (or by setting the attributes that these fill). A domain that a
    stack made with the native resource type has tags of CloudFormation's own, which a test puts into `tags`.
    """

    def __init__(
        self,
        domain_name: str,
        configuration: dict[str, Any],
        tags: dict[str, str],
        account_id: str,
        region_name: str,
    ):
        self.name = domain_name
        self.arn = domain_arn(region_name, account_id, domain_name)
        # The service creates one with each domain and deletes it with the domain.
        self.service_linked_role = f"{SERVICE_LINKED_ROLE}_{mock_random.get_random_hex(12)}"
        self.configuration: dict[str, Any] = {}
        self.tags = dict(tags)
        self.created_at = self.last_updated_at = utcnow()
        self.profile_count = 0
        self.object_count = 0
        self.total_size = 0
        self.integrations: dict[str, DomainItem] = {}  # by Uri
        self.object_types: dict[str, DomainItem] = {}  # by ObjectTypeName, as are the next
        self.domain_object_types: dict[str, DomainItem] = {}
        self._rule_based_matching_run: RuleBasedMatchingRun | None = None
        self._lock = RLock()
        self._configure(configuration, new_domain=True)

    @property
    def rule_based_matching_status(self) -> str | None:
        """PENDING, IN_PROGRESS or ACTIVE; None while rule-based matching is off. Tests may set it."""
        run = self._rule_based_matching_run
        return run.status if run else None

    @rule_based_matching_status.setter
    def rule_based_matching_status(self, status: str) -> None:
        if self._rule_based_matching_run is None:
            raise ValueError(f"Rule-based matching is not enabled in domain {self.name}")
        # As if it came from an update: IN_PROGRESS refuses changes then.
        self._rule_based_matching_run = RuleBasedMatchingRun(new_domain=False)
        self._rule_based_matching_run.status = status

    def advance(self) -> None:
        """Count a GetDomain, for the state transition `manual`."""
        with self._lock:
            if self._rule_based_matching_run:
                self._rule_based_matching_run.advance()

    def update(self, configuration: dict[str, Any]) -> None:
        """Change only what `configuration` contains. A structure is replaced as a whole."""
        with self._lock:
            run = self._rule_based_matching_run
            if "RuleBasedMatching" in configuration and run and run.refuses_changes:
                raise RuleBasedMatchingInProgress(self.name)
            self._configure(configuration, new_domain=False)
            # Timestamps in responses have milliseconds, and each update must be later than the one before.
            self.last_updated_at = max(utcnow(), self.last_updated_at + timedelta(milliseconds=1))

    def _configure(self, configuration: dict[str, Any], new_domain: bool) -> None:
        configuration = deepcopy(configuration)
        matching = configuration.get("Matching")
        if matching and matching["Enabled"]:
            # Documented in CreateDomain: "by default it runs every Saturday at 12AM UTC".
            matching.setdefault("JobSchedule", {"DayOfTheWeek": "SATURDAY", "Time": "00:00"})
        rule_based_matching = configuration.get("RuleBasedMatching")
        if rule_based_matching and not rule_based_matching["Enabled"]:
            self._rule_based_matching_run = None
        elif rule_based_matching and rule_based_matching != self.configuration.get("RuleBasedMatching"):
            self._rule_based_matching_run = RuleBasedMatchingRun(new_domain)
        configuration = {**self.configuration, **configuration}
        # Documented in UpdateDomain: an empty string clears the value.
        self.configuration = {name: value for name, value in configuration.items() if value != ""}

    def tag(self, tags: dict[str, str]) -> None:
        with self._lock:
            merged = {**self.tags, **tags}
            limit = get_service_model("customer-profiles").shape_for("TagMap").metadata["max"]
            # CloudFormation's own tags on a domain of the native type don't count.
            if sum(not key.startswith("aws:") for key in merged) > limit:
                raise TooManyTags(self.arn, limit)
            self.tags = merged

    def untag(self, tag_keys: list[str]) -> None:
        with self._lock:
            self.tags = {key: value for key, value in self.tags.items() if key not in tag_keys}

    def describe(self) -> dict[str, Any]:
        """Return the domain as GetDomain does; the responses of other operations are a part of it."""
        with self._lock:
            description = deepcopy(self.configuration)
            if self.rule_based_matching_status:
                description["RuleBasedMatching"]["Status"] = self.rule_based_matching_status
            if "DataStore" in description:
                enabled = description["DataStore"].get("Enabled", False)
                description["DataStore"]["Enabled"] = enabled
                if enabled:
                    description["DataStore"]["Readiness"] = {
                        "ProgressPercentage": 100,
                        "Message": "The data store is ready",
                    }
            return {
                **description,
                "DomainName": self.name,
                "CreatedAt": self.created_at,
                "LastUpdatedAt": self.last_updated_at,
                "Tags": dict(self.tags),
                "Stats": {
                    "ProfileCount": self.profile_count,
                    "MeteringProfileCount": self.profile_count,
                    "ObjectCount": self.object_count,
                    "TotalSize": self.total_size,
                },
            }

    def add_profile(self) -> None:
        with self._lock:
            self.profile_count += 1

    def add_object(self, size: int) -> None:
        with self._lock:
            self.object_count += 1
            self.total_size += size

    def put_integration(self, uri: str, hidden: bool = False, **configuration: Any) -> DomainItem:
        """Add or replace an integration; `configuration` has the other members of PutIntegration.

        A Connect instance is bound to its domain by one whose `uri` is the instance's ARN and whose ObjectTypeName
        is "CTR".
        """
        configuration = {"Scope": "PROFILE", **configuration, "DomainName": self.name, "Uri": uri}
        item = self._put(self.integrations, uri, configuration)
        item.hidden = hidden
        return item

    def put_object_type(self, name: str, description: str = "-", **configuration: Any) -> DomainItem:
        """Add or replace a profile object type; `configuration` has the other members of PutProfileObjectType."""
        return self._put(self.object_types, name, {**configuration, "ObjectTypeName": name, "Description": description})

    def put_domain_object_type(self, name: str, **configuration: Any) -> DomainItem:
        """Add or replace a domain object type; `configuration` has the other members of PutDomainObjectType."""
        return self._put(self.domain_object_types, name, {**configuration, "ObjectTypeName": name})

    def _put(self, items: dict[str, DomainItem], key: str, configuration: dict[str, Any]) -> DomainItem:
        with self._lock:
            if key in items:
                items[key].update(configuration)
            else:
                items[key] = DomainItem(configuration)
            return items[key]


class CustomerProfilesBackend(BaseBackend, TaggableResourcesMixin):
    """Implementation of CustomerProfiles APIs."""

    SERVICE_NAMESPACE = "profile"

    # The permission checks, for all accounts and regions (see access.py).
    authorizer: ClassVar[Authorizer] = AllowEverything()
    resource_policies: ClassVar[ResourcePolicies] = AllowEverything()
    # The limits of calls a second; None for no limit (see quotas.py).
    quotas: ClassVar[Quotas | None] = None

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.domains: dict[str, Domain] = {}
        # The server handles requests in threads, and of two CreateDomain with one name the second has to fail.
        self._lock = RLock()
        state_manager.register_default_transition(
            RULE_BASED_MATCHING, transition={"progression": "time", "seconds": 3600}
        )

    def domain_arn(self, domain_name: str) -> str:
        return domain_arn(self.region_name, self.account_id, domain_name)

    def create_domain(
        self, domain_name: str, configuration: dict[str, Any], tags: dict[str, str], caller: Caller
    ) -> Domain:
        if tags:
            caller.require("profile:TagResource", self.domain_arn(domain_name), request_tags(tags))
        if domain_name in self.domains:
            raise DomainAlreadyExists(domain_name)
        domain = Domain(domain_name, configuration, tags, self.account_id, self.region_name)
        self._check_dependencies(domain, configuration, caller)
        caller.require(
            "iam:CreateServiceLinkedRole",
            f"arn:{self.partition}:iam::{self.account_id}:role/aws-service-role/{SERVICE}/{domain.service_linked_role}",
            {"iam:AWSServiceName": SERVICE},
        )
        with self._lock:  # not held above, since permission checks can be slow
            if domain_name in self.domains:
                raise DomainAlreadyExists(domain_name)
            self.domains[domain_name] = domain
        return domain

    def get_domain(self, domain_name: str) -> Domain:
        with self._lock:
            if domain_name not in self.domains:
                raise DomainNotFound(domain_name, self.account_id)
            return self.domains[domain_name]

    def update_domain(self, domain_name: str, configuration: dict[str, Any], caller: Caller) -> Domain:
        domain = self.get_domain(domain_name)
        self._check_dependencies(domain, configuration, caller)
        domain.update(configuration)
        return domain

    def _check_dependencies(self, domain: Domain, configuration: dict[str, Any], caller: Caller) -> None:
        place = Place(self.partition, self.region_name, self.account_id, domain.arn)
        before = domain.configuration if domain.name in self.domains else {}
        DependencyCheck(place, caller, self.resource_policies).check(configuration, before)

    def delete_domain(self, domain_name: str) -> None:
        with self._lock:
            self.get_domain(domain_name)
            del self.domains[domain_name]

    def list_domains(self, next_token: str | None, max_results: int | None) -> tuple[list[Domain], str | None]:
        with self._lock:
            return page_of(self.domains, next_token, max_results)

    def list_integrations(
        self, domain_name: str, include_hidden: bool, next_token: str | None, max_results: int | None
    ) -> tuple[list[DomainItem], str | None]:
        integrations = self.get_domain(domain_name).integrations
        shown = {uri: item for uri, item in list(integrations.items()) if include_hidden or not item.hidden}
        return page_of(shown, next_token, max_results)

    def list_profile_object_types(
        self, domain_name: str, next_token: str | None, max_results: int | None
    ) -> tuple[list[DomainItem], str | None]:
        return page_of(dict(self.get_domain(domain_name).object_types), next_token, max_results)

    def list_domain_object_types(
        self, domain_name: str, next_token: str | None, max_results: int | None
    ) -> tuple[list[DomainItem], str | None]:
        return page_of(dict(self.get_domain(domain_name).domain_object_types), next_token, max_results)

    def put_integration(self, domain_name: str, uri: str | None, configuration: dict[str, Any]) -> DomainItem:
        domain = self.get_domain(domain_name)
        if uri is None:
            raise BadRequestException("Uri must be specified")
        return domain.put_integration(uri, **configuration)

    def put_profile_object_type(
        self, domain_name: str, object_type_name: str, description: str, configuration: dict[str, Any]
    ) -> DomainItem:
        return self.get_domain(domain_name).put_object_type(object_type_name, description, **configuration)

    def put_domain_object_type(
        self, domain_name: str, object_type_name: str, configuration: dict[str, Any]
    ) -> DomainItem:
        domain = self.get_domain(domain_name)
        if not domain.configuration.get("DataStore", {}).get("Enabled"):
            raise DataStoreNotEnabled(domain_name)
        return domain.put_domain_object_type(object_type_name, **configuration)

    def put_profile_object(self, domain_name: str, object_type_name: str, content: str) -> str:
        """Count an object in the domain, so that Stats report it; its content is not kept."""
        domain = self.get_domain(domain_name)
        if object_type_name not in domain.object_types:
            raise ObjectTypeNotFound(object_type_name, domain_name)
        domain.add_object(len(content.encode()))
        return mock_random.uuid4().hex

    def create_profile(self, domain_name: str) -> str:
        """Count a profile in the domain, so that Stats report it; its content is not kept."""
        self.get_domain(domain_name).add_profile()
        return mock_random.uuid4().hex

    def tag_resource(self, arn: str, tags: dict[str, str]) -> None:
        self._find_by_arn(arn).tag(tags)

    def untag_resource(self, arn: str, tag_keys: list[str]) -> None:
        self._find_by_arn(arn).untag(tag_keys)

    def list_tags_for_resource(self, arn: str) -> dict[str, str]:
        return self._find_by_arn(arn).tags

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        for domain in list(self.domains.values()):
            yield TaggedResource(arn=domain.arn, tags=domain.tags, resource_type="profile:domains")

    def _find_by_arn(self, arn: str) -> Domain:
        with self._lock:
            for domain in self.domains.values():
                if domain.arn == arn:
                    return domain
        raise ResourceNotFoundException(f"Resource {arn} does not exist")


def domain_arn(region_name: str, account_id: str, domain_name: str) -> str:
    return f"arn:{get_partition(region_name)}:profile:{region_name}:{account_id}:domains/{domain_name}"


def request_tags(tags: dict[str, str]) -> dict[str, str | list[str]]:
    """The condition keys of a request with tags."""
    return {"aws:TagKeys": list(tags), **{f"aws:RequestTag/{key}": value for key, value in tags.items()}}


customerprofiles_backends = BackendDict(CustomerProfilesBackend, "customer-profiles")
