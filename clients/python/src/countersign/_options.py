"""Reads the options of an agent: nothing fails later because of a wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._claims import ClaimsError, parse_scope
from ._json import to_json
from ._url import read_url
from .errors import AgentError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read_origins(origins: Sequence[str]) -> frozenset[str]:
    """The origins of an agent, each without a path.

    Raises:
        ConfigError: One is none.
    """
    if isinstance(origins, str) or not origins:
        raise ConfigError("origins must be a list of APIs, like ['https://api.acme.dev'].")
    read: set[str] = set()
    for origin in origins:
        try:
            address = read_url(origin)
        except AgentError as error:
            raise ConfigError(f"origins: {error}") from None
        if address.target != "/":
            raise ConfigError(f"origins: '{origin}' has a path. Write scheme and host only.")
        read.add(address.origin)
    return frozenset(read)


def check_authority(authority: str, *, dangerously_allow_http: bool) -> None:
    """An authority is an https URL without a query.

    Raises:
        ConfigError: It is not.
    """
    try:
        address = read_url(authority)
    except AgentError as error:
        raise ConfigError(f"authority: {error}") from None
    if address.query or "#" in authority or not (address.is_private or dangerously_allow_http):
        raise ConfigError("authority must be the https URL of the authority, exactly as it names itself.")


def token_parameters(
    scope: Sequence[str] | str | None,
    audience: str | None,
    authorization_details: Sequence[Mapping[str, Any]] | None,
) -> dict[str, str]:
    """What to ask the authority for.

    Raises:
        ConfigError: The scope is none.
    """
    parameters: dict[str, str] = {}
    if scope is not None:
        text = scope if isinstance(scope, str) else " ".join(scope)
        try:
            parse_scope(text)
        except ClaimsError as error:
            raise ConfigError(f"{error}.") from None
        parameters["scope"] = text
    if audience is not None:
        parameters["resource"] = audience
    if authorization_details is not None:
        parameters["authorization_details"] = to_json([dict(detail) for detail in authorization_details])
    return parameters
