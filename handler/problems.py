"""Problems: what is wrong with a resource's properties, where it is, and the words for it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]

_MOST_QUOTED = 64  # characters


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
    except TypeError:  # nothing that JSON has
        return f"a {type(raw).__name__}"
    except ValueError:  # Python writes no whole number of more than some thousand digits
        return "a number far too long"


def suggestion(name: Any, known: Iterable[str]) -> str:
    """The nearest known name, as the end of a message; "" where there is none."""
    import difflib  # only for somebody's mistake, so not at every cold start

    typed = name[:_MOST_QUOTED].lower() if isinstance(name, str) else ""

    def likeness(candidate: str) -> tuple[float, float]:
        # The beginning alone too, so that a name which was typed half is found.
        meant = candidate.lower()
        whole, beginning = (difflib.SequenceMatcher(None, typed, text).ratio() for text in (meant, meant[: len(typed)]))
        return max(whole, beginning), whole

    return f"; did you mean {max(known, key=likeness)}?" if known and typed else ""


def _is_plain(step: str | int) -> bool:
    return isinstance(step, str) and re.fullmatch(r"[\w:./@=+-]{1,128}", step) is not None
