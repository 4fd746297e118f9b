"""The vectors of approvals, with servers of the test in place of those that they name."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from callers import CALLERS, Caller
from countersign import Agent, AgentError, ApprovalRequired
from countersign.approvals import PendingApproval
from recording import RecordingServer, answer
from world import IDS, key_named, vectors

file = vectors("approvals")
PROBLEM = {"Content-Type": "application/problem+json"}
CODES = {
    "denied": "approval_denied",
    "expired": "approval_expired",
    "withdrawn": "approval_withdrawn",
    "refused": "approval_refused",
    "unavailable": "authority_unavailable",
}


def names(cases: list[dict[str, Any]]) -> list[str]:
    return [case["name"] for case in cases]


def body_of(part: dict[str, Any]) -> bytes | None:
    return base64.b64decode(part["body"]) if "body" in part else None


class Servers:
    """The API and the authority of a case."""

    def __init__(self) -> None:
        self.api = RecordingServer()
        self.authority = RecordingServer()
        metadata = {"issuer": self.authority.url, "approval_endpoint": f"{self.authority.url}/approval"}
        question = {"approval_id": "an-id", "approval_uri": "https://id.acme.dev", "expires_in": 60, "interval": 1}
        self.authority.answers = [answer(200, {}, json.dumps(part).encode()) for part in (metadata, question)]

    def here(self, text: str) -> str:
        """A text of the vectors, with these servers."""
        text = text.replace("https://api.acme.dev", self.api.url).replace("https://id.acme.dev", self.authority.url)
        return text.replace('"api.acme.dev"', f'"{self.api.host}"')

    def ask(self, caller: Caller, case: dict[str, Any]) -> PendingApproval:
        """Sends the request, and asks people about the refusal."""
        agent = Agent(
            IDS[case["agent"]],
            key_named(case["agent"]),
            origins=[self.api.url],
            authority=self.authority.url,
        )
        self.api.answers.append(answer(403, PROBLEM, self.here(case["answer"]["body"]).encode()))
        sent = case["sent"]
        called = caller.call(
            agent, sent["method"], self.here(sent["url"]), list(sent.get("headers", {}).items()), body_of(sent) or b""
        )
        with pytest.raises(ApprovalRequired) as refusal:
            called.raise_for_refusal()
        words = case["question"]
        return agent.ask_approval(
            refusal.value, body=body_of(words), arguments=words.get("arguments"), why=words.get("why")
        )


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    yield made
    made.api.close()
    made.authority.close()


@pytest.mark.parametrize("caller", CALLERS, ids=str)
@pytest.mark.parametrize("case", file["asked"], ids=names(file["asked"]))
def test_people_are_asked(servers: Servers, caller: Caller, case: dict[str, Any]) -> None:
    servers.ask(caller, case)
    (text,) = parse_qs(servers.authority.last().body.decode())["authorization_details"]
    assert json.loads(text) == [json.loads(servers.here(json.dumps(case["details"], separators=(",", ":"))))]


@pytest.mark.parametrize("caller", CALLERS, ids=str)
@pytest.mark.parametrize("case", file["refused"], ids=names(file["refused"]))
def test_nobody_is_asked_about_what_was_not_sent(servers: Servers, caller: Caller, case: dict[str, Any]) -> None:
    with pytest.raises(AgentError) as error:
        servers.ask(caller, case)
    assert (error.value.code, servers.authority.requests) == (case["code"], [])


@pytest.mark.parametrize("case", file["polls"], ids=names(file["polls"]))
def test_what_became_of_a_question_is_read(servers: Servers, case: dict[str, Any]) -> None:
    pending = servers.ask(CALLERS[0], file["asked"][0])
    servers.authority.answers.append(answer(case["status"], {}, json.dumps(case["answer"]).encode()))
    code = CODES.get(case["outcome"])
    if code is None:
        assert pending.poll() == case.get("approval")
        return
    with pytest.raises(AgentError) as error:
        pending.poll()
    assert error.value.code == code
