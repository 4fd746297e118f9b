"""Signs what `requests` sends.

Example:
    >>> import requests
    >>> from countersign import Agent, AgentKey
    >>> from countersign.requests import SignedAuth
    >>> agent = Agent("agent-a", AgentKey.generate(), origins=["https://api.acme.dev"])
    >>> session = requests.Session()
    >>> session.auth = SignedAuth(agent)
"""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from requests.auth import AuthBase

from ._call import refuse_redirect
from ._sent import Sent
from ._url import read_url
from .errors import AgentError, refusal_of

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

    from ._call import Attempts
    from ._signing import SignedRequest
    from .signer import Signer

__all__ = ["SignedAuth", "raise_for_refusal"]


class SignedAuth(AuthBase):
    """An `auth` of requests: signs each request, and signs anew where the API asks for that.

    A redirect raises `AgentError` `redirect_refused`, also with `allow_redirects=True`: a signature is for one URL.
    A body is read into memory. Mount no adapter that retries: a signature counts once.
    """

    def __init__(self, signer: Signer) -> None:
        """Takes an agent, or what it acts with."""
        self._signer = signer

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """Signs a prepared request.

        Raises:
            AgentError: It must not be signed. Nothing is sent.
        """
        url = _url_as_sent(r)
        unsigned = [(_text(name), _text(value)) for name, value in r.headers.items()]
        call = _Call(self._signer, r.method or "GET", url, unsigned, _body_of(r))
        call.sign(r)
        r.register_hook("response", partial(_answered, call))  # type: ignore[no-untyped-call]
        return r


class _Call:
    """One call, which may be signed several times."""

    def __init__(self, signer: Signer, method: str, url: str, fields: list[tuple[str, str]], body: bytes) -> None:
        self._signer = signer
        self._method = method
        self._url = url
        # What requests frames the body with is set anew for the bytes that were read.
        self._fields = [field for field in fields if field[0].lower() != "transfer-encoding"]
        self._body = body
        self.attempts: Attempts = signer.attempts(url)
        self.signed: SignedRequest | None = None

    def sign(self, request: PreparedRequest) -> None:
        self.signed = self._signer.sign(self._method, self._url, self._fields, self._body, attempts=self.attempts)
        request.url = self._url
        request.body = self._body or None
        for name in ("Transfer-Encoding", "Content-Digest"):
            request.headers.pop(name, None)
        request.headers.update(self.signed.headers)
        request.prepare_content_length(request.body)

    def refuse_changes(self, request: PreparedRequest) -> None:
        signed = self.signed
        if signed is None:
            return
        body = request.body.encode() if isinstance(request.body, str) else (request.body or b"")
        sent = {name.lower(): _text(value) for name, value in request.headers.items()}
        for name in ("content-length", "host"):
            sent.pop(name, None)
        fields = {name.lower(): value for name, value in signed.headers}
        target = (request.method, request.url)
        if body != signed.body or target != (signed.method, self._url) or sent != fields:
            raise AgentError("changed_after_signing", "The request was changed after it was signed. Sign it last.")


def _answered(call: _Call, response: Response, **kwargs: Any) -> Response:
    wait = _checked(call, response)
    while wait is not None:
        response.close()
        time.sleep(wait)
        request = response.request.copy()
        call.sign(request)
        # Set by the adapter that sent the first request.
        again: Response = response.connection.send(request, **kwargs)
        again.history.append(response)
        again.request = request
        response, wait = again, _checked(call, again)
    return response


def _checked(call: _Call, response: Response) -> float | None:
    """Seconds to wait before the request is signed anew; None: the answer is for the caller."""
    try:
        call.refuse_changes(response.request)
        _refuse_redirect(response)
    except AgentError:
        response.close()
        raise
    headers = {name.lower(): value for name, value in response.headers.items()}
    if not call.attempts.receive(response.status_code, headers):
        return None
    return call.attempts.wait_before_next(response.status_code, headers, response.content)


def raise_for_refusal(response: Response) -> None:
    """Raises the refusal of a guard, if the answer is one.

    Raises:
        Refusal: With its code, and what to do.
    """
    if response.ok:
        return
    request = response.request
    fields = tuple((_text(name), _text(value)) for name, value in request.headers.items())
    sent = Sent(request.method or "GET", request.url or "", fields)
    refusal = refusal_of(sent, response.status_code, response.headers, response.content)
    if refusal is not None:
        raise refusal


def _refuse_redirect(response: Response) -> None:
    origin = read_url(response.request.url or "").origin
    refuse_redirect(response.status_code, response.headers.get("location"), origin)


def _url_as_sent(request: PreparedRequest) -> str:
    url = request.url or ""
    # requests sends one slash where a path begins with several.
    return re.sub(r"^(https?://[^/?#]*)//+", r"\1/", url, flags=re.IGNORECASE)


def _body_of(request: PreparedRequest) -> bytes:
    body: Any = request.body
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode("utf-8")
    if isinstance(body, (bytes, bytearray, memoryview)):
        return bytes(body)
    if hasattr(body, "read"):
        data = body.read()
        return data.encode("utf-8") if isinstance(data, str) else bytes(data)
    return b"".join(chunk.encode("utf-8") if isinstance(chunk, str) else bytes(chunk) for chunk in body)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
