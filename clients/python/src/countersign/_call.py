"""One call of an HTTP library: when it is signed anew and sent again."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._json import parse_object
from ._text import quote
from ._url import read_url
from ._wire import CLOCK_SKEW_SECONDS, MAX_CLOCK_FORWARD_SECONDS
from .errors import AgentError, is_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# An API asks for one second. The caller decides about a longer wait.
_LONGEST_WAIT_SECONDS = 5
# Longer than any refusal: more is not read ahead of the caller.
_MAX_REFUSAL_BYTES = 4096
# Of a number in a header field.
_MAX_DIGITS = 9
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SUCCESS = range(200, 300)
_UNAUTHORIZED = 401
_UNAVAILABLE = 503


@dataclass(frozen=True)
class Anew:
    """The request is signed anew and sent again."""

    wait_seconds: float = 0.0
    #: What to add to our clock for this API; None: as before.
    clock_offset: float | None = None


def read_ahead(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the body of an answer is needed to decide: only that of a short refusal is read."""
    length = _whole_number(headers.get("content-length", ""))
    return (
        status in {_UNAUTHORIZED, _UNAVAILABLE}
        and is_problem(headers.get("content-type", ""))
        and length is not None
        and length <= _MAX_REFUSAL_BYTES
    )


def decide(
    status: int, headers: Mapping[str, str], body: bytes, *, url: str, now: float, clock_offset: float
) -> Anew | None:
    """Whether a refused request is signed anew. Names of headers are in lower case.

    Only two refusals ask for that, and neither ran the request: `replay_unknown` after a restart, and a signature that
    is too old or from the future by the clock of the API.
    """
    if not is_problem(headers.get("content-type", "")) or len(body) > _MAX_REFUSAL_BYTES:
        return None
    code = (parse_object(body) or {}).get("code")
    if status == _UNAVAILABLE and code == "replay_unknown":
        seconds = _whole_number(headers.get("retry-after", ""))
        if seconds is None or seconds > _LONGEST_WAIT_SECONDS:
            return None
        return Anew(wait_seconds=float(seconds))
    if status == _UNAUTHORIZED and code in ("signature_expired", "signature_not_yet_valid"):
        date = _seconds(headers.get("date", ""))
        # On plain http anybody could set our clock.
        if date is None or not read_url(url).is_private:
            return None
        offset = date - now
        return Anew(clock_offset=offset) if is_correction(offset, clock_offset) else None
    return None


def is_correction(offset: float, known: float) -> bool:
    """Whether a server may correct our clock so. Forwards, an answer gets signatures that count later."""
    return abs(offset - known) > CLOCK_SKEW_SECONDS and offset <= MAX_CLOCK_FORWARD_SECONDS


def refuse_redirect(status: int, location: str | None, origin: str) -> None:
    """A signature is for one URL, and a token for one API.

    Raises:
        AgentError: `redirect_refused`, if the answer is a redirect.
    """
    if status in _REDIRECTS and location is not None:
        raise AgentError(
            "redirect_refused",
            f"{origin} redirected the call to {quote(location)}. A signature is for one URL: call that one yourself.",
        )


def _whole_number(text: str) -> int | None:
    # int() raises for thousands of digits.
    return int(text) if len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() else None


def _seconds(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


class ClockOffsets:
    """By how much the clock of each API is ahead of ours."""

    def __init__(self) -> None:
        self._offsets: dict[str, float] = {}

    def of(self, url: str) -> float:
        """Seconds to add to our clock for this URL."""
        return self._offsets.get(read_url(url).origin, 0.0)

    def learn(self, url: str, offset: float) -> None:
        """Remembers the clock of an API, for this API only."""
        self._offsets[read_url(url).origin] = offset


# A store that several processes share asks for it until its clock skew is over.
_MOST_RESTARTS = 3


class Attempts:
    """Bounds how often one call is signed anew: once for a clock, three times for a restart, with doubled waits."""

    def __init__(self, url: str, offsets: ClockOffsets, clock: Callable[[], float]) -> None:
        self._url = url
        self._offsets = offsets
        self._clock = clock
        self._restarts = 0
        self._corrected: float | None = None

    @property
    def clock_offset(self) -> float:
        """Seconds to add to our clock for this call."""
        return self._offsets.of(self._url) if self._corrected is None else self._corrected

    def receive(self, status: int, headers: Mapping[str, str]) -> bool:
        """Takes an answer. Returns whether its body must be read, for `wait_before_next`."""
        # Only a success proves the correction right, for later calls too.
        if self._corrected is not None and status in _SUCCESS:
            self._offsets.learn(self._url, self._corrected)
        return read_ahead(status, headers)

    def wait_before_next(self, status: int, headers: Mapping[str, str], body: bytes) -> float | None:
        """Seconds to wait before the request is signed anew; None: hand the answer over."""
        anew = decide(status, headers, body, url=self._url, now=self._clock(), clock_offset=self.clock_offset)
        if anew is None:
            return None
        if anew.clock_offset is not None:
            if self._corrected is not None:
                return None
            self._corrected = anew.clock_offset
            return 0.0
        self._restarts += 1
        return None if self._restarts > _MOST_RESTARTS else anew.wait_seconds * 2 ** (self._restarts - 1)
