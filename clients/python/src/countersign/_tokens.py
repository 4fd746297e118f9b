"""Tokens of an authority: got once, kept, and renewed before they expire."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ._signing import Credentials
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Callable

# The part of its life after which a token is replaced.
_FRESH_PART = 0.75
# After a failure the old token is used at least so long, before the authority is asked again.
_RETRY_SECONDS = 5.0


@dataclass(frozen=True)
class IssuedToken:
    """A token, and until when it is used, by our clock."""

    token: str
    expires_at: float


class Hold(Protocol):
    """With what a signer acts at the moment."""

    def current(self) -> Credentials:
        """May ask the authority, and then blocks."""

    async def current_async(self) -> Credentials:
        """The same without blocking the event loop."""


class Fixed:
    """Credentials that do not change."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def current(self) -> Credentials:
        """The credentials."""
        return self._credentials

    async def current_async(self) -> Credentials:
        """The credentials."""
        return self._credentials


class Approved:
    """What a signer acts with, and an approval for its next request."""

    def __init__(self, hold: Hold, approval: str) -> None:
        self._hold = hold
        self._approval = approval

    def current(self) -> Credentials:
        """The credentials with the approval."""
        return replace(self._hold.current(), approval=self._approval)

    async def current_async(self) -> Credentials:
        """The credentials with the approval."""
        return replace(await self._hold.current_async(), approval=self._approval)


@dataclass
class _Held:
    issued: IssuedToken
    refresh_at: float


class HeldToken:
    """A token that is got when it is first needed, and again before it expires, by one thread at a time."""

    def __init__(self, get: Callable[[], IssuedToken], clock: Callable[[], float]) -> None:
        self._get = get
        self._clock = clock
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def current(self) -> Credentials:
        """The token; a new one if the old one is about to expire.

        Raises:
            AgentError: `token_refused` or `authority_unavailable`, and the old token has expired.
        """
        held = self._held
        if held is None or self._clock() >= held.issued.expires_at:
            with self._lock:
                # Another thread may have been first.
                held = self._held
                if held is None or self._clock() >= held.issued.expires_at:
                    held = self._renew()
        elif self._clock() >= held.refresh_at and self._lock.acquire(blocking=False):
            try:
                held = self._renew_or_keep(held)
            finally:
                self._lock.release()
        return Credentials(token=held.issued.token)

    async def current_async(self) -> Credentials:
        """The same; the authority is asked in a thread."""
        held = self._held
        if held is not None and self._clock() < min(held.refresh_at, held.issued.expires_at):
            return Credentials(token=held.issued.token)
        return await asyncio.to_thread(self.current)

    def _renew(self) -> _Held:
        asked = self._clock()
        issued = self._get()
        held = _Held(issued, asked + _FRESH_PART * (issued.expires_at - asked))
        self._held = held
        return held

    def _renew_or_keep(self, old: _Held) -> _Held:
        # The last holder of the lock may have renewed it.
        if self._held is not old:
            return self._held or old
        try:
            return self._renew()
        except AgentError:
            # The old token still counts. What is wrong is said once it does not.
            old.refresh_at = self._clock() + _RETRY_SECONDS
            return old
