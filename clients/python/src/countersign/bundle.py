"""What one agent hands on to another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import _wire as wire
from ._base64 import b64url
from ._claims import Claims, ClaimsError, read_link
from ._json import jwt_part, parse_object, to_json
from ._signing import Credentials
from ._text import is_compact_jws
from .errors import AgentError

if TYPE_CHECKING:
    from ._signing import Rules

_MEMBERS = frozenset({"version", "token", "links"})


@dataclass(frozen=True)
class Bundle:
    """Everything that a delegate needs to act.

    It is useless without the key of the delegate, but shows who works for whom: send it over TLS.
    """

    links: tuple[str, ...] = field(repr=False)
    #: The access token that the chain begins with, if it begins with one.
    token: str | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "version": 1,
            **({} if self.token is None else {"token": self.token}),
            "links": list(self.links),
        }

    def to_json(self) -> str:
        """JSON text, for `Bundle.from_json` or any other client."""
        return to_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> Bundle:
        """Reads what `to_json` of any client wrote.

        Raises:
            AgentError: `bundle_invalid`.
        """
        return read_bundle(parse_object(text))


def read_bundle(value: object) -> Bundle:
    """Checks the form of a bundle."""
    if isinstance(value, Bundle):
        value = value.to_dict()
    if not isinstance(value, Mapping):
        raise _invalid("it is not an object (use Bundle.from_json for text)")
    version = value.get("version")
    if version != 1 or isinstance(version, bool) or not value.keys() <= _MEMBERS:
        raise _invalid("it is not { version, token, links } of version 1")
    token, links = value.get("token"), value.get("links")
    if "token" in value and not _is_jws(token):
        raise _invalid("its token is not a JWT")
    texts = tuple(links) if isinstance(links, (list, tuple)) else ()
    if not 0 < len(texts) <= wire.MAX_DELEGATION_DEPTH or not all(_is_jws(text) for text in texts):
        raise _invalid(f"it must hold 1 to {wire.MAX_DELEGATION_DEPTH} links")
    return Bundle(links=texts, token=token)


def open_bundle(value: object, rules: Rules) -> Credentials:
    """Checks what a delegate can check: the form, that each link follows, expires later, and that the last is for it.

    Raises:
        AgentError: `bundle_invalid`.
    """
    bundle, now = read_bundle(value), rules.clock()
    if bundle.token is not None:
        expiry = (jwt_part(bundle.token, 1) or {}).get("exp")
        if isinstance(expiry, (int, float)) and expiry <= now:
            raise _invalid("the token in it has expired")
    parent, holder, last = bundle.token, None, None
    for link in bundle.links:
        last = _claims(link)
        if last.parent_hash != (None if parent is None else hash_of(parent)) or holder not in {
            None,
            last.issuer,
        }:
            raise _invalid("a link does not follow from what is before it")
        if last.expires_at <= now:
            raise _invalid("a link in it has expired")
        parent, holder = link, last.subject
    if last is None or last.subject != rules.agent_id:
        raise _invalid("it is for another agent")
    if last.key_id not in {None, rules.key.key_id}:
        raise _invalid("it is for another key of this agent")
    return Credentials(token=bundle.token, links=bundle.links)


def hash_of(jwt: str) -> str:
    """`pth`: the base64url SHA-256 of a token or link, as sent."""
    return b64url(hashlib.sha256(jwt.encode("ascii")).digest())


def _claims(link: str) -> Claims:
    payload = jwt_part(link, 1)
    if payload is None:
        raise _invalid("a link cannot be read")
    try:
        return read_link(payload)
    except ClaimsError as error:
        raise _invalid(f"a link cannot be read: {error}") from None


def _is_jws(value: object) -> bool:
    return isinstance(value, str) and len(value) <= wire.MAX_TOKEN_LENGTH and is_compact_jws(value)


def _invalid(why: str) -> AgentError:
    return AgentError("bundle_invalid", f"This bundle cannot be accepted: {why}.")
