"""What httpx and httpx2 share: they are alike, and neither knows the types of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from ._call import refuse_redirect
from ._sent import Sent
from .errors import AgentError, Refusal
from .errors import refusal_of as known_refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .signer import Signer


class Url(Protocol):
    """A URL of httpx."""

    @property
    def scheme(self) -> str:
        """In lower case."""

    @property
    def netloc(self) -> bytes:
        """Host and port."""

    @property
    def raw_path(self) -> bytes:
        """What is on the request line."""

    @property
    def userinfo(self) -> bytes:
        """User name and password."""


class RawHeaders(Protocol):
    """Headers of httpx."""

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The fields in order."""


RawFields = list[tuple[bytes, bytes]]


class HttpxCall:
    """One call, which may be signed several times."""

    def __init__(self, signer: Signer, method: str, url: Url, headers: RawHeaders, body: bytes) -> None:
        userinfo = f"{url.userinfo.decode('ascii')}@" if url.userinfo else ""
        self.url = f"{url.scheme}://{userinfo}{url.netloc.decode('ascii')}{url.raw_path.decode('ascii')}"
        self.body = body
        self.attempts = signer.attempts(self.url)
        self._signer = signer
        self._method = method
        # Set anew for the bytes that were read.
        self._fields = [field for field in _fields_of(headers) if field[0].lower() != "transfer-encoding"]
        self._host = next((value for name, value in headers.raw if name.lower() == b"host"), url.netloc)

    def sign(self) -> RawFields:
        """The fields of the signed request, framed for its body."""
        signed = self._signer.sign(self._method, self.url, self._fields, self.body, attempts=self.attempts)
        return self._framed(signed.headers)

    async def sign_async(self) -> RawFields:
        """The same without blocking the event loop."""
        attempts = self.attempts
        signed = await self._signer.sign_async(self._method, self.url, self._fields, self.body, attempts=attempts)
        return self._framed(signed.headers)

    def _framed(self, fields: tuple[tuple[str, str], ...]) -> RawFields:
        length = [(b"Content-Length", str(len(self.body)).encode("ascii"))] if self.body else []
        raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in fields]
        return [(b"Host", self._host), *raw, *length]


def _fields_of(headers: RawHeaders) -> tuple[tuple[str, str], ...]:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Fields by their name in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def refuse(status: int, headers: Mapping[str, str], url: str) -> None:
    """Refuses a redirect."""
    refuse_redirect(status, headers.get("location"), url)


def refuse_to_follow() -> NoReturn:
    """What a URL says that is asked where a redirect leads."""
    raise AgentError(
        "redirect_refused",
        "The API redirected the call. A signature is for one URL: call that one yourself.",
    )


def refusal_of(response: Any) -> Refusal | None:
    """The refusal of a guard, if an answer that was read is one."""
    request = response.request
    url = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}{request.url.raw_path.decode('ascii')}"
    sent = Sent(request.method, url, _fields_of(request.headers))
    return known_refusal(sent, response.status_code, response.headers, response.content)
