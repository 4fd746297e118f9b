"""Signs requests (RFC 9421, RFC 9530) by the wire profile."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from . import _wire as wire
from ._base64 import b64, b64url
from ._sent import combined, content_digest
from ._url import Address, read_authority, read_url
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from .keys import SigningKey

#: Header fields in order. Characters of values stand for bytes, as in Latin-1.
Fields = list[tuple[str, str]]

_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_ASCII_VALUE = re.compile(r"[\t\x20-\x7e]*")


@dataclass(frozen=True)
class Credentials:
    """With what an agent acts for others: a token, links of other agents, or both."""

    token: str | None = field(default=None, repr=False)
    links: tuple[str, ...] = field(default=(), repr=False)
    approval: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Rules:
    """What every signature of an agent keeps to."""

    agent_id: str
    key: SigningKey
    origins: frozenset[str]
    lifetime_seconds: int
    cover: tuple[str, ...]
    max_body_bytes: int
    clock: Callable[[], float]
    dangerously_allow_http: bool


@dataclass(frozen=True, repr=False)
class SignedRequest:
    """A signed request, to be sent as it is: this method, URL, fields and body."""

    method: str
    #: Without fragment.
    url: str
    #: What is on the request line: path and query.
    target: str
    #: All fields, in order, those of the signature last. Without Host and Content-Length.
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def __repr__(self) -> str:
        # The fields hold credentials.
        return f"<SignedRequest {self.method} {self.url}>"


def sign(
    rules: Rules,
    credentials: Credentials,
    *,
    method: str,
    url: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    clock_offset: float = 0.0,
    nonce: str | None = None,
) -> SignedRequest:
    """Adds the credentials, Content-Digest, Signature-Input and Signature.

    Raises:
        AgentError: The request must not be signed. Nothing was sent.
    """
    address = read_url(url)
    if address.origin not in rules.origins:
        raise AgentError(
            "origin_not_allowed",
            f"{address.origin} is none of the origins of this agent. Nothing was signed or sent.",
        )
    if _FIELD_NAME.fullmatch(method) is None:
        raise AgentError("request_malformed", "The method is not one of HTTP.")
    if len(body) > rules.max_body_bytes:
        raise AgentError(
            "body_too_large",
            f"The body has more than {rules.max_body_bytes} bytes. It is held in memory to be signed.",
        )
    fields = _checked(address, headers)
    _add_credentials(fields, credentials)
    _refuse_insecure(rules, address)
    digest = content_digest(body)
    if digest is not None:
        fields.append(("Content-Digest", digest))
    created = int(rules.clock() + clock_offset)
    parameters = (
        f";created={created};expires={created + rules.lifetime_seconds}"
        f';nonce="{nonce or b64url(secrets.token_bytes(16))}";keyid="{rules.key.key_id}";tag="{wire.TAG}"'
    )
    covered = [*wire.TARGET_COMPONENTS, *_covered_fields(fields, rules.cover)]
    signature_input = f"({' '.join(_quoted(name) for name in covered)}){parameters}"
    base = signature_base(method, address, fields, covered, signature_input)
    signature = rules.key.sign(base.encode("ascii"))
    fields += [("Signature-Input", f"sig={signature_input}"), ("Signature", f"sig=:{b64(signature)}:")]
    return SignedRequest(method, address.url, address.target, tuple(fields), body)


def signature_base(
    method: str,
    address: Address,
    fields: Sequence[tuple[str, str]],
    covered: Sequence[str],
    signature_input: str,
) -> str:
    """RFC 9421 §2.5."""
    derived = {
        "@method": method,
        "@authority": address.authority,
        "@path": address.path,
        "@query": address.query or "?",
    }
    lines = [f'"{name}": {derived[name] if name in derived else _value(fields, name)}' for name in covered]
    return "\n".join([*lines, f'"@signature-params": {signature_input}'])


def _value(fields: Sequence[tuple[str, str]], name: str) -> str:
    value = combined(fields, name) or ""
    if _ASCII_VALUE.fullmatch(value) is None:
        raise AgentError("request_malformed", f"The field {name} is not ASCII, so it cannot be signed.")
    return value


def _checked(address: Address, headers: Iterable[tuple[str, str]]) -> Fields:
    fields: Fields = []
    for name, value in headers:
        if _FIELD_NAME.fullmatch(name) is None or _FIELD_VALUE.fullmatch(value) is None:
            raise AgentError("request_malformed", "A header field has a name or a value that HTTP does not allow.")
        key = name.lower()
        if key in {"signature", "signature-input"}:
            raise AgentError("already_signed", "The headers carry a signature already. Sign a request once.")
        if key == "host" and _host(address, value) != address.authority:
            raise AgentError("host_mismatch", "The Host header names another host than the URL. Drop the header.")
        # A digest that the caller set could be of other bytes.
        if key not in {"host", "content-length", "content-digest"}:
            fields.append((name, value))
    return fields


def _host(address: Address, value: str) -> str | None:
    try:
        return read_authority(address.scheme, value.strip(" \t"))
    except AgentError:
        return None


def _add_credentials(fields: Fields, credentials: Credentials) -> None:
    if credentials.token is not None:
        _add_once(fields, "Authorization", f"Bearer {credentials.token}")
    if credentials.links:
        _add_once(fields, "Agent-Delegation", ", ".join(credentials.links))
    if credentials.approval is not None:
        _add_once(fields, "Agent-Approval", credentials.approval)


def _add_once(fields: Fields, name: str, value: str) -> None:
    if any(key.lower() == name.lower() for key, _ in fields):
        raise AgentError(
            "credential_conflict",
            f"A token, bundle or approval was given, and the header {name} too. Use one.",
        )
    fields.append((name, value))


def _refuse_insecure(rules: Rules, address: Address) -> None:
    if rules.dangerously_allow_http or address.is_private:
        return
    raise AgentError(
        "insecure_credential",
        f"Everyone on the way to {address.origin} could read the request and its credentials: use https.",
    )


def _covered_fields(fields: Fields, cover: tuple[str, ...]) -> list[str]:
    present = {name.lower() for name, _ in fields}
    wanted = [
        *wire.BODY_FIELDS,
        *wire.CREDENTIAL_FIELDS,
        *wire.MCP_FIELDS,
        *wire.METHOD_OVERRIDE_FIELDS,
        *cover,
        *sorted(name for name in present if name.startswith(wire.MCP_PARAMETER_PREFIX)),
    ]
    return [name for name in dict.fromkeys(wanted) if name in present]


def _quoted(name: str) -> str:
    return f'"{name}"'
