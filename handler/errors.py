"""Errors of calls to the API: their kinds, and their words, which say what to do."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)
from botocore.model import OperationModel

from handler.attempts import Fate


class Kind(enum.Enum):
    """What an error means for the next attempt at the same call."""

    THROTTLED = "too many calls at this moment"
    FAILED = "the API failed, or did not answer"
    DENIED = "access denied, perhaps since a new permission has not spread yet"
    NOT_GRANTED = "a key, a queue or a bucket was refused, perhaps since its policy has not spread yet"
    EXISTS = "there is a domain of that name"
    REFUSED = "the API does not take these arguments"
    FINAL = "the same call would get the same answer"


class ApiError(Exception):
    """A call that failed; str() says what to do about it.

    `unsettled`: it may have been carried out all the same, or may still be.
    `retryable`: it may succeed soon, but the caller has to look at the domain again before it calls again.
    """

    def __init__(self, text: str, *, kind: Kind = Kind.FINAL, fate: Fate = Fate.REFUSED, unsettled: bool = False):
        super().__init__(text)
        self.kind = kind
        self.fate = fate
        self.unsettled = unsettled or fate is Fate.UNKNOWN
        self.retryable = False

    @property
    def throttled(self) -> bool:
        """Whether it was one call too many."""
        return self.kind is Kind.THROTTLED

    @property
    def is_refused(self) -> bool:
        """Whether other arguments could get another answer."""
        return self.kind in (Kind.NOT_GRANTED, Kind.REFUSED)

    @property
    def already_exists(self) -> bool:
        """Whether it was refused since there is a domain of that name."""
        return self.kind is Kind.EXISTS


class DomainNotFoundError(ApiError):
    """There is no domain of that name."""


@dataclass(frozen=True)
class Call:
    """One call, as far as the words for its errors need it.

    `names_resources`: its arguments name a key, a queue or a bucket, whose policies the API checks.
    `only_rules`: it sends nothing but RuleBasedMatching.
    """

    operation: str
    domain_name: str
    arn: str
    names_resources: bool = False
    only_rules: bool = False

    def __str__(self) -> str:
        return f"{self.operation} of domain {self.domain_name}"


def from_response(error: ClientError, call: Call, seconds: float) -> ApiError:
    """The error that the API answered with, after the call was tried for so many seconds."""
    code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "ResourceNotFoundException":
        return DomainNotFoundError(f"{call}: there is no such domain ({text})")
    kind = kind_of(code, text, status, call)
    match kind:
        case Kind.THROTTLED:
            words = f"throttled for {seconds:.0f} s. Change fewer domains at once, or try again later ({text})"
        case Kind.FAILED:
            words = f"the API failed ({code}: {text}). Try again; if it goes on, ask AWS Support"
        case Kind.DENIED:
            words = _denied(text, call)
        case _:
            words = _refused(code, text, call, seconds)
    fate = Fate.UNKNOWN if kind is Kind.FAILED else Fate.REFUSED
    return ApiError(f"{call}: {words}", kind=kind, fate=fate)


def is_throttled(code: str, status: int) -> bool:
    """Whether it was one call too many. CloudFormation's code is the one without "Exception"."""
    return status == 429 or code in ("ThrottlingException", "TooManyRequestsException", "Throttling")


def kind_of(code: str, text: str, status: int, call: Call) -> Kind:
    """The kind of an error, from its code, its text and its HTTP status."""
    if is_throttled(code, status):
        return Kind.THROTTLED
    if status >= 500:
        return Kind.FAILED
    if code == "AccessDeniedException":
        return Kind.DENIED
    if code == "BadRequestException":
        if "already exists" in text:
            return Kind.EXISTS
        return Kind.NOT_GRANTED if call.names_resources else Kind.REFUSED
    return Kind.FINAL


