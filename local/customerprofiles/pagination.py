"""The pages of the List operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from botocore.paginate import TokenDecoder, TokenEncoder

from .exceptions import BadRequestException

ITEMS_PER_PAGE = 100

Item = TypeVar("Item")


def page_of(
    items: Mapping[str, Item], next_token: str | None, max_results: int | None
) -> tuple[list[Item], str | None]:
    """Return a page of `items` in the order of their keys, and the token of the next page.

    The token names the last key of the page, not the first of the next (as moto's paginator does), so that a listing
    goes on when an item is deleted meanwhile.
    """
    last_key = _last_key(next_token) if next_token else ""
    rest = sorted(key for key in items if key > last_key)
    page = rest[: max_results or ITEMS_PER_PAGE]
    token = TokenEncoder().encode({"LastKey": page[-1]}) if len(page) < len(rest) else None
    return [items[key] for key in page], token


def _last_key(token: str) -> str:
    try:
        return str(TokenDecoder().decode(token)["LastKey"])
    except (ValueError, TypeError, KeyError) as error:
        raise BadRequestException("The NextToken is not valid") from error
