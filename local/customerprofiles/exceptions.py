"""Exceptions raised by the customerprofiles service. Their HTTP status comes from the API's model.

The package's docstring tells which messages are known from AWS and which are guessed.
"""

from moto.core.exceptions import ServiceException


class BadRequestException(ServiceException):
    code = "BadRequestException"

    def __init__(self, message: str):
        super().__init__(message)


class ResourceNotFoundException(ServiceException):
    code = "ResourceNotFoundException"

    def __init__(self, message: str):
        super().__init__(message)


class AccessDeniedException(ServiceException):
    code = "AccessDeniedException"

    def __init__(self, message: str):
        super().__init__(message)


class ThrottlingException(ServiceException):
    code = "ThrottlingException"

    def __init__(self) -> None:
        super().__init__("Rate exceeded")


class AccessDenied(AccessDeniedException):
    def __init__(self, principal: str, action: str, resource: str, reason: str):
        super().__init__(f"User: {principal} is not authorized to perform: {action} on resource: {resource} {reason}")


class DomainAlreadyExists(BadRequestException):
    def __init__(self, domain_name: str):
        super().__init__(f"Domain {domain_name} already exists")


class DomainNotFound(ResourceNotFoundException):
    def __init__(self, domain_name: str, account_id: str):
        super().__init__(f"Domain {domain_name} is not found in account {account_id}")


class ObjectTypeNotFound(ResourceNotFoundException):
    def __init__(self, object_type_name: str, domain_name: str):
        super().__init__(f"Object type {object_type_name} is not found in domain {domain_name}")


class DataStoreNotEnabled(BadRequestException):
    def __init__(self, domain_name: str):
        super().__init__(f"The data store of domain {domain_name} is not enabled")


class GrantFailed(BadRequestException):
    def __init__(self) -> None:
        super().__init__("Failed to grant access to key")


class QueueOfAnotherAccount(BadRequestException):
    def __init__(self) -> None:
        super().__init__("Error queue URL does not belong to your account ID")


class QueueNotWritable(BadRequestException):
    def __init__(self, url: str):
        super().__init__(f"Failed to send a message to the error queue {url}: its policy does not allow it")


class BucketNotWritable(BadRequestException):
    def __init__(self, bucket: str):
        super().__init__(f"Failed to write to the S3 bucket {bucket}: its policy does not allow it")


class RuleBasedMatchingInProgress(BadRequestException):
    def __init__(self, domain_name: str):
        super().__init__(
            f"The rule-based matching configuration of domain {domain_name} "
            "can't be changed while its status is IN_PROGRESS"
        )


class TooManyTags(BadRequestException):
    def __init__(self, arn: str, limit: int):
        super().__init__(f"The resource {arn} can't have more than {limit} tags")