# AWS names the action and the resource that it denied. They need not be those of the call, which may depend on others.
# The forms: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: (?P<action>[\w*:-]+)(?: on resource: (?P<resource>\S+))?")
_EXPLICIT_DENY = re.compile(r"with an explicit deny in (?:an? |the )?(?P<policy>[\w -]+)")
_NO_POLICY_ALLOWS = re.compile(r"because no (?P<policy>[\w -]+?) allows")


def _denied(text: str, call: Call) -> str:
    named = _NOT_AUTHORIZED.search(text)
    action = named["action"] if named else f"profile:{call.operation}"
    resource = (named["resource"] or "").rstrip(".") if named else ""
    if not resource and action.startswith("profile:"):
        resource = call.arn
    missing = f"{action} on {resource}" if resource else action
    if denied := _EXPLICIT_DENY.search(text):
        return f"not allowed. Remove what denies {missing} from the {denied['policy'].strip()} ({text})"
    no_policy = _NO_POLICY_ALLOWS.search(text)
    policy = no_policy["policy"] if no_policy else "identity-based policy"
    where = "" if policy == "identity-based policy" else f" in the {policy}"
    advice = f". {_KEY_ADVICE}" if action.startswith("kms:") else ""
    return f"not allowed. Allow the function's role {missing}{where}{advice} ({text})"


_KEY_ADVICE = (
    "Name the key's ARN in the parameter KeyArns of the function's stack, and let the key's policy allow the "
    "function's role and the service principal profile.amazonaws.com to use the key"
)


def _refused(code: str, text: str, call: Call, seconds: float) -> str:
    if code != "BadRequestException":
        return f"{code}: {text}"
    tried = f", in spite of retries for {seconds:.0f} s" if seconds >= 1 else ""
    words = f"refused by the API{tried}: {text}"
    if "Failed to grant access to key" in text:
        return f"{words}. {_KEY_ADVICE}"
    if call.only_rules:
        # As the API's model documents RuleBasedMatchingStatus.
        return (
            f"{words}. If RuleBasedMatching.Status of the domain is IN_PROGRESS, or became ACTIVE less than a day ago "
            "(aws customer-profiles get-domain shows it), the API does not change the rules: wait, then update the "
            "stack again, or, if a rollback failed, run aws cloudformation continue-update-rollback"
        )
    return words


# botocore raises these only before it has a connection, so the API never received the call.
_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError)


def from_connection(error: Exception, call: Call, seconds: float, regions: Sequence[str] = ()) -> ApiError:
    """The error for a call that got no response; `regions` are those of the API if the client's region has none."""
    if isinstance(error, BotoCoreError) and not isinstance(error, (HTTPClientError, ConnectionError)):
        return ApiError(f"{call}: {error}", fate=Fate.NOT_SENT)  # credentials are missing, for example
    fate = Fate.NOT_SENT if isinstance(error, _NEVER_SENT) else Fate.UNKNOWN
    if regions and fate is Fate.NOT_SENT:
        advice = f"Customer Profiles does not exist in this region. Use one of {', '.join(regions)}"
    else:
        advice = "Check that the function can reach the endpoint of Customer Profiles, then try again"
    cause = str(error).rstrip(".")
    return ApiError(
        f"{call}: no answer from the API for {seconds:.0f} s. {advice} ({cause})", kind=Kind.FAILED, fate=fate
    )


def check_response(response: Mapping[str, Any], call: Call, operation: OperationModel, expects: Sequence[str]) -> None:
    """Raise ApiError if the response lacks what it must have.

    botocore reads any text as a response with nothing in it, which would be a domain without an owner.
    """
    shape = operation.output_shape
    missing = {*(shape.required_members if shape else ()), *expects} - response.keys()
    if missing:
        raise ApiError(
            f"{call}: the answer lacks {', '.join(sorted(missing))}. Check that the function reaches the endpoint of "
            "Customer Profiles, then try again",
            fate=Fate.UNKNOWN,
        )
