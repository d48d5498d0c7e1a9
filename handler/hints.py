"""Hints: what is behind a mistake that people often make, and how to write it right; the end of a problem's text.

Each function takes the value that was refused, and returns "" where it has nothing to say. `is_right` tells whether
another value would be taken: a hint never recommends one that would not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from handler.problems import quoted

IsRight = Callable[[str], bool]

# Words that people write in quotes: without them, YAML 1.1 and so CloudFormation reads the first three as booleans.
_WORDS = {"true": ("yes", "on", "y", "1", "enabled", "true"), "false": ("no", "off", "n", "0", "disabled", "false")}
_MOST_CHARACTERS = 8  # of those that are not allowed
_EMPTY = "; an empty text is a value, too: to leave an optional property out, use AWS::NoValue"


def for_boolean(raw: Any) -> str:
    """For a value that is not true or false."""
    word = _as_text(raw).strip().lower()
    meant = next((meant for meant, words in _WORDS.items() if word in words), "")
    return f"; write {meant}" if meant else _if_empty(raw)


def for_number(raw: Any, is_right: IsRight) -> str:
    """For a value that is not a number of the wanted kind: spaces, separators, units, a needless fraction."""
    text = _as_text(raw)
    meant = next((meant for meant in _numbers_in(text) if meant != text and is_right(meant)), "")
    return f"; write {meant}" if meant else _if_empty(raw)


def for_list(raw: Any) -> str:
    """For a value that is not a list."""
    if isinstance(raw, Mapping):
        return "; put the map into a list, in YAML with a dash in front of it"
    text = _as_text(raw)
    if _is_json(text, list):
        return "; that is JSON in quotes: write the list itself"
    if "," in text:
        return '; use !Split [",", ...], or a parameter of type CommaDelimitedList'
    return f"; write [{text}]" if re.fullmatch(r"[\w.-]{1,64}", text) else _if_empty(raw)


def for_map(raw: Any, members: Iterable[str] = ()) -> str:
    """For a value that is not a map; `members` are the names that the map may have."""
    names, text = [*members], _as_text(raw)
    if _is_json(text, dict):
        return "; that is JSON in quotes: write the map itself"
    if text.lower() in ("true", "false") and "Enabled" in names:
        return f"; write Enabled: {text.lower()} inside it"
    if isinstance(raw, list) and len(names) == 1:
        return f"; write {names[0]}: in front of the list"
    return _if_empty(raw)


def for_text(raw: str, is_right: IsRight) -> str:
    """For a text that is not one of those allowed."""
    for meant, why in _texts_in(raw):
        if meant != raw and is_right(meant):
            return f"; {why}: write {quoted(meant)}"
    return "; only !Sub replaces ${...}" if "${" in raw else ""


def for_characters(raw: str, is_right: IsRight) -> str:
    """For a text with characters that are not allowed."""
    wrong = [quoted(character) for character in dict.fromkeys(raw) if not is_right(character)]
    return f"; not allowed in it: {' '.join(wrong[:_MOST_CHARACTERS])}" if wrong else ""


def _if_empty(raw: Any) -> str:
    return _EMPTY if raw == "" else ""


def _as_text(raw: Any) -> str:
    """A scalar as CloudFormation would have handed it over; "" for anything else, and for a number without end."""
    if isinstance(raw, str):
        return raw
    return json.dumps(raw) if isinstance(raw, (bool, float)) or raw in (0, 1) else ""


def _numbers_in(text: str) -> Iterator[str]:
    joined = re.sub(r"[\s_']", "", text)
    yield joined
    yield joined.replace(",", "" if re.fullmatch("[0-9]{1,3}(,[0-9]{3})+", joined) else ".")  # 1,000 and 0,5
    yield re.sub(r"\.0+$", "", joined)  # 30.0
    unit = re.fullmatch(r"([0-9]+)[a-zA-Z]+", joined)  # 30 days
    if unit:
        yield unit[1]


def _texts_in(raw: str) -> Iterator[tuple[str, str]]:
    """The texts that may have been meant, each with what has become of it."""
    yield raw.strip(), "there are spaces or line breaks around it"
    if re.fullmatch("[1-9][0-9]{1,5}", raw):
        # YAML 1.1 has numbers in base 60 (https://yaml.org/type/int.html).
        hours, minutes = divmod(int(raw), 60)
        yield f"{hours:02}:{minutes:02}", f"YAML reads {hours}:{minutes:02} without quotes as the number {raw}"
    if raw.startswith("s3://"):
        yield raw.split("/")[2], "the bucket's name alone is wanted"
    if raw.startswith("arn:"):
        yield re.split("[:/]", raw)[-1], "the name alone is wanted, not the ARN"
    if raw.lower().startswith("aws:"):
        yield raw[len("aws:") :], "AWS keeps keys that begin with aws: for itself"


def _is_json(text: str, kind: type) -> bool:
    try:
        return isinstance(json.loads(text), kind)
    except (ValueError, RecursionError):
        return False
