"""Every way in which this package plugs into an HTTP library, behind one function."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import aiohttp
import httpx
import requests

import countersign.aiohttp
import countersign.httpx
import countersign.requests
from countersign import Signer

try:
    import httpx2

    import countersign.httpx2
except ImportError:
    httpx2 = None  # type: ignore[assignment]

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    #: Raises the refusal of a guard, as the integration does.
    raise_for_refusal: Callable[[], None]


@dataclass(frozen=True)
class Caller:
    """One library. It sends headers as text; `call` raises what the library raises."""

    name: str
    call: Callable[..., Answer]

    def __str__(self) -> str:
        return self.name


def by_requests(
    signer: Signer, method: str, url: str, headers: Headers = (), body: Any = None, *, follow: bool = False
) -> Answer:
    with requests.Session() as session:
        session.auth = countersign.requests.SignedAuth(signer)
        session.trust_env = False
        response = session.request(method, url, headers=dict(headers), data=body, allow_redirects=follow, timeout=30)
        return Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            response.content,
            lambda: countersign.requests.raise_for_refusal(response),
        )


def _encoded(headers: Headers) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]


def _of_httpx(library: ModuleType, plug: ModuleType) -> list[Callable[..., Answer]]:
    def answer_of(response: Any) -> Answer:
        return Answer(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            response.content,
            lambda: plug.raise_for_refusal(response),
        )

    def sync(
        signer: Signer,
        method: str,
        url: str,
        headers: Headers = (),
        body: Any = None,
        *,
        follow: bool = False,
    ) -> Answer:
        with library.Client(auth=plug.SignedAuth(signer), trust_env=False, timeout=30) as client:
            return answer_of(
                client.request(method, url, headers=_encoded(headers), content=body, follow_redirects=follow)
            )

    def asynchronous(
        signer: Signer,
        method: str,
        url: str,
        headers: Headers = (),
        body: Any = None,
        *,
        follow: bool = False,
    ) -> Answer:
        async def run() -> Answer:
            async with library.AsyncClient(auth=plug.SignedAuth(signer), trust_env=False, timeout=30) as client:
                content = _async_of(body) if hasattr(body, "__next__") else body
                return answer_of(
                    await client.request(
                        method, url, headers=_encoded(headers), content=content, follow_redirects=follow
                    )
                )

        return asyncio.run(run())

    return [sync, asynchronous]


async def _async_of(chunks: Any) -> Any:
    for chunk in chunks:
        yield chunk


def _data_of(body: Any) -> Any:
    if isinstance(body, bytes) and len(body) > 1_000_000:
        return io.BytesIO(body)  # aiohttp warns of large bytes
    return _async_of(body) if hasattr(body, "__next__") else body


def by_aiohttp(
    signer: Signer, method: str, url: str, headers: Headers = (), body: Any = None, *, follow: bool = False
) -> Answer:
    async def run() -> Answer:
        middleware = countersign.aiohttp.SignedMiddleware(signer)
        async with (
            aiohttp.ClientSession(middlewares=[middleware]) as session,
            session.request(
                method,
                url,
                headers=list(headers),
                data=_data_of(body),
                allow_redirects=follow,
            ) as response,
        ):
            refusal: list[Exception] = []
            try:
                await countersign.aiohttp.raise_for_refusal(response)
            except Exception as error:  # noqa: BLE001
                refusal.append(error)

            def raise_it() -> None:
                for error in refusal:
                    raise error

            lowered = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, lowered, await response.read(), raise_it)

    return asyncio.run(run())


CALLERS = [Caller("requests", by_requests), Caller("aiohttp", by_aiohttp)]
for module, plugged in [("httpx", countersign.httpx), ("httpx2", getattr(countersign, "httpx2", None))]:
    found = {"httpx": httpx, "httpx2": httpx2}[module]
    if found is not None and plugged is not None:
        one, other = _of_httpx(found, plugged)
        CALLERS += [Caller(module, one), Caller(f"{module} async", other)]
