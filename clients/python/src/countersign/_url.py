"""The address of a request, as it is signed and sent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .errors import AgentError

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?P<query>\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL
)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::(?P<port>[0-9]{0,5}))?")
_LOOPBACK = re.compile(r"localhost|\[::1\]|127(?:\.[0-9]{1,3}){3}")
_PRINTABLE = re.compile(r"[\x21-\x7e]*")
# Some servers decode separators before they resolve dot segments, some drop a path parameter first.
_DOT_SEGMENT = re.compile(r"(?:/|%2f|%5c)(?:\.|%2e){1,2}(?:/|%2f|%5c|;|%3b|\Z)", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


@dataclass(frozen=True)
class Address:
    """Where a request goes."""

    scheme: str
    #: In lower case, without the default port.
    authority: str
    path: str
    #: With its question mark; empty if there is none.
    query: str

    @property
    def origin(self) -> str:
        """Scheme and authority."""
        return f"{self.scheme}://{self.authority}"

    @property
    def target(self) -> str:
        """What is on the request line."""
        return self.path + self.query

    @property
    def url(self) -> str:
        """The URL as signed, without fragment."""
        return self.origin + self.target

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read: https, or a loopback address."""
        host = re.sub(r":[0-9]+$", "", self.authority)
        return self.scheme == "https" or _LOOPBACK.fullmatch(host) is not None


def read_url(url: str) -> Address:
    """Reads an absolute http(s) URL whose path and query are percent-encoded already.

    Raises:
        AgentError: `url_unsupported`.
    """
    found = _URL.fullmatch(url)
    if found is None or "@" in found["authority"]:
        raise _unsupported("The URL must be absolute, http or https, and without user name and password.")
    path, query = found["path"] or "/", found["query"] or ""
    if _PRINTABLE.fullmatch(path + query) is None:
        raise _unsupported("Percent-encode the path and the query first: a URL has printable ASCII only.")
    if "\\" in path:
        raise _unsupported("The path has a backslash, which some servers take for a slash.")
    if _DOT_SEGMENT.search(path) is not None:
        raise _unsupported("The path has a dot segment ('.' or '..'). Resolve it first.")
    return Address(found["scheme"].lower(), read_authority(found["scheme"].lower(), found["authority"]), path, query)


def read_authority(scheme: str, authority: str) -> str:
    """An authority in lower case and without the default port.

    Raises:
        AgentError: `url_unsupported`.
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise _unsupported("The URL names no host that can be signed. Write an international name in its ASCII form.")
    host, port = found["host"].lower(), found["port"] or ""
    return host if port in {"", _DEFAULT_PORTS[scheme]} else f"{host}:{port}"


def _unsupported(message: str) -> AgentError:
    return AgentError("url_unsupported", message)
