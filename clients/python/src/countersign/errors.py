"""What can go wrong, as types: calls that were not made, and answers of an API that refuse a call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from ._advice import ADVICE, UNKNOWN_ADVICE
from ._json import parse_object
from ._text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._sent import Sent

AgentErrorCode = Literal[
    "already_signed",
    "approval_denied",
    "approval_expired",
    "approval_impossible",
    "approval_refused",
    "approval_withdrawn",
    "authority_unavailable",
    "body_too_large",
    "bundle_invalid",
    "changed_after_signing",
    "credential_conflict",
    "delegation_impossible",
    "host_mismatch",
    "insecure_credential",
    "origin_not_allowed",
    "redirect_refused",
    "request_malformed",
    "token_refused",
    "url_unsupported",
]


class CountersignError(Exception):
    """The base of every error of this package."""


class InvalidKeyError(CountersignError, ValueError):
    """What was given as a private key is none. The message never repeats the input."""


class ConfigError(CountersignError, ValueError):
    """An option is wrong. The message says which, and what it must be."""


class AgentError(CountersignError):
    """A call that was not made or not finished, or a delegation that was not handed on or accepted.

    Attributes:
        code: Stable; the message says what to do.
    """

    def __init__(self, code: AgentErrorCode, message: str) -> None:
        super().__init__(message)
        self.code: AgentErrorCode = code


class Refusal(CountersignError):  # noqa: N818  # the word of the profile
    """An API refused a call (RFC 9457). Nothing was carried out.

    Attributes:
        code: Stable, as in docs/reference/refusals.md.
        status: The HTTP status.
        title: The text of the API.
        advice: What to do.
        problem: All members of the answer.
        required_scope: The missing scopes, if the answer names them.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], required_scope: tuple[str, ...] = ()) -> None:
        self.code: str = problem["code"]
        self.status = status
        title = problem.get("title")
        self.title: str = quote(title) if isinstance(title, str) else ""
        self.advice: str = ADVICE.get(self.code, UNKNOWN_ADVICE)
        self.problem: dict[str, Any] = dict(problem)
        self.required_scope = required_scope
        self._sent: Sent | None = None
        super().__init__(f"{status} {quote(self.code)}: {self.title} {self.advice}")


class RequestRefused(Refusal):
    """400, 401, 408, 413 or 431: who calls, or with what right, was not proved. The same request fails again."""


class PermissionRefused(Refusal):
    """403: the API knows who calls, and does not permit the call."""


class ApprovalRequired(PermissionRefused):
    """403 `approval_required`: people must agree first. `agent.ask_approval` asks them."""

    @property
    def approval(self) -> dict[str, Any]:
        """What they must approve: `binding`, `request`, `issuers`, or the `url` of the application's own page."""
        value = self.problem.get("approval")
        if not isinstance(value, dict):
            return {}
        # No character of an API that a terminal would obey.
        is_wrong = "url" in value and not (isinstance(value["url"], str) and _PAGE.fullmatch(value["url"]))
        return {name: member for name, member in value.items() if name != "url" or not is_wrong}


class ApiUnavailable(Refusal):
    """5xx: the API could not check the request. It may be sent again later, newly signed."""


_PAGE = re.compile(r"https?://[\x21-\x7e]+", re.IGNORECASE)
_SCOPE = re.compile(r'scope="([^"]*)"')
_SERVER_ERROR = 500
_FORBIDDEN = 403
_MAX_BODY = 65_536


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """The refusal that an answer states; None if a guard did not write it.

    Args:
        status: The status of the answer.
        headers: Its fields; names in any case.
        body: Its body.
    """
    fields = {name.lower(): value for name, value in headers.items()}
    if not is_problem(fields.get("content-type", "")) or len(body) > _MAX_BODY:
        return None
    problem = parse_object(body)
    code = None if problem is None else problem.get("code")
    if problem is None or not isinstance(code, str):
        return None
    challenge = _SCOPE.search(fields.get("www-authenticate", ""))
    scope = tuple(challenge.group(1).split()) if challenge and code == "insufficient_scope" else ()
    return _class_of(status, code)(status, problem, scope)


def refusal_of(sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> Refusal | None:
    """`read_refusal` for a request that is known."""
    refusal = read_refusal(status, headers, body)
    if refusal is not None:
        refusal._sent = sent  # of this module
    return refusal


def is_problem(content_type: str) -> bool:
    """Whether a Content-Type is that of problem details (RFC 9457)."""
    return content_type.partition(";")[0].strip().lower() == "application/problem+json"


def _class_of(status: int, code: str) -> type[Refusal]:
    if status >= _SERVER_ERROR:
        return ApiUnavailable
    if status == _FORBIDDEN:
        return ApprovalRequired if code == "approval_required" else PermissionRefused
    return RequestRefused
