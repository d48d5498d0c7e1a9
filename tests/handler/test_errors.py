"""The API's errors: the kind of each, the message for the user, and whether the call may have been carried out.

TestAccessDenied is a good start: it shows messages of AWS and what the user reads instead.
"""

from __future__ import annotations

from typing import Any

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

from handler.attempts import Fate
from handler.errors import ApiError, Call, DomainNotFoundError, Kind, from_connection, from_response, kind_of

ARN = "arn:aws:profile:eu-central-1:123456789012:domains/customers"
ROLE = "arn:aws:sts::123456789012:assumed-role/provider-role/provider"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/5b6c8aa0"
CREATE = Call("CreateDomain", "customers", ARN)
WITH_KEY = Call("CreateDomain", "customers", ARN, names_resources=True)
RULES = Call("UpdateDomain", "customers", ARN, only_rules=True)


def answered(code: str, text: str, status: int, call: Call = CREATE, seconds: float = 0.0) -> ApiError:
    """The exception of the caller for this response of the API."""
    response: Any = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return from_response(ClientError(response, call.operation), call, seconds)


class TestKind:
    @pytest.mark.parametrize(
        ("code", "text", "status", "call", "kind"),
        [
            pytest.param("ThrottlingException", "slow down", 429, CREATE, Kind.THROTTLED, id="429 and the API's code"),
            pytest.param("ThrottlingException", "slow down", 400, CREATE, Kind.THROTTLED, id="the API's code alone"),
            pytest.param("TooManyRequestsException", "-", 400, CREATE, Kind.THROTTLED, id="the code of API gateways"),
            pytest.param("429", "", 429, CREATE, Kind.THROTTLED, id="429 without a code"),
            pytest.param("InternalServerException", "-", 500, CREATE, Kind.FAILED, id="an error of the API's own"),
            pytest.param("502", "", 502, CREATE, Kind.FAILED, id="a gateway's 502"),
            pytest.param("AccessDeniedException", "-", 403, CREATE, Kind.DENIED, id="AccessDenied"),
            pytest.param("BadRequestException", "-", 400, CREATE, Kind.REFUSED, id="a BadRequest for plain settings"),
            pytest.param("BadRequestException", "-", 400, WITH_KEY, Kind.NOT_GRANTED, id="a BadRequest for a key"),
            pytest.param(
                "BadRequestException", "Domain customers already exists", 400, WITH_KEY, Kind.EXISTS, id="a name in use"
            ),
            pytest.param("ExpiredTokenException", "-", 403, CREATE, Kind.FINAL, id="another 403"),
        ],
    )
    def test_an_answer_is_of_this_kind(self, code: str, text: str, status: int, call: Call, kind: Kind) -> None:
        assert kind_of(code, text, status, call) is kind

    def test_an_error_response_means_refused_unless_it_is_a_server_error(self) -> None:
        assert answered("ThrottlingException", "-", 429).fate is Fate.REFUSED
        assert answered("AccessDeniedException", "-", 403).fate is Fate.REFUSED
        assert answered("InternalServerException", "-", 500).fate is Fate.UNKNOWN

    def test_a_name_in_use_and_throttling_can_be_told_apart_from_other_errors(self) -> None:
        assert answered("BadRequestException", "Domain customers already exists", 400).already_exists
        assert not answered("BadRequestException", "Domain name is invalid", 400).already_exists
        assert answered("ThrottlingException", "-", 429).throttled
        assert not answered("BadRequestException", "-", 400).throttled

    def test_an_absent_domain_has_its_own_error(self) -> None:
        assert isinstance(answered("ResourceNotFoundException", "-", 404), DomainNotFoundError)


