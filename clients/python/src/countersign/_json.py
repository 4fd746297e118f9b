"""JSON from outside."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from ._base64 import from_b64url


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """A JSON object; None for anything else, also for a member that is there twice."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def jwt_part(jwt: str, part: int) -> dict[str, Any] | None:
    """Header (0) or payload (1) of a JWT, unverified: for checks of a credential that we hold, never a proof."""
    parts = jwt.split(".")
    data = from_b64url(parts[part]) if part < len(parts) else None
    return None if data is None else parse_object(data)


def to_json(value: object) -> str:
    """JSON without white space."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is there twice")
    return members


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
