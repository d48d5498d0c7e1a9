"""Exceptions raised by the customerprofiles service. Their HTTP status comes from the API's model."""

from moto.core.exceptions import ServiceException


class BadRequestException(ServiceException):
    code = "BadRequestException"

    def __init__(self, message: str):
        super().__init__(message)


class ResourceNotFoundException(ServiceException):
    code = "ResourceNotFoundException"

    def __init__(self, message: str):
        super().__init__(message)


class DomainAlreadyExists(BadRequestException):
    def __init__(self, domain_name: str):
        super().__init__(f"Domain {domain_name} already exists")


class DomainNotFound(ResourceNotFoundException):
    def __init__(self, domain_name: str):
        super().__init__(f"Domain {domain_name} does not exist")


class RuleBasedMatchingInProgress(BadRequestException):
    def __init__(self, domain_name: str):
        super().__init__(
            f"The rule-based matching configuration of domain {domain_name} "
            "can't be changed while its status is IN_PROGRESS"
        )


class TooManyTags(BadRequestException):
    def __init__(self, arn: str, limit: int):
        super().__init__(f"The resource {arn} can't have more than {limit} tags")
