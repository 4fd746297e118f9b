"""Signs what `aiohttp` sends.

Example:
    >>> import aiohttp
    >>> from countersign import Agent, AgentKey
    >>> from countersign.aiohttp import SignedMiddleware
    >>> agent = Agent("agent-a", AgentKey.generate(), origins=["https://api.acme.dev"])
    >>> async def call():
    ...     async with aiohttp.ClientSession(middlewares=[SignedMiddleware(agent)]) as session:
    ...         return await session.get("https://api.acme.dev/invoices")
"""

from __future__ import annotations

import asyncio
import io
from typing import TYPE_CHECKING

from aiohttp import hdrs
from aiohttp.payload import BytesIOPayload, Payload

from ._call import refuse_redirect
from ._httpx_call import lower
from ._sent import Sent
from .errors import AgentError, refusal_of

if TYPE_CHECKING:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from .signer import Signer

__all__ = ["SignedMiddleware", "raise_for_refusal"]


class SignedMiddleware:
    """A client middleware of aiohttp: signs each request, and signs anew where the API asks for that.

    Make it the last of the list, so that no other one changes what was signed. A redirect raises `AgentError`
    `redirect_refused`: a signature is for one URL. A body is read into memory.
    """

    def __init__(self, signer: Signer) -> None:
        """Takes an agent, or what it acts with."""
        self._signer = signer

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Signs a request.

        Raises:
            AgentError: It must not be signed, and nothing is sent; or the answer is a redirect.
        """
        body = await _hold_body(request)
        url = f"{request.url.scheme}://{request.url.raw_authority}{request.url.raw_path_qs}"
        unsigned = [(str(name), value) for name, value in request.headers.items()]
        attempts = self._signer.attempts(url)
        while True:
            signed = await self._signer.sign_async(request.method, url, unsigned, body, attempts=attempts)
            kept = [field for field in unsigned if field[0].lower() in {"host", "content-length"}]
            request.headers.clear()
            request.headers.extend([*kept, *signed.headers])
            response = await handler(request)
            headers = lower(response.headers)
            try:
                # aiohttp follows either field.
                location = headers.get("location", headers.get("uri"))
                refuse_redirect(response.status, location, str(request.url.origin()))
            except AgentError:
                response.close()
                raise
            if not attempts.receive(response.status, headers):
                return response
            wait = attempts.wait_before_next(response.status, headers, await response.read())
            if wait is None:
                return response
            response.release()
            await asyncio.sleep(wait)


async def _hold_body(request: ClientRequest) -> bytes:
    """The bytes of the body, which are then sent, whatever it was made of."""
    if request.compress:
        raise AgentError("request_malformed", "aiohttp compresses after signing. Compress the body yourself.")
    if not isinstance(request.body, Payload):
        return b""
    data = await request.body.as_bytes()
    request.chunked = None
    for name in (hdrs.TRANSFER_ENCODING, hdrs.CONTENT_LENGTH):
        request.headers.popall(name, None)
    content_type = request.headers.get(hdrs.CONTENT_TYPE)
    await request.update_body(BytesIOPayload(io.BytesIO(data)))
    request.headers[hdrs.CONTENT_LENGTH] = str(len(data))
    if content_type is not None:
        request.headers[hdrs.CONTENT_TYPE] = content_type
    return data


async def raise_for_refusal(response: ClientResponse) -> None:
    """Raises the refusal of a guard, if the answer is one.

    Raises:
        Refusal: With its code, and what to do.
    """
    if response.ok:
        return
    info = response.request_info
    # aiohttp writes them in UTF-8.
    fields = tuple((str(name), value.encode("utf-8").decode("latin-1")) for name, value in info.headers.items())
    sent = Sent(response.method, f"{info.url.scheme}://{info.url.raw_authority}{info.url.raw_path_qs}", fields)
    refusal = refusal_of(sent, response.status, response.headers, await response.read())
    if refusal is not None:
        raise refusal
