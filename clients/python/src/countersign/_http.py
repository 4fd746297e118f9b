"""What the authority is asked with: the standard library, without redirects, within bounds."""

from __future__ import annotations

import email.utils
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._json import parse_object
from ._url import read_url

if TYPE_CHECKING:
    import http.client
    import ssl
    from collections.abc import Mapping

_TIMEOUT_SECONDS = 10
_MAX_ANSWER_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """An answer of the authority."""

    status: int
    #: Empty if it is no JSON object.
    json: dict[str, Any]
    #: Its `Date` in unix seconds.
    date: float | None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        # The redirect is then the answer.
        return None


def send(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, ssl_context: ssl.SSLContext | None
) -> Answer:
    """Sends a request, and reads at most 64 KiB of the answer within 10 seconds.

    Raises:
        OSError: There is no answer.
    """
    address = read_url(url)
    handlers: list[urllib.request.BaseHandler] = [
        _NoRedirects(),
        urllib.request.HTTPSHandler(context=ssl_context),
    ]
    if address.scheme == "http":
        # Plain http is for this machine, and a proxy is another.
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    # read_url lets http and https through, and nothing else.
    request = urllib.request.Request(address.url, data=body, headers=dict(headers), method=method)  # noqa: S310
    end = time.monotonic() + _TIMEOUT_SECONDS
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
            return _answer(response, end)
    except urllib.error.HTTPError as error:
        with error:
            return _answer(error, end)
    except (ValueError, EOFError) as error:
        # What http.client cannot read.
        raise OSError(str(error)) from error


def _answer(response: http.client.HTTPResponse | urllib.error.HTTPError, end: float) -> Answer:
    chunks: list[bytes] = []
    length = 0
    while chunk := response.read1(_MAX_ANSWER_BYTES):
        length += len(chunk)
        if length > _MAX_ANSWER_BYTES or time.monotonic() > end:
            raise OSError("the answer is too long, or takes too long")
        chunks.append(chunk)
    return Answer(
        status=response.status or 0,
        json=parse_object(b"".join(chunks)) or {},
        date=_seconds(response.headers.get("Date", "")),
    )


def _seconds(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
