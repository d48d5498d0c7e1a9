"""The resource's attributes for Fn::GetAtt, and for `Data` in the answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.model import Shape


def outputs(live: Mapping[str, Any], arn: str, reported: Shape, asked: Shape) -> dict[str, str | int | float]:
    """Read the attributes from a live domain.

    They are the domain's name and ARN, and every value that the API reports (`reported`, the output shape of GetDomain)
    and that a template can't set (`asked`, the input shape of CreateDomain): CreatedAt, Stats.ProfileCount, ...
    A value that this domain does not have is left out.
    """
    return {"DomainName": live["DomainName"], "DomainArn": arn, **_read_only(live, reported, asked)}


def _read_only(value: Mapping[str, Any], reported: Any, asked: Any, prefix: str = "") -> dict[str, str | int | float]:
    attributes: dict[str, str | int | float] = {}
    known = getattr(asked, "members", {})
    for name, shape in reported.members.items():
        if name not in value:
            continue
        if shape.type_name == "structure":
            attributes |= _read_only(value[name], shape, known.get(name), f"{prefix}{name}.")
        elif name not in known and shape.type_name not in ("list", "map"):
            attributes[prefix + name] = _plain(value[name])
    return attributes


def _plain(value: Any) -> str | int | float:
    """A value as CloudFormation takes it in Data: a string or a number."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, (int, float)) else str(value)
