"""Problems: what is wrong with a resource's properties, where it is, and the words for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]

_MOST_QUOTED = 64  # characters
_NEAR = 0.75  # of difflib's ratio: ExpirationDays is near DefaultExpirationDays (0.8), Stats is not near Tags (0.67)
_SHORTEST_PART = 3  # characters that a name may be recognised by


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the resource's properties, and where."""

    path: Path
    text: str

    def __str__(self) -> str:
        """`Matching.AutoMerging.Consolidation.MatchingAttributesList[0][1]: what is wrong`."""
        steps = "".join(f".{step}" if _is_plain(step) else f"[{described(step)}]" for step in self.path)
        return f"{steps.removeprefix('.') or 'Properties'}: {self.text}"


def quoted(text: str) -> str:
    """Text from the user for a message: on one line, and shortened if long."""
    return repr(text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "…")


def described(raw: Any) -> str:
    """A value of the wrong type, in words."""
    if isinstance(raw, str):
        return quoted(raw)
    if isinstance(raw, Mapping):
        return "a map"
    if isinstance(raw, list):
        return "a list"
    try:
        return quoted(json.dumps(raw)).strip("'")
    except TypeError:  # a type that JSON does not have
        return f"a {type(raw).__name__}"
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return "a number far too long"


def suggestion(name: Any, known: Iterable[str]) -> str:
    """The known name that is near this one, as the end of a message; "" where none is near."""
    meant = nearest(name, known)
    return f"; did you mean {meant}?" if meant else ""


def nearest(name: Any, known: Iterable[str]) -> str:
    """The known name that is near this one; "" where none is."""
    import difflib  # needed for mistakes only, so not at every cold start

    typed = name[:_MOST_QUOTED].lower() if isinstance(name, str) else ""

    def likeness(candidate: str) -> tuple[float, float]:
        meant = candidate.lower()
        whole = difflib.SequenceMatcher(None, typed, meant).ratio()
        # The beginning or the end of a long name is enough.
        is_part = len(typed) >= _SHORTEST_PART and (meant.startswith(typed) or meant.endswith(typed))
        return max(whole, float(is_part)), whole

    likest = max(known, key=likeness, default="")
    return likest if likest and likeness(likest)[0] >= _NEAR else ""


def _is_plain(step: str | int) -> bool:
    return isinstance(step, str) and re.fullmatch(r"[\w:./@=+-]{1,128}", step) is not None
