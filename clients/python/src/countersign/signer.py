"""What can sign requests and hand on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import _wire as wire
from ._call import Attempts, ClockOffsets
from ._delegate import delegate
from ._signing import Credentials, Rules, SignedRequest, sign
from ._text import is_compact_jws
from ._tokens import Approved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ._tokens import Hold
    from .bundle import Bundle


class Signer:
    """What can sign and hand on: an agent for itself, with a token, or with what another agent handed on."""

    def __init__(self, rules: Rules, hold: Hold, offsets: ClockOffsets) -> None:
        self._rules = rules
        self._hold = hold
        self._offsets = offsets

    def sign(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        *,
        attempts: Attempts | None = None,
    ) -> SignedRequest:
        """Signs a request that any HTTP library sends, exactly as it comes back. Nothing is sent.

        Switch off redirects and retries of that library: a signature is for one URL, and counts once.

        Args:
            method: In upper case, as servers expect it.
            url: Absolute, percent-encoded.
            headers: Fields to send, Content-Type included. Characters stand for bytes, as in Latin-1.
            body: The bytes to send. Text is sent as UTF-8.
            attempts: For an integration: those of this call.

        Raises:
            AgentError: The request must not be signed; or the authority gives no token.
        """
        return self._sign(self._hold.current(), method, url, headers, body, attempts=attempts)

    async def sign_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        body: bytes | str = b"",
        *,
        attempts: Attempts | None = None,
    ) -> SignedRequest:
        """`sign` for an event loop: a token is renewed in a thread."""
        return self._sign(await self._hold.current_async(), method, url, headers, body, attempts=attempts)

    def delegate(
        self,
        delegate_id: str,
        *,
        scope: Sequence[str] | str,
        ttl_seconds: int = wire.DEFAULT_LINK_LIFETIME_SECONDS,
        audience: str | Sequence[str] | None = None,
        authorization_details: Sequence[Mapping[str, Any]] | None = None,
        max_hops: int | None = None,
        key_id: str | None = None,
    ) -> Bundle:
        """Hands on less than it holds to another agent, offline.

        Args:
            delegate_id: The agent that may use it.
            scope: At least one scope, each covered by what is handed on.
            ttl_seconds: 1 to 3600, and never longer than what is handed on.
            audience: The APIs. Default: those of what is handed on.
            authorization_details: Limits to single resources and actions (RFC 9396).
            max_hops: How often it may be handed on from there; 0 forbids it.
            key_id: The thumbprint of the one key of the delegate that may use it.

        Raises:
            AgentError: `delegation_impossible`; an API would refuse it, and nothing was signed.
        """
        return delegate(
            self._rules,
            self._hold.current(),
            delegate_id,
            scope=scope,
            ttl_seconds=ttl_seconds,
            audience=audience,
            authorization_details=authorization_details,
            max_hops=max_hops,
            key_id=key_id,
        )

    def with_approval(self, approval: str) -> Signer:
        """The same with an approval, for the one request that people approved: the same target, body and user.

        Raises:
            ValueError: The text cannot be an approval.
        """
        if not is_compact_jws(approval):
            raise ValueError("This is not an approval: it is no JWT.")
        return Signer(self._rules, Approved(self._hold, approval), self._offsets)

    def attempts(self, url: str) -> Attempts:
        """For an integration with an HTTP library: decides when one call is signed anew."""
        return Attempts(url, self._offsets, self._rules.clock)

    def _sign(
        self,
        credentials: Credentials,
        method: str,
        url: str,
        headers: Mapping[str, str] | Iterable[tuple[str, str]],
        body: bytes | str,
        *,
        attempts: Attempts | None,
    ) -> SignedRequest:
        fields = headers.items() if hasattr(headers, "items") else headers
        data = body.encode("utf-8") if isinstance(body, str) else bytes(body)
        return sign(
            self._rules,
            credentials,
            method=method,
            url=url,
            headers=fields,
            body=data,
            clock_offset=self._offsets.of(url) if attempts is None else attempts.clock_offset,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._rules.agent_id}>"
