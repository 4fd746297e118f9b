"""People approve at an authority what a host asks about."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from callers import CALLERS, Caller
from countersign import Agent, AgentError, ApprovalRequired, PermissionRefused, read_refusal
from guarded import CONFIG, registration
from programs import HOSTS, NODE, free_port, host
from recording import RecordingServer, answer
from world import IDS, ROOT, key_named

POLICIES = """
@id("merges") @approval("release-managers")
permit(principal, action == Action::"pr.merge", resource);
"""
BODY = b'{"force":true}'
HEADERS = [("Content-Type", "application/json")]


@contextmanager
def people(audience: str) -> Iterator[tuple[str, Callable[[str], int]]]:
    """An authority, and what lets people decide all that waits."""
    agent = {"id": IDS["runner"], "jwk": key_named("runner").public_jwk, "capabilities": ["repo:read"]}
    arguments = json.dumps({"audience": audience, "agents": [agent]})
    with subprocess.Popen(
        [NODE, str(ROOT / "test/clients/authority.mjs"), arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        stdin, stdout = program.stdin, program.stdout

        def decide(verdict: str) -> int:
            stdin.write(json.dumps({"verdict": verdict, "reason": "Not\u009b today"}) + "\n")
            stdin.flush()
            decided: int = json.loads(stdout.readline())["decided"]
            return decided

        try:
            yield json.loads(stdout.readline())["issuer"], decide
        finally:
            program.kill()


@pytest.mark.parametrize("name", HOSTS)
def test_a_request_that_people_approve_runs_once(name: str, tmp_path: Path) -> None:
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    merge = f"{api}/repos/acme/api/merge"
    with people(api) as (issuer, decide):
        local = {"dangerouslyAllowHttp": True, "dangerouslyAllowPrivateAddresses": True}
        config: dict[str, Any] = {
            **CONFIG,
            "agents": [registration(IDS["runner"], key_named("runner").public_jwk)],
            "policies": POLICIES,
            "approvals": {"issuers": [{"issuer": issuer, **local}]},
        }
        with host(name, config, tmp_path, port):
            agent = Agent(IDS["runner"], key_named("runner"), origins=[api], authority=issuer)
            for caller in CALLERS:
                approved(agent, caller, merge, decide)
            refused(agent, CALLERS[0], merge, decide)


def approved(agent: Agent, caller: Caller, url: str, decide: Callable[[str], int]) -> None:
    pending = agent.ask_approval(needed(agent, caller, url), body=BODY, why="The tests are green.")
    assert pending.poll() is None
    assert decide("approve") == 1
    approval = pending.wait()
    # For another body it is worth nothing, and is not used up.
    other = caller.call(agent.with_approval(approval), "POST", url, HEADERS, b"{}")
    with pytest.raises(PermissionRefused) as mismatch:
        other.raise_for_refusal()
    assert mismatch.value.code == "approval_mismatch"
    answered = caller.call(agent.with_approval(approval), "POST", url, HEADERS, BODY)
    answered.raise_for_refusal()
    assert answered.status == 200
    with pytest.raises(PermissionRefused) as again:
        caller.call(agent.with_approval(approval), "POST", url, HEADERS, BODY).raise_for_refusal()
    assert again.value.code == "approval_used"


def refused(agent: Agent, caller: Caller, url: str, decide: Callable[[str], int]) -> None:
    pending = agent.ask_approval(needed(agent, caller, url), body=BODY)
    with pytest.raises(TimeoutError, match=pending.uri):
        pending.wait(timeout_seconds=0)
    decide("deny")
    with pytest.raises(AgentError, match=r"Not.*today") as denied:
        pending.wait()
    assert (denied.value.code, str(denied.value).isprintable()) == ("approval_denied", True)
    taken_back = agent.ask_approval(needed(agent, caller, url), body=BODY)
    taken_back.withdraw()
    with pytest.raises(AgentError) as withdrawn:
        taken_back.poll()
    assert withdrawn.value.code == "approval_withdrawn"
    with pytest.raises(AgentError) as wrong:
        agent.ask_approval(needed(agent, caller, url), body=b"another")
    assert wrong.value.code == "approval_refused"


def needed(agent: Agent, caller: Caller, url: str) -> ApprovalRequired:
    with pytest.raises(ApprovalRequired) as error:
        caller.call(agent, "POST", url, HEADERS, BODY).raise_for_refusal()
    return error.value


def required(approval: object) -> ApprovalRequired:
    problem = json.dumps({"code": "approval_required", "approval": approval}).encode()
    refusal = read_refusal(403, {"content-type": "application/problem+json"}, problem)
    assert isinstance(refusal, ApprovalRequired)
    return refusal


def test_an_authority_of_the_api_is_asked_only() -> None:
    server = RecordingServer()
    agent = Agent(IDS["runner"], key_named("runner"), origins=["https://api.acme.dev"], authority=server.url)
    with pytest.raises(AgentError) as error:
        agent.ask_approval(required({"issuers": ["https://id.acme.dev"], "binding": "b", "request": {}}))
    assert (error.value.code, server.requests) == ("approval_impossible", [])
    actor = {"id": IDS["runner"]}
    for resource in ({"type": "Repo", "id": "\ud800"}, {"type": "Repo", "\udfff": "x"}):
        question = {"issuers": [server.url], "binding": "b", "request": {"actor": actor, "resource": resource}}
        with pytest.raises(AgentError) as no_text:
            agent.ask_approval(required(question))
        assert (no_text.value.code, server.requests) == ("approval_impossible", [])
    metadata = json.dumps({"issuer": server.url, "approval_endpoint": f"{server.url}/approval"}).encode()
    for body in (b"{}", b"[]", b'{"approval_id":1,"approval_uri":"a"}'):
        server.answers = [answer(200, {}, metadata), answer(200, {}, body)]
        fresh = Agent(IDS["runner"], key_named("runner"), origins=["https://api.acme.dev"], authority=server.url)
        with pytest.raises(AgentError) as nothing:
            fresh.ask_approval(required({"issuers": [server.url], "request": {"actor": {"id": IDS["runner"]}}}))
        assert nothing.value.code == "authority_unavailable"
    server.close()


@pytest.mark.parametrize("page", ["javascript:alert(1)", "https://app.acme.dev/#\x1b[2J", "https://", "https://a\n", 7])
def test_what_is_no_page_is_not_given(page: object) -> None:
    assert required({"url": page, "issuers": []}).approval == {"issuers": []}
    assert required({"url": "https://app.acme.dev/queue/7#all"}).approval["url"] == "https://app.acme.dev/queue/7#all"


def test_what_is_no_approval_is_not_sent() -> None:
    agent = Agent(IDS["runner"], key_named("runner"), origins=["https://api.acme.dev"])
    for text in ("", "approval", "a.b.c, d.e.f", "a.b.c\r\nX: y"):
        with pytest.raises(ValueError, match="no JWT"):
            agent.with_approval(text)
    signed = agent.with_approval("a.b.c").sign("GET", "https://api.acme.dev/")
    assert '"agent-approval"' in dict(signed.headers)["Signature-Input"]
    assert "a.b.c" not in repr(signed)
