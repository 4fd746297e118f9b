"""Hands on less than an agent holds: signs one link, if an API would accept it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from . import _wire as wire
from ._base64 import b64url
from ._claims import Claims, ClaimsError, parse_scope, read_link, read_token, scope_covers
from ._details import details_narrow, unknown_member
from ._json import jwt_part, to_json
from ._text import is_compact_jws
from .bundle import Bundle, hash_of
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._signing import Credentials, Rules


def delegate(
    rules: Rules,
    held: Credentials,
    delegate_id: str,
    *,
    scope: Sequence[str] | str,
    ttl_seconds: int = wire.DEFAULT_LINK_LIFETIME_SECONDS,
    audience: str | Sequence[str] | None = None,
    authorization_details: Sequence[Mapping[str, Any]] | None = None,
    max_hops: int | None = None,
    key_id: str | None = None,
    link_id: str | None = None,
) -> Bundle:
    """One link behind what the agent holds, and both in a bundle.

    Raises:
        AgentError: `delegation_impossible`; nothing was signed.
    """
    parent = held.links[-1] if held.links else held.token
    payload_held = {} if parent is None else jwt_part(parent, 1) if is_compact_jws(parent) else None
    if payload_held is None:
        raise _impossible("the token is not a JWT, so that no link can follow it: ask its issuer to exchange it")
    now = int(rules.clock())
    details = None if authorization_details is None else [dict(detail) for detail in authorization_details]
    unknown = unknown_member(details or [])
    if unknown is not None:
        raise _impossible(f"unknown member of authorization_details '{unknown}'")
    payload: dict[str, Any] = {
        "iss": rules.agent_id,
        "sub": delegate_id,
        "aud": _audience(audience, payload_held),
        "scope": _scope(scope),
        **({} if details is None else {"authorization_details": details}),
        "iat": now,
        "exp": now + _lifetime(ttl_seconds, payload_held, now),
        "jti": link_id or str(uuid.uuid4()),
        **({} if parent is None else {"pth": hash_of(parent)}),
        **({} if max_hops is None else {"max_hops": max_hops}),
        **({} if key_id is None else {"cnf": {"jkt": key_id}}),
    }
    try:
        _check(held, read_link(payload), rules.key.key_id)
    except ClaimsError as error:
        raise _impossible(str(error)) from None
    return Bundle(links=(*held.links, _signed(rules, payload)), token=held.token)


def _check(held: Credentials, link: Claims, key_id: str) -> None:
    """The laws of delegation, as an API applies them. It alone verifies signatures and knows capabilities."""
    links = [_link(text) for text in held.links]
    chain = [*links, link]
    parent: Claims | None = None
    members: list[str] = []
    if held.token is not None:
        payload = jwt_part(held.token, 1)
        token = read_token(payload or {})
        # The token may name the agent in a namespace of its issuer, which only the API knows.
        members = [token.subject, *reversed(token.actors[1:])] if token.actors else []
        if not held.links and token.key_id not in {None, key_id}:
            raise ClaimsError("the token is bound to another key than the one that uses it")
        parent = token
    members += [chain[0].issuer, *(one.subject for one in chain)]
    if len(members) - 1 > wire.MAX_DELEGATION_DEPTH:
        raise ClaimsError("there are more delegations between subject and actor than any API accepts")
    for one in chain:
        parent = one if parent is None else _narrowed(parent, one)
    if len(set(members)) < len(members):
        raise ClaimsError(f"an agent appears twice in the chain: {link.subject}")


def _narrowed(parent: Claims, child: Claims) -> Claims:
    """The child with the limits that it inherits."""
    if parent.max_hops is not None:
        if parent.max_hops < 1:
            raise ClaimsError("what is held forbids to hand it on")
        if child.max_hops is not None and child.max_hops >= parent.max_hops:
            raise ClaimsError("max_hops allows more than what is held")
    if parent.scope is not None:
        for wanted in child.scope or ():
            if not scope_covers(parent.scope, wanted):
                raise ClaimsError(f"the scope '{wanted}' is not covered by what this agent was given")
    if child.expires_at > parent.expires_at:
        raise ClaimsError("it would expire after what is held")
    if not set(child.audience) <= set(parent.audience):
        raise ClaimsError("it has an audience that what is held does not have")
    if parent.details is not None and child.details is not None and not details_narrow(child.details, parent.details):
        raise ClaimsError("the authorization_details do not lie within those of what is held")
    hops = parent.max_hops - 1 if child.max_hops is None and parent.max_hops is not None else child.max_hops
    details = parent.details if child.details is None else child.details
    return replace(child, max_hops=hops, details=details)


def _link(text: str) -> Claims:
    return read_link(jwt_part(text, 1) or {})


def _scope(scope: Sequence[str] | str) -> str:
    if not isinstance(scope, str) and any(" " in one for one in scope):
        raise _impossible("scope must be a list of single scopes")
    text = scope if isinstance(scope, str) else " ".join(scope)
    try:
        parse_scope(text)
    except ClaimsError as error:
        raise _impossible(str(error)) from None
    return text


def _audience(audience: str | Sequence[str] | None, held: Mapping[str, Any]) -> str | list[str]:
    named = held.get("aud") if audience is None else audience
    if isinstance(named, str):
        return named
    if isinstance(named, (list, tuple)) and named:
        return list(named)
    raise _impossible("say for which API, like audience='https://api.acme.dev'")


def _lifetime(ttl_seconds: int, held: Mapping[str, Any], now: int) -> int:
    if int(ttl_seconds) != ttl_seconds or not 1 <= ttl_seconds <= wire.MAX_LINK_LIFETIME_SECONDS:
        raise _impossible(f"'ttl_seconds' must be a whole number from 1 to {wire.MAX_LINK_LIFETIME_SECONDS}")
    expiry = held.get("exp")
    left = int(expiry) - now if isinstance(expiry, (int, float)) else ttl_seconds
    if left < 1:
        raise _impossible("what this agent was given has expired")
    return min(ttl_seconds, left)


def _signed(rules: Rules, payload: dict[str, Any]) -> str:
    header = {"typ": wire.LINK_TYPE, "alg": "EdDSA", "kid": rules.key.key_id}
    return sign_jwt(rules, header, payload)


def sign_jwt(rules: Rules, header: dict[str, Any], payload: dict[str, Any]) -> str:
    """A JWT in compact form, signed with the key of the agent."""
    signed = ".".join(b64url(to_json(part).encode("utf-8")) for part in (header, payload))
    return f"{signed}.{b64url(rules.key.sign(signed.encode('ascii')))}"


def _impossible(why: str) -> AgentError:
    return AgentError("delegation_impossible", f"Not delegated: {why}.")
