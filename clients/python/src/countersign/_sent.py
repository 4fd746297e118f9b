"""What was sent, to be compared with what an API wants people to approve."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._base64 import b64
from ._url import read_url
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, repr=False)
class Sent:
    """A request, as it was sent.

    Attributes:
        method: As sent.
        url: As sent.
        fields: As sent, Content-Digest included. Characters of values stand for bytes, as in Latin-1.
    """

    method: str
    url: str
    fields: tuple[tuple[str, str], ...]

    def is_request(self, request: Mapping[str, Any]) -> bool:
        """Whether the request that people are to approve is this one."""
        try:
            address = read_url(self.url)
        except AgentError:
            return False
        http = request.get("http")
        if not isinstance(http, dict):
            return False
        target = f"{http.get('path')}{http.get('query', '')}"
        line = (http.get("method"), http.get("authority"), target)
        fields = http.get("fields", {})
        return (
            line == (self.method, address.authority, address.target)
            and http.get("contentDigest") == combined(self.fields, "content-digest")
            # Not all of them are signed: people must not be asked about what somebody on the way has written.
            and isinstance(fields, dict)
            and all(combined(self.fields, name) == value for name, value in fields.items())
        )


def combined(fields: Sequence[tuple[str, str]], name: str) -> str | None:
    """The values of a field on all its lines; None if there is none."""
    values = [value.strip(" \t") for key, value in fields if key.lower() == name]
    return ", ".join(values) if values else None


def content_digest(body: bytes) -> str | None:
    """The Content-Digest of a body; None if there is none."""
    return f"sha-256=:{b64(hashlib.sha256(body).digest())}:" if body else None
