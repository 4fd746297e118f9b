"""What was sent, to be compared with what an API wants people to approve."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._base64 import b64
from ._url import read_url
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, repr=False)
class Sent:
    """A request, as it was sent.

    Attributes:
        method: As sent.
        url: As sent.
        body: None: it is not known.
    """

    method: str
    url: str
    body: bytes | None = None

    def is_request(self, request: Mapping[str, Any], shown: bytes | None) -> bool:
        """Whether the request that people are to approve is this one.

        Args:
            request: Of the refusal.
            shown: The body that people are to see.
        """
        try:
            address = read_url(self.url)
        except AgentError:
            return False
        http = _object(request.get("http"))
        target = f"{http.get('path')}{http.get('query', '')}"
        line = (http.get("method"), http.get("authority"), target)
        body = shown if self.body is None else self.body
        return line == (self.method, address.authority, address.target) and (
            body is None
            or http.get("contentDigest") == content_digest(body)
            # A call states its arguments instead of the body.
            or ("argumentsDigest" in _object(request.get("call")) and "contentDigest" not in http)
        )


def content_digest(body: bytes) -> str | None:
    """The Content-Digest of a body; None if there is none."""
    return f"sha-256=:{b64(hashlib.sha256(body).digest())}:" if body else None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
