"""Asks people for their approval at an authority, and waits for what they decide."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ._base64 import b64
from ._json import to_json
from ._text import is_compact_jws, quote
from .errors import AgentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._authority import Authority
    from .errors import ApprovalRequired

_DETAILS_TYPE = "countersign_approval"
# More is not shown to people, who then see a digest only.
_MAX_SHOWN_UNITS = 262_144
# float() raises for a larger integer.
_MAX_NUMBER = 2**53
_LONGEST_INTERVAL_SECONDS = 60.0
_OUTCOMES = {"denied": "approval_denied", "expired": "approval_expired", "withdrawn": "approval_withdrawn"}


@dataclass(frozen=True, repr=False)
class PendingApproval:
    """A question that waits for people.

    Attributes:
        id: By which the log finds it.
        uri: The page where people decide.
        expires_in: Seconds within which they must.
    """

    id: str
    uri: str
    expires_in: float
    _interval: float
    _authority: Authority

    def poll(self) -> str | None:
        """The approval; None while people decide.

        Raises:
            AgentError: `approval_denied`, `approval_expired` or `approval_withdrawn`; `authority_unavailable`.
        """
        answer = self._authority.approval("/poll", {"approval_id": self.id})
        status, approval = answer.get("status"), answer.get("approval")
        if status == "approved" and isinstance(approval, str) and is_compact_jws(approval):
            return approval
        if status == "pending":
            return None
        reason = answer.get("reason")
        said = f": {quote(reason)}" if isinstance(reason, str) else ""
        code = _OUTCOMES.get(status) if isinstance(status, str) else None
        if code is None:
            raise AgentError("authority_unavailable", "The authority answered with something that is no approval.")
        raise AgentError(code, f"No approval: {status}{said}.")  # type: ignore[arg-type]  # of the table

    def wait(self, timeout_seconds: float | None = None) -> str:
        """The approval, once people have decided.

        Args:
            timeout_seconds: How long to wait. Default: as long as people may take.

        Raises:
            AgentError: `approval_denied`, `approval_expired` or `approval_withdrawn`; `authority_unavailable`.
            TimeoutError: Nobody decided in time. The question goes on; `withdraw` ends it.
        """
        end = time.monotonic() + (self.expires_in if timeout_seconds is None else timeout_seconds)
        while True:
            approval = self.poll()
            if approval is not None:
                return approval
            time.sleep(self._pause(end))

    async def wait_async(self, timeout_seconds: float | None = None) -> str:
        """`wait` for an event loop."""
        end = time.monotonic() + (self.expires_in if timeout_seconds is None else timeout_seconds)
        while True:
            approval = await asyncio.to_thread(self.poll)
            if approval is not None:
                return approval
            await asyncio.sleep(self._pause(end))

    def withdraw(self) -> None:
        """Takes the question back, unless it was decided.

        An approval that was given counts until it ends: only `countersign revoke delegation ID`
        of whoever runs the API ends it.
        """
        self._authority.approval("/withdraw", {"approval_id": self.id})

    def _pause(self, end: float) -> float:
        left = end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"Nobody has decided yet: {self.uri}")
        return min(self._interval, left)

    def __repr__(self) -> str:
        return f"<PendingApproval {self.uri}>"


def ask(
    authority: Authority,
    refusal: ApprovalRequired,
    *,
    body: bytes | str | None,
    arguments: Mapping[str, Any] | None,
    why: str | None,
) -> PendingApproval:
    """Asks for what a refusal says is needed."""
    needed = refusal.approval
    issuers = needed.get("issuers")
    if not isinstance(issuers, list) or authority.issuer not in issuers:
        raise AgentError("approval_impossible", "The API takes no approvals of the authority of this agent.")
    _check_sent(authority, refusal)
    shown = {**_content(body), **({} if arguments is None else {"arguments": dict(arguments)})}
    details = {
        "type": _DETAILS_TYPE,
        "binding": needed.get("binding"),
        "request": needed.get("request"),
        **({"shown": {**shown, **({} if why is None else {"why": why})}} if shown or why is not None else {}),
    }
    answer = authority.approval("", {"authorization_details": to_json([details])})
    approval_id, uri = answer.get("approval_id"), answer.get("approval_uri")
    if not isinstance(approval_id, str) or not isinstance(uri, str):
        raise AgentError("authority_unavailable", "The authority answered with something that is no question.")
    interval = min(max(_number(answer.get("interval"), 2.0), 0.1), _LONGEST_INTERVAL_SECONDS)
    return PendingApproval(approval_id, quote(uri, 2048), _number(answer.get("expires_in"), 0.0), interval, authority)


def _check_sent(authority: Authority, refusal: ApprovalRequired) -> None:
    """Nobody is asked about a request that another agent sent, or that was not sent."""
    request = refusal.approval.get("request")
    actor = request.get("actor") if isinstance(request, dict) else None
    sent = refusal._sent  # set by this package
    is_own = isinstance(actor, dict) and actor.get("id") == authority.agent_id
    if not _is_unicode(refusal.approval):
        raise AgentError("approval_impossible", "What the API wants people to approve is not Unicode.")
    if not is_own or (sent is not None and not sent.is_request(request or {})):
        message = "The API wants people to approve another request than the one that was sent."
        raise AgentError("approval_impossible", message)


def _is_unicode(value: object) -> bool:
    try:
        to_json(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _content(body: bytes | str | None) -> dict[str, str]:
    data = body.encode("utf-8") if isinstance(body, str) else body
    if not data:
        return {}
    try:
        content = {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        content = {"base64": b64(data)}
    (text,) = content.values()
    return content if len(text.encode("utf-16-le")) // 2 <= _MAX_SHOWN_UNITS else {}


def _number(value: object, otherwise: float) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return otherwise
    return float(max(-_MAX_NUMBER, min(value, _MAX_NUMBER)))
