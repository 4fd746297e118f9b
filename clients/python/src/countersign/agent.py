"""An agent with an identity of its own."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Any

from . import _wire as wire
from ._authority import Authority
from ._call import ClockOffsets
from ._options import check_authority, read_origins, token_parameters
from ._signing import Credentials, Rules
from ._text import is_identifier, is_thumbprint, is_token
from ._tokens import Fixed, HeldToken, Hold, IssuedToken
from .approvals import PendingApproval, ask
from .bundle import Bundle, open_bundle
from .errors import ConfigError
from .signer import Signer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

    from .errors import ApprovalRequired
    from .keys import SigningKey

_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_FIELD_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")


class Agent(Signer):
    """An agent.

    Example:
        >>> from countersign import Agent, AgentKey
        >>> agent = Agent("agent-a", AgentKey.generate(), origins=["https://api.acme.dev"])
        >>> agent.sign("GET", "https://api.acme.dev/repos/acme/api")
        <SignedRequest GET https://api.acme.dev/repos/acme/api>
    """

    def __init__(
        self,
        agent_id: str,
        key: SigningKey,
        *,
        origins: Sequence[str],
        authority: str | None = None,
        lifetime_seconds: int = wire.MAX_AGE_SECONDS,
        cover: Sequence[str] = (),
        max_body_bytes: int = wire.MAX_BODY_BYTES,
        clock: Callable[[], float] = time.time,
        ssl_context: ssl.SSLContext | None = None,
        dangerously_allow_http: bool = False,
    ) -> None:
        """Creates an agent.

        Args:
            agent_id: The id under which APIs know it.
            key: From `AgentKey`, or a key in a KMS.
            origins: The APIs, like 'https://api.acme.dev'. Nothing is signed for any other.
            authority: The name of the authority that gives it tokens.
            lifetime_seconds: Seconds until a signature expires, 1 to 300.
            cover: Further fields to cover when present, in lower case.
            max_body_bytes: A body is held in memory, since its digest is sent before it.
            clock: Unix seconds.
            ssl_context: For the authority, if its certificate is of a private CA.
            dangerously_allow_http: Send credentials over plain http to other hosts than loopback.

        Raises:
            ConfigError: An option is wrong.
        """
        if not is_identifier(agent_id):
            raise ConfigError("agent_id must be 1 to 256 visible characters in NFC.")
        if not is_thumbprint(getattr(key, "key_id", None)):
            raise ConfigError("key must come from AgentKey, or have the thumbprint of its key as key_id.")
        if not 1 <= lifetime_seconds <= wire.MAX_LIFETIME_SECONDS:
            raise ConfigError(f"lifetime_seconds must be 1 to {wire.MAX_LIFETIME_SECONDS}.")
        if isinstance(cover, str) or not all(_FIELD_NAME.fullmatch(name) for name in cover):
            raise ConfigError("cover must be a list of header field names in lower case.")
        rules = Rules(
            agent_id=agent_id,
            key=key,
            origins=read_origins(origins),
            lifetime_seconds=lifetime_seconds,
            cover=tuple(cover),
            max_body_bytes=max_body_bytes,
            clock=clock,
            dangerously_allow_http=dangerously_allow_http,
        )
        super().__init__(rules, Fixed(Credentials()), ClockOffsets())
        self._authority: Authority | None = None
        if authority is not None:
            check_authority(authority, dangerously_allow_http=dangerously_allow_http)
            self._authority = Authority(authority, rules, ssl_context)

    @property
    def id(self) -> str:
        """The id under which APIs know it."""
        return self._rules.agent_id

    @property
    def key_id(self) -> str:
        """The thumbprint of its key."""
        return self._rules.key.key_id

    def with_token(self, token: str) -> Signer:
        """The same agent with an access token, which is added to each request and covered.

        Raises:
            ValueError: The text cannot be a token.
        """
        if not is_token(token):
            raise ValueError("This is not an access token (RFC 6750 allows letters, digits and -._~+/ only).")
        return self._acting(Fixed(Credentials(token=token)))

    def accept(self, bundle: Bundle | Mapping[str, Any]) -> Signer:
        """The same agent with what another agent handed on to it.

        Raises:
            AgentError: `bundle_invalid`: not for this agent and key, malformed, or expired.
        """
        return self._acting(Fixed(open_bundle(bundle, self._rules)))

    def act_for(
        self,
        user_token: str | Callable[[], str],
        *,
        scope: Sequence[str] | str | None = None,
        audience: str | None = None,
        authorization_details: Sequence[Mapping[str, Any]] | None = None,
    ) -> Signer:
        """The same agent for a user, with tokens that the authority gives in exchange for the user's (RFC 8693).

        The first is got now, so that a refusal shows here; later ones before the last expires.

        Args:
            user_token: The user's token, or a function that gets it, called for each exchange.
            scope: Default: all that can be granted.
            audience: The API, as it names itself. Default: the first API of the authority.
            authorization_details: Limits to single resources and actions. Default: those of the user's token.

        Raises:
            AgentError: `token_refused` or `authority_unavailable`.
        """
        authority = self._required()
        parameters = token_parameters(scope, audience, authorization_details)

        def get() -> IssuedToken:
            token = user_token() if callable(user_token) else user_token
            exchange = {"grant_type": _EXCHANGE, "subject_token": token, "subject_token_type": _ACCESS_TOKEN}
            return authority.token({**parameters, **exchange})

        return self._holding(get)

    def with_own_token(self, *, scope: Sequence[str] | str | None = None, audience: str | None = None) -> Signer:
        """The same agent for itself, with tokens of the authority, renewed like those of `act_for`."""
        authority = self._required()
        parameters = {**token_parameters(scope, audience, None), "grant_type": "client_credentials"}
        return self._holding(lambda: authority.token(parameters))

    def with_challenge(
        self,
        message: str | None = None,
        *,
        scope: Sequence[str] | str | None = None,
        audience: str | None = None,
    ) -> Signer:
        """The same agent with a token for a signed challenge `{ agent_id, message, signature }`.

        Args:
            message: What the application expects, like 'approve-request:174325': it counts once, and so the token is
                not renewed. Default: a new challenge of the authority for each token.
            scope: Default: the capabilities of the agent.
            audience: The API. Default: the first API of the authority.
        """
        authority = self._required()
        parameters = token_parameters(scope, audience, None)
        if message is None:
            return self._holding(lambda: authority.challenge(None, parameters))
        return self.with_token(authority.challenge(message, parameters).token)

    def ask_approval(
        self,
        refusal: ApprovalRequired,
        *,
        body: bytes | str | None = None,
        arguments: Mapping[str, Any] | None = None,
        why: str | None = None,
    ) -> PendingApproval:
        """Asks people at the authority for what an API refused with `approval_required`.

        Then repeat the same request with `signer.with_approval(pending.wait())`.

        Args:
            refusal: What the API answered.
            body: The body of the request, so that people see it and not only its digest.
            arguments: The arguments of a tool call of MCP, for the same.
            why: Why the agent asks, in its own words.

        Raises:
            AgentError: `approval_impossible`, `approval_refused` or `authority_unavailable`.
        """
        return ask(self._required(), refusal, body=body, arguments=arguments, why=why)

    async def act_for_async(
        self,
        user_token: str | Callable[[], str],
        *,
        scope: Sequence[str] | str | None = None,
        audience: str | None = None,
        authorization_details: Sequence[Mapping[str, Any]] | None = None,
    ) -> Signer:
        """`act_for` in a thread, which also calls `user_token`."""
        return await asyncio.to_thread(
            lambda: self.act_for(
                user_token, scope=scope, audience=audience, authorization_details=authorization_details
            )
        )

    async def with_own_token_async(
        self, *, scope: Sequence[str] | str | None = None, audience: str | None = None
    ) -> Signer:
        """`with_own_token` in a thread."""
        return await asyncio.to_thread(lambda: self.with_own_token(scope=scope, audience=audience))

    def _required(self) -> Authority:
        if self._authority is None:
            raise ConfigError("The agent has no authority. Give Agent the option 'authority'.")
        return self._authority

    def _holding(self, get: Callable[[], IssuedToken]) -> Signer:
        held = HeldToken(get, self._rules.clock)
        held.current()
        return self._acting(held)

    def _acting(self, hold: Hold) -> Signer:
        return Signer(self._rules, hold, self._offsets)
