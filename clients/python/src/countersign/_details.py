"""Limits in detail (RFC 9396), as the wire profile has them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ._text import is_identifier, is_string_or_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LISTS = ("actions", "locations", "datatypes", "privileges")
MEMBERS = frozenset({"type", "identifier", *LISTS})

_MAX_DETAILS = 32
_MAX_ENTRIES = 100
_MAX_DEPTH = 8
_MAX_VALUES = 1000

Detail = dict[str, Any]


class DetailsError(ValueError):
    """What is no list of details."""


def read_details(value: object) -> list[Detail]:
    """Reads `authorization_details` as strictly as an API does.

    Raises:
        DetailsError: An API would refuse it.
    """
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_DETAILS:
        raise DetailsError("authorization_details must be a list of 1 to 32 objects, each with a type")
    for detail in value:
        _check(detail)
    if _count(value, _MAX_DEPTH + 1) > _MAX_VALUES + 1:
        raise DetailsError("authorization_details have more than 1000 values")
    return value


def _check(detail: object) -> None:
    if not isinstance(detail, dict) or not is_identifier(detail.get("type")):
        raise DetailsError("each of the authorization_details must be an object with a type")
    if "identifier" in detail and not is_string_or_uri(detail["identifier"]):
        raise DetailsError("the identifier of a detail must be text")
    for name in LISTS:
        entries = detail.get(name, [""])
        is_list = isinstance(entries, list) and 0 < len(entries) <= _MAX_ENTRIES
        if name in detail and not (is_list and all(is_string_or_uri(entry) for entry in entries)):
            raise DetailsError(f"{name} of a detail must be a list of 1 to 100 texts")


def _count(value: object, depth: int) -> int:
    if value is None or isinstance(value, (str, bool, int)):
        return 1
    if isinstance(value, float) and math.isfinite(value):
        return 1
    if depth == 0 or not isinstance(value, (list, dict)):
        raise DetailsError("authorization_details are too deep, or no JSON")
    items = value.values() if isinstance(value, dict) else value
    return 1 + sum(_count(item, depth - 1) for item in items)


def unknown_member(details: Sequence[Mapping[str, Any]]) -> str | None:
    """A member that is none of RFC 9396 §2.2. A detail that has one covers no request."""
    return next((name for detail in details for name in detail if name not in MEMBERS), None)


def details_narrow(child: Sequence[Detail], parent: Sequence[Detail]) -> bool:
    """Whether each detail of the child lies within one of the parent."""
    return all(any(_within(narrow, wide) for wide in parent) for narrow in child)


def _within(narrow: Detail, wide: Detail) -> bool:
    # Unknown members must be equal: each may limit or grant.
    if _common(narrow) != _common(wide):
        return False
    for name in ("identifier", *LISTS):
        if name not in wide:
            continue
        if name not in narrow or not _entries(narrow[name]) <= _entries(wide[name]):
            return False
    return True


def _common(detail: Detail) -> str:
    others = {name: value for name, value in detail.items() if name not in MEMBERS}
    return json.dumps([detail["type"], others], sort_keys=True)


def _entries(value: object) -> set[object]:
    return set(value) if isinstance(value, list) else {value}
