"""Signs what `httpx` sends, with a `Client` or an `AsyncClient`.

Example:
    >>> import httpx
    >>> from countersign import Agent, AgentKey
    >>> from countersign.httpx import SignedAuth
    >>> agent = Agent("agent-a", AgentKey.generate(), origins=["https://api.acme.dev"])
    >>> client = httpx.Client(auth=SignedAuth(agent))
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx

from ._httpx_call import HttpxCall, lower, refusal_of, refuse_to_follow

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from ._httpx_call import RawFields
    from .signer import Signer

__all__ = ["SignedAuth", "raise_for_refusal"]


class SignedAuth(httpx.Auth):
    """An `auth` of httpx: signs each request, and signs anew where the API asks for that.

    A redirect raises `AgentError` `redirect_refused`, also with `follow_redirects=True`: a signature is for one URL.
    A body is read into memory. Use no transport that retries: a signature counts once.
    """

    def __init__(self, signer: Signer) -> None:
        """Takes an agent, or what it acts with."""
        self._signer = signer

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """What a `Client` calls."""
        call = HttpxCall(self._signer, request.method, request.url, request.headers, request.read())
        response = yield _signed(request, call, call.sign())
        while call.attempts.receive(response.status_code, lower(response.headers)):
            wait = call.attempts.wait_before_next(response.status_code, lower(response.headers), response.read())
            if wait is None:
                return
            time.sleep(wait)
            response = yield _signed(request, call, call.sign())

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """What an `AsyncClient` calls."""
        call = HttpxCall(self._signer, request.method, request.url, request.headers, await request.aread())
        response = yield _signed(request, call, await call.sign_async())
        while call.attempts.receive(response.status_code, lower(response.headers)):
            body = await response.aread()
            wait = call.attempts.wait_before_next(response.status_code, lower(response.headers), body)
            if wait is None:
                return
            await asyncio.sleep(wait)
            response = yield _signed(request, call, await call.sign_async())


class _OneUrl(httpx.URL):
    """The URL of a signed request. httpx asks for its fragment only to follow a redirect from it."""

    @property
    def fragment(self) -> str:
        refuse_to_follow()


def _signed(request: httpx.Request, call: HttpxCall, fields: RawFields) -> httpx.Request:
    # A copy, so that the request of the caller carries no credential. `target` would send another path than was signed.
    extensions = {name: value for name, value in request.extensions.items() if name != "target"}
    signed = httpx.Request(request.method, request.url, headers=fields, content=call.body, extensions=extensions)
    signed.url = _OneUrl(signed.url)
    return signed


def raise_for_refusal(response: httpx.Response) -> None:
    """Raises the refusal of a guard, if the answer is one. Read a streamed answer first.

    Raises:
        Refusal: With its code, and what to do.
    """
    refusal = None if response.is_success else refusal_of(response)
    if refusal is not None:
        raise refusal