class TestAccessDenied:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            pytest.param("", f"Allow the function's role profile:CreateDomain on {ARN}", id="AWS says nothing"),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: profile:CreateDomain on resource: {ARN} "
                "because no identity-based policy allows the profile:CreateDomain action",
                f"Allow the function's role profile:CreateDomain on {ARN} (",
                id="the action called",
            ),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: profile:TagResource on resource: {ARN}.",
                f"Allow the function's role profile:TagResource on {ARN} (",
                id="a dependent action of the same service",
            ),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: iam:CreateServiceLinkedRole on resource: "
                "arn:aws:iam::123456789012:role/aws-service-role/profile.amazonaws.com/AWSServiceRoleForProfile_1",
                "Allow the function's role iam:CreateServiceLinkedRole on arn:aws:iam::123456789012:role/"
                "aws-service-role/profile.amazonaws.com/AWSServiceRoleForProfile_1 (",
                id="the service-linked role",
            ),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: kms:CreateGrant on resource: {KEY} because no "
                "resource-based policy allows the kms:CreateGrant action",
                f"Allow the function's role kms:CreateGrant on {KEY} in the resource-based policy. "
                "Name the key's ARN in the parameter KeyArns",
                id="a key whose own policy does not allow it",
            ),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: kms:CreateGrant",
                "Allow the function's role kms:CreateGrant. Name the key's ARN in the parameter KeyArns",
                id="an action without a resource",
            ),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: profile:CreateDomain on resource: {ARN} because no "
                "permissions boundary allows the profile:CreateDomain action",
                f"Allow the function's role profile:CreateDomain on {ARN} in the permissions boundary",
                id="a permissions boundary that does not allow it",
            ),
            pytest.param(
                f"User: {ROLE} is not authorized to perform: profile:CreateDomain on resource: {ARN} with an explicit "
                "deny in a service control policy",
                f"Remove what denies profile:CreateDomain on {ARN} from the service control policy",
                id="an explicit deny",
            ),
        ],
    )
    def test_the_reason_names_what_aws_denied_and_in_whose_policy(self, text: str, said: str) -> None:
        reason = str(answered("AccessDeniedException", text, 403))

        assert f"CreateDomain of domain customers: not allowed. {said}" in reason
        assert reason.endswith(f"({text})"), "AWS's own text is kept"


class TestBadRequest:
    def test_a_key_that_cannot_be_granted_says_what_to_do(self) -> None:
        reason = str(answered("BadRequestException", "Failed to grant access to key", 400, WITH_KEY, 61.2))

        assert "refused by the API, in spite of retries for 61 s: Failed to grant access to key" in reason
        assert "the parameter KeyArns" in reason
        assert "the key's policy allow the function's role and the service principal profile.amazonaws.com" in reason

    def test_a_bad_request_that_was_not_retried_keeps_the_apis_text(self) -> None:
        assert str(answered("BadRequestException", "Too long", 400)).endswith(": refused by the API: Too long")

    def test_refused_rules_say_how_to_go_on_in_a_rollback_too(self) -> None:
        reason = str(answered("BadRequestException", "Cannot update rules", 400, RULES))

        assert "refused by the API: Cannot update rules" in reason
        assert "RuleBasedMatching.Status of the domain is IN_PROGRESS" in reason
        assert "aws cloudformation continue-update-rollback" in reason


class TestConnection:
    @pytest.mark.parametrize(
        ("error", "fate"),
        [
            pytest.param(botocore.exceptions.EndpointConnectionError(endpoint_url="-"), Fate.NOT_SENT, id="refused"),
            pytest.param(botocore.exceptions.ConnectTimeoutError(endpoint_url="-"), Fate.NOT_SENT, id="no connection"),
            pytest.param(botocore.exceptions.ProxyConnectionError(proxy_url="-"), Fate.NOT_SENT, id="no proxy"),
            pytest.param(botocore.exceptions.NoCredentialsError(), Fate.NOT_SENT, id="no credentials"),
            pytest.param(botocore.exceptions.ReadTimeoutError(endpoint_url="-"), Fate.UNKNOWN, id="no response"),
            pytest.param(botocore.exceptions.ConnectionClosedError(endpoint_url="-"), Fate.UNKNOWN, id="closed"),
            pytest.param(botocore.exceptions.SSLError(endpoint_url="-", error=OSError()), Fate.UNKNOWN, id="TLS broke"),
            pytest.param(botocore.exceptions.ResponseStreamingError(error="-"), Fate.UNKNOWN, id="half a response"),
        ],
    )
    def test_a_call_can_have_succeeded_only_if_there_was_a_connection(self, error: Exception, fate: Fate) -> None:
        assert from_connection(error, CREATE, 3.0).fate is fate

    def test_an_endpoint_that_does_not_exist_names_the_regions_that_have_one(self) -> None:
        error = botocore.exceptions.EndpointConnectionError(endpoint_url="https://profile.eu-north-1.amazonaws.com")

        reason = str(from_connection(error, CREATE, 9.0, ["eu-central-1", "us-east-1"]))

        assert "Customer Profiles does not exist in this region. Use one of eu-central-1, us-east-1" in reason

    def test_missing_credentials_are_not_retried_but_a_broken_connection_is(self) -> None:
        broken = botocore.exceptions.ConnectionClosedError(endpoint_url="-")

        assert from_connection(botocore.exceptions.NoCredentialsError(), CREATE, 0.0).kind is Kind.FINAL
        assert from_connection(broken, CREATE, 0.0).kind is Kind.FAILED
