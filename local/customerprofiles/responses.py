"""Handles incoming customerprofiles requests, invokes methods, returns responses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from botocore.model import OperationModel
from moto.core.request import Request
from moto.core.responses import ActionResult, BaseResponse, EmptyResult
from moto.core.utils import get_service_model

from .access import Caller, Credentials
from .models import CustomerProfilesBackend, customerprofiles_backends, request_tags
from .request import RequestReader


class CustomerProfilesResponse(BaseResponse):
    """Handler for CustomerProfiles requests and responses."""

    # The body is decoded where a mistake in its encoding can be answered as one.
    use_raw_body = True

    def __init__(self) -> None:
        super().__init__(service_name="customer-profiles")
        self._action = ""

    @property
    def customerprofiles_backend(self) -> CustomerProfilesBackend:
        """Return backend instance specific for this region."""
        return customerprofiles_backends[self.current_account][self.region]

    def _get_action(self) -> str:
        # moto makes an instance for each request and asks it four times; its router compares with every path each time.
        if not self._action:
            self._action = super()._get_action()
        return self._action

    def _get_action_from_method_and_request_uri(self, request: Request) -> str:
        # moto's router passes over an operation whose required query parameter is missing; the service names it.
        if request.method == "DELETE" and request.path.startswith("/tags/") and "tagKeys" not in request.args:
            self.uri_match = {"resourceArn": request.path.removeprefix("/tags/")}
            return "UntagResource"
        return super()._get_action_from_method_and_request_uri(request)

    @property
    def _operation(self) -> OperationModel:
        model: OperationModel = get_service_model(self.boto3_service_name).operation_model(self._get_action())
        return model

    @property
    def _caller(self) -> Caller:
        signed_with = re.search("Credential=([^/]+)/", self.headers.get("Authorization", ""))
        credentials = Credentials(
            access_key_id=signed_with[1] if signed_with else self.access_key,
            session_token=self.headers.get("X-Amz-Security-Token"),
        )
        return Caller(credentials, self.customerprofiles_backend.authorizer)

    def _read_request(self) -> dict[str, Any]:
        """Check permission, quota and mistakes, in this order, and return the request's members."""
        reader = RequestReader(self._operation)
        request = reader.read(uri=self.uri_match, query=self.normalized_request.args, body=self.raw_body)
        self._authorize(request)
        if (quotas := self.customerprofiles_backend.quotas) is not None:
            quotas.count(self.current_account, self.region, self._operation.name)
        reader.raise_problems()
        return request

    def _authorize(self, request: dict[str, Any]) -> None:
        """Check the operation's own action, with the tags of the request and of the domain as condition keys."""
        backend = self.customerprofiles_backend
        if "DomainName" in request:
            resource = backend.domain_arn(request["DomainName"])
        else:
            resource = request.get("resourceArn", "*")
        domain = backend.domains.get(resource.rpartition(":domains/")[2])
        context: dict[str, str | Sequence[str]] = {}
        if domain:
            context |= {f"aws:ResourceTag/{key}": value for key, value in domain.tags.items()}
        tags = request.get("Tags", request.get("tags"))
        if isinstance(tags, dict):  # nothing has been validated so far
            context |= request_tags(tags)
        elif "tagKeys" in request:
            context["aws:TagKeys"] = request["tagKeys"]
        self._caller.require(f"profile:{self._operation.name}", resource, context)

    def create_domain(self) -> ActionResult:
        request = self._read_request()
        domain = self.customerprofiles_backend.create_domain(
            domain_name=request.pop("DomainName"),
            tags=request.pop("Tags", {}),
            configuration=request,
            caller=self._caller,
        )
        return ActionResult(domain.describe())

    def get_domain(self) -> ActionResult:
        request = self._read_request()
        domain = self.customerprofiles_backend.get_domain(domain_name=request["DomainName"])
        domain.advance()
        return ActionResult(domain.describe())

    def update_domain(self) -> ActionResult:
        request = self._read_request()
        # Tags are in the model, but its documentation sends those who want to change them to TagResource
        # and UntagResource.
        request.pop("Tags", None)
        domain = self.customerprofiles_backend.update_domain(
            domain_name=request.pop("DomainName"),
            configuration=request,
            caller=self._caller,
        )
        return ActionResult(domain.describe())

    def delete_domain(self) -> ActionResult:
        request = self._read_request()
        self.customerprofiles_backend.delete_domain(domain_name=request["DomainName"])
        return ActionResult({"Message": f"Domain {request['DomainName']} deleted"})

    def list_domains(self) -> ActionResult:
        request = self._read_request()
        domains, next_token = self.customerprofiles_backend.list_domains(
            next_token=request.get("NextToken"),
            max_results=request.get("MaxResults"),
        )
        return ActionResult({"Items": [domain.describe() for domain in domains], "NextToken": next_token})

    def put_integration(self) -> ActionResult:
        request = self._read_request()
        integration = self.customerprofiles_backend.put_integration(
            domain_name=request.pop("DomainName"),
            uri=request.pop("Uri", None),
            configuration=request,
        )
        return ActionResult(integration.describe())

    def list_integrations(self) -> ActionResult:
        request = self._read_request()
        integrations, next_token = self.customerprofiles_backend.list_integrations(
            domain_name=request["DomainName"],
            include_hidden=request.get("IncludeHidden", False),
            next_token=request.get("NextToken"),
            max_results=request.get("MaxResults"),
        )
        return ActionResult({"Items": [item.describe() for item in integrations], "NextToken": next_token})

    def put_profile_object_type(self) -> ActionResult:
        request = self._read_request()
        object_type = self.customerprofiles_backend.put_profile_object_type(
            domain_name=request.pop("DomainName"),
            object_type_name=request.pop("ObjectTypeName"),
            description=request.pop("Description"),
            configuration=request,
        )
        return ActionResult(object_type.describe())

    def list_profile_object_types(self) -> ActionResult:
        request = self._read_request()
        object_types, next_token = self.customerprofiles_backend.list_profile_object_types(
            domain_name=request["DomainName"],
            next_token=request.get("NextToken"),
            max_results=request.get("MaxResults"),
        )
        return ActionResult({"Items": [item.describe() for item in object_types], "NextToken": next_token})

    def put_domain_object_type(self) -> ActionResult:
        request = self._read_request()
        object_type = self.customerprofiles_backend.put_domain_object_type(
            domain_name=request.pop("DomainName"),
            object_type_name=request.pop("ObjectTypeName"),
            configuration=request,
        )
        return ActionResult(object_type.describe())

    def list_domain_object_types(self) -> ActionResult:
        request = self._read_request()
        object_types, next_token = self.customerprofiles_backend.list_domain_object_types(
            domain_name=request["DomainName"],
            next_token=request.get("NextToken"),
            max_results=request.get("MaxResults"),
        )
        return ActionResult({"Items": [item.describe() for item in object_types], "NextToken": next_token})

    def put_profile_object(self) -> ActionResult:
        request = self._read_request()
        key = self.customerprofiles_backend.put_profile_object(
            domain_name=request["DomainName"],
            object_type_name=request["ObjectTypeName"],
            content=request["Object"],
        )
        return ActionResult({"ProfileObjectUniqueKey": key})

    def create_profile(self) -> ActionResult:
        request = self._read_request()
        profile_id = self.customerprofiles_backend.create_profile(domain_name=request["DomainName"])
        return ActionResult({"ProfileId": profile_id})

    def tag_resource(self) -> ActionResult:
        request = self._read_request()
        self.customerprofiles_backend.tag_resource(arn=request["resourceArn"], tags=request["tags"])
        return EmptyResult()

    def untag_resource(self) -> ActionResult:
        request = self._read_request()
        self.customerprofiles_backend.untag_resource(arn=request["resourceArn"], tag_keys=request["tagKeys"])
        return EmptyResult()

    def list_tags_for_resource(self) -> ActionResult:
        request = self._read_request()
        return ActionResult({"tags": self.customerprofiles_backend.list_tags_for_resource(arn=request["resourceArn"])})
