"""The claims of tokens and links, read as strictly as an API reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ._details import Detail, DetailsError, read_details
from ._text import is_identifier, is_string_or_uri, is_thumbprint

_MAX_AUDIENCES = 16
_MAX_ACTORS = 16
_MAX_SCOPES = 100
_MAX_SCOPE_LENGTH = 256
_MAX_SAFE_INTEGER = 2**53 - 1
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x39\x3b-\x5b\x5d-\x7e]+(?::[\x21\x23-\x39\x3b-\x5b\x5d-\x7e]+)*")
_LINK_CLAIMS = frozenset(
    {"iss", "sub", "aud", "scope", "authorization_details", "iat", "exp", "jti", "pth", "max_hops", "cnf"}
)


class ClaimsError(ValueError):
    """Claims that no API would accept. The text says why."""


@dataclass(frozen=True)
class Claims:
    """What a token or a link gives, and to whom."""

    issuer: str
    subject: str
    audience: tuple[str, ...]
    expires_at: int
    #: None: a token that does not limit the scope of what is handed on.
    scope: tuple[str, ...] | None
    details: tuple[Detail, ...] | None
    max_hops: int | None
    #: The thumbprint of the one key that may use it.
    key_id: str | None
    #: Of a link: the hash of what is before it.
    parent_hash: str | None = None
    #: Of a token: who acts, and who acted before, most recent first.
    actors: tuple[str, ...] = ()


def read_link(payload: dict[str, Any]) -> Claims:
    """The claims of a link.

    Raises:
        ClaimsError: An API would refuse them.
    """
    if not payload.keys() <= _LINK_CLAIMS:
        raise ClaimsError("the link has a claim that is none of those of a link")
    issued, expires = _seconds(payload, "iat"), _seconds(payload, "exp")
    parent, confirmation = payload.get("pth"), payload.get("cnf")
    _require(is_identifier(payload.get("iss")), "iss must name an agent: visible text in NFC")
    _require(
        is_identifier(payload.get("sub")),
        "sub must name an agent: visible text of 1 to 256 characters in NFC",
    )
    _require(payload["iss"] != payload["sub"], "nobody delegates to itself")
    _require(expires > issued, "exp must be after iat")
    _require(is_identifier(payload.get("jti")), "jti must be visible text")
    _require("pth" not in payload or is_thumbprint(parent), "pth must be a SHA-256 in base64url")
    _require(
        not (isinstance(confirmation, dict) and "jwk" in confirmation),
        "cnf of a link must be a thumbprint (jkt)",
    )
    return Claims(
        issuer=payload["iss"],
        subject=payload["sub"],
        audience=_audience(payload),
        expires_at=expires,
        scope=parse_scope(payload.get("scope")),
        details=_details(payload),
        max_hops=_max_hops(payload),
        key_id=_key_id(payload),
        parent_hash=parent,
    )


def read_token(payload: dict[str, Any]) -> Claims:
    """The claims of an access token, as far as they limit what is handed on.

    Raises:
        ClaimsError: An API would refuse them.
    """
    _require(is_string_or_uri(payload.get("iss")), "iss must be visible text")
    _require(is_identifier(payload.get("sub")), "sub must be visible text of 1 to 256 characters")
    _require(_seconds(payload, "exp") > 0, "exp must be seconds")
    for name in ("iat", "nbf"):
        if name in payload:
            _seconds(payload, name)
    for name in ("jti", "client_id"):
        _require(name not in payload or is_identifier(payload[name]), f"{name} must be visible text")
    actors = _actors(payload) if "act" in payload else ()
    _require(not actors or payload.get("client_id") != payload["sub"], "sub names the client itself")
    scope = parse_scope(payload["scope"]) if "scope" in payload else ()
    return Claims(
        issuer=payload["iss"],
        subject=payload["sub"],
        audience=_audience(payload),
        expires_at=payload["exp"],
        # A token of the agent itself without a scope gives all its capabilities; one with an actor gives nothing.
        scope=None if not actors and not scope else scope,
        details=_details(payload),
        max_hops=_max_hops(payload),
        key_id=_key_id(payload),
        actors=actors,
    )


def parse_scope(value: object) -> tuple[str, ...]:
    """Scopes, separated by single spaces (RFC 6749 §3.3).

    Raises:
        ClaimsError: An API would refuse them.
    """
    scopes = value.split(" ") if isinstance(value, str) else []
    is_right = 0 < len(scopes) <= _MAX_SCOPES and all(
        len(scope) <= _MAX_SCOPE_LENGTH and _SCOPE_TOKEN.fullmatch(scope) for scope in scopes
    )
    _require(is_right, "scope must be 1 to 100 scopes like 'repo:read', separated by single spaces")
    return tuple(dict.fromkeys(scopes))


def scope_covers(held: tuple[str, ...], wanted: str) -> bool:
    """Whether `pr:write` or `pr:write:draft` is held for `pr:write:draft`."""
    return any(wanted == scope or wanted.startswith(f"{scope}:") for scope in held)


def _actors(payload: dict[str, Any]) -> tuple[str, ...]:
    actors: list[str] = []
    nested: object = payload["act"]
    while nested is not None or not actors:
        _require(isinstance(nested, dict) and is_identifier(nested.get("sub")), "act must be an object with a sub")
        assert isinstance(nested, dict)  # noqa: S101  # for the type checker: said above
        _require(nested.get("iss") in (None, payload["iss"]), "act.iss must be the issuer of the token")
        _require(nested["sub"] not in {payload["sub"], *actors}, "act names somebody twice")
        actors.append(nested["sub"])
        _require(len(actors) <= _MAX_ACTORS, "there are too many actors")
        nested = nested.get("act")
    return tuple(actors)


def _audience(payload: dict[str, Any]) -> tuple[str, ...]:
    value = payload.get("aud")
    values = value if isinstance(value, list) else [value]
    is_right = 0 < len(values) <= _MAX_AUDIENCES and all(is_string_or_uri(one) for one in values)
    _require(is_right, "aud must be the name of an API, or a list of 1 to 16 of them")
    return tuple(values)


def _details(payload: dict[str, Any]) -> tuple[Detail, ...] | None:
    if "authorization_details" not in payload:
        return None
    try:
        return tuple(read_details(payload["authorization_details"]))
    except DetailsError as error:
        raise ClaimsError(str(error)) from None


def _max_hops(payload: dict[str, Any]) -> int | None:
    return _seconds(payload, "max_hops") if "max_hops" in payload else None


def _key_id(payload: dict[str, Any]) -> str | None:
    if "cnf" not in payload:
        return None
    confirmation = payload["cnf"]
    jkt = confirmation.get("jkt") if isinstance(confirmation, dict) else None
    is_right = isinstance(confirmation, dict) and (is_thumbprint(jkt) or (jkt is None and "jwk" in confirmation))
    _require(is_right, "cnf must name one key by its thumbprint (jkt)")
    # A token may hold the whole key: the API compares it.
    return jkt


def _seconds(payload: dict[str, Any], name: str) -> int:
    value = payload.get(name)
    is_whole = isinstance(value, (int, float)) and not isinstance(value, bool) and value == value // 1
    _require(is_whole and 0 <= value <= _MAX_SAFE_INTEGER, f"{name} must be a whole number")  # type: ignore[operator]
    return int(value)  # type: ignore[arg-type]


def _require(is_right: bool, problem: str) -> None:
    if not is_right:
        raise ClaimsError(problem)
