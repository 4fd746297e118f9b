"""Every integration, over sockets: what is on the wire is what was signed, and nothing leaves by another way."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from callers import CALLERS, Caller
from countersign import Agent, AgentError, ApiUnavailable, PermissionRefused, RequestRefused
from countersign._signing import signature_base
from countersign._url import read_url
from recording import Recorded, RecordingServer, answer
from world import agent_named, key_named, vectors

pytestmark = pytest.mark.parametrize("caller", CALLERS, ids=str)
TOKEN = vectors("refused-requests")["tokens"]["accepted"][0]
PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    server = RecordingServer()
    yield server
    server.close()


def agent_for(server: RecordingServer, **options: object) -> Agent:
    return Agent("agent-a", key_named("runner"), origins=[server.url], **options)  # type: ignore[arg-type]


def verified(recorded: Recorded, scheme: str = "http") -> list[str]:
    """The covered components, once signature and digest have verified against what was on the wire."""
    signature_input = (recorded.value("signature-input") or "").removeprefix("sig=")
    covered = [name.strip('"') for name in signature_input[1:].split(")")[0].split(" ")]
    address = read_url(f"{scheme}://{recorded.value('host')}{recorded.target}")
    base = signature_base(recorded.method, address, recorded.fields, covered, signature_input)
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(key_named("runner").public_key))
    key.verify(base64.b64decode((recorded.value("signature") or "")[5:-1]), base.encode("ascii"))
    digest = base64.b64encode(hashlib.sha256(recorded.body).digest()).decode()
    assert recorded.value("content-digest") == (f"sha-256=:{digest}:" if recorded.body else None)
    # Without a body the type may be added after signing, as aiohttp does.
    for name in (
        "authorization",
        "agent-delegation",
        *(["content-type", "content-digest"] if recorded.body else []),
    ):
        assert recorded.value(name) is None or name in covered
    assert all(len(recorded.values(name)) <= 1 for name in ("content-length", "host", "content-digest"))
    return covered


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "/a?b=c",
        "/a?",
        "?a=b",
        "/a b/ü/%7e%2F%2f;x=1?q=a b&q=ü&e=\"'<>|^`{}",
        "//a//b/",
        "/a/../b",
        "/emoji/\U0001f600?\U0001f600#x",
        "/plus+plus?a=1+2&a=%zz&&=",
        "/[a]/(b)/!$&'*,=:@~",
    ],
)
def test_the_target_that_is_sent_is_signed(caller: Caller, server: RecordingServer, target: str) -> None:
    caller.call(agent_for(server), "GET", server.url + target)
    verified(server.last())


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
def test_the_method_is_signed(caller: Caller, server: RecordingServer, method: str) -> None:
    caller.call(agent_for(server), method, f"{server.url}/a")
    assert server.last().method == method
    verified(server.last())


@pytest.mark.parametrize(
    "make",
    [
        lambda: b"\x00\xff\r\n\x80",
        lambda: b"Gr\xc3\xbc\xc3\x9fe",
        lambda: b"",
        lambda: b"x" * 3_000_000,
        lambda: iter([b"one ", b"two"]),
    ],
    ids=["bytes", "text", "nothing", "large", "stream"],
)
def test_the_exact_bytes_are_signed(caller: Caller, server: RecordingServer, make) -> None:
    caller.call(agent_for(server), "POST", f"{server.url}/a", [("Content-Type", "text/plain")], make())
    verified(server.last())
    expected = make()
    assert server.last().body == (expected if isinstance(expected, bytes) else b"one two")
    assert server.last().value("content-type") in {
        "text/plain",
        None if server.last().body == b"" else "text/plain",
    }


def test_a_body_over_the_limit_is_not_sent(caller: Caller, server: RecordingServer) -> None:
    with pytest.raises(AgentError) as error:
        caller.call(agent_for(server, max_body_bytes=4), "POST", server.url, [], b"12345")
    assert error.value.code == "body_too_large"
    assert server.requests == []


def test_a_token_and_a_chain_are_sent_and_signed(caller: Caller, server: RecordingServer) -> None:
    bundle = next(case for case in vectors("bundles")["bundles"] if case["name"] == "a token and a link")
    agent = agent_named("runner", origins=[server.url], now=bundle["now"])
    caller.call(agent.accept(bundle["bundle"]), "GET", f"{server.url}/a")
    assert {"authorization", "agent-delegation"} <= set(verified(server.last()))
    caller.call(agent, "GET", f"{server.url}/a")
    assert server.last().value("authorization") is None


def test_headers_of_the_caller_are_kept(caller: Caller, server: RecordingServer) -> None:
    headers = [
        ("X-Note", "Gr\u00fc\u00dfe"),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Param-A", "1"),
        ("Idempotency-Key", "k"),
    ]
    if caller.name == "aiohttp":  # it sends text as UTF-8
        headers = headers[1:]
    caller.call(agent_for(server, cover=["idempotency-key"]), "POST", f"{server.url}/a", headers, b"{}")
    covered = verified(server.last())
    assert [name for name in covered if name.startswith(("mcp", "idem"))] == [
        "mcp-method",
        "idempotency-key",
        "mcp-param-a",
    ]
    assert all(server.last().value(name.lower()) == value for name, value in headers)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("follow", [True, False])
def test_a_redirect_takes_nothing_along(
    caller: Caller,
    server: RecordingServer,
    status: int,
    method: str,
    follow: bool,
) -> None:
    thief = RecordingServer()
    for location in (f"{thief.url}/", f"{server.url}/elsewhere", "/elsewhere", "//evil.example/\u009b"):
        server.answers = [answer(status, {"Location": location})]
        with pytest.raises(AgentError) as error:
            caller.call(agent_for(server).with_token(TOKEN), method, f"{server.url}/a", follow=follow)
        assert error.value.code == "redirect_refused"
        assert str(error.value).isprintable()
    assert [request.target for request in server.requests] == ["/a"] * 4
    assert thief.requests == []
    thief.close()


def test_a_redirect_by_another_field_is_not_followed(caller: Caller, server: RecordingServer) -> None:
    server.answers = [answer(307, {"URI": "/elsewhere"})]
    with suppress(AgentError):
        caller.call(agent_for(server), "GET", f"{server.url}/a", follow=True)
    assert [request.target for request in server.requests] == ["/a"]


def test_nothing_is_sent_to_another_origin(caller: Caller, server: RecordingServer) -> None:
    other = RecordingServer()
    with pytest.raises(AgentError) as error:
        caller.call(agent_for(server).with_token(TOKEN), "GET", f"{other.url}/a")
    assert error.value.code == "origin_not_allowed"
    assert other.requests == []
    other.close()


def test_a_call_is_signed_anew_three_times_after_a_restart(caller: Caller, server: RecordingServer) -> None:
    restarted = answer(503, {**PROBLEM, "Retry-After": "0"}, b'{"code":"replay_unknown"}')
    server.answers = [restarted]
    agent = agent_for(server).with_token(TOKEN)
    assert caller.call(agent, "POST", f"{server.url}/a", [("Content-Type", "text/plain")], b"x").body == b"ok"
    first, second = server.requests
    assert verified(first) == verified(second)
    assert first.value("signature") != second.value("signature")
    assert first.body == second.body == b"x"
    server.answers = [restarted] * 4
    refused = caller.call(agent, "GET", f"{server.url}/a")
    with pytest.raises(ApiUnavailable) as error:
        refused.raise_for_refusal()
    assert (error.value.code, len(server.requests)) == ("replay_unknown", 6)


@pytest.mark.parametrize("code", [["signature_expired"], {"id": 1}, 1, None, True])
def test_a_code_that_is_no_text_is_for_the_caller(caller: Caller, server: RecordingServer, code: object) -> None:
    server.answers = [answer(401, PROBLEM, json.dumps({"code": code}).encode())]
    refused = caller.call(agent_for(server), "GET", f"{server.url}/a")
    assert (refused.status, len(server.requests)) == (401, 1)


@pytest.mark.parametrize("digits", ["9" * 5000, "99", "-1", "1.5", "\u00b2", ""])
def test_an_odd_or_long_time_of_a_restart_is_for_the_caller(
    caller: Caller, server: RecordingServer, digits: str
) -> None:
    headers = {**PROBLEM, "Retry-After": digits.encode().decode("latin-1")}
    server.answers = [answer(503, headers, b'{"code":"replay_unknown"}')]
    refused = caller.call(agent_for(server), "GET", f"{server.url}/a")
    with pytest.raises(ApiUnavailable) as error:
        refused.raise_for_refusal()
    assert (error.value.code, len(server.requests)) == ("replay_unknown", 1)


def test_a_redirect_after_a_restart_takes_nothing_along(caller: Caller, server: RecordingServer) -> None:
    server.answers = [
        answer(503, {**PROBLEM, "Retry-After": "0"}, b'{"code":"replay_unknown"}'),
        answer(307, {"Location": "/elsewhere"}),
    ]
    with pytest.raises(AgentError) as error:
        caller.call(agent_for(server), "GET", f"{server.url}/a", follow=True)
    assert error.value.code == "redirect_refused"
    assert len(server.requests) == 2


def test_refusals_are_errors_with_a_code(caller: Caller, server: RecordingServer) -> None:
    for status, code, kind in [
        (401, "signature_replayed", RequestRefused),
        (403, "policy_denied", PermissionRefused),
        (503, "audit_unavailable", ApiUnavailable),
    ]:
        body = json.dumps({"code": code, "title": "Title.", "status": status}).encode()
        server.answers = [answer(status, PROBLEM, body)]
        refused = caller.call(agent_for(server), "GET", f"{server.url}/a")
        with pytest.raises(kind) as error:
            refused.raise_for_refusal()
        assert (error.value.code, error.value.status, error.value.title) == (code, status, "Title.")
        assert error.value.advice
    caller.call(agent_for(server), "GET", f"{server.url}/a").raise_for_refusal()


def test_missing_scopes_are_named(caller: Caller, server: RecordingServer) -> None:
    challenge = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="pr:write repo:read"'}
    server.answers = [answer(403, {**PROBLEM, **challenge}, b'{"code":"insufficient_scope"}')]
    with pytest.raises(PermissionRefused) as error:
        caller.call(agent_for(server), "GET", f"{server.url}/a").raise_for_refusal()
    assert error.value.required_scope == ("pr:write", "repo:read")
