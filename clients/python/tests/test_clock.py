"""How far an API or an authority may correct the clock of an agent."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from urllib.parse import parse_qs

import pytest

from callers import CALLERS, Caller
from countersign import Agent, AgentError
from recording import Recorded, RecordingServer, answer
from world import key_named

callers = pytest.mark.parametrize("caller", CALLERS, ids=str)
PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    server = RecordingServer()
    yield server
    server.close()


def agent_for(server: RecordingServer, **options: object) -> Agent:
    return Agent("agent-a", key_named("runner"), origins=[server.url], **options)  # type: ignore[arg-type]


def wrong_clock(ahead: float, code: str = "signature_expired") -> Callable[[Recorded], bytes]:
    """The answer of an API whose clock is ahead of that of this machine."""

    def refuse(_: Recorded) -> bytes:
        return answer(
            401, {**PROBLEM, "Date": formatdate(time.time() + ahead, usegmt=True)}, json.dumps({"code": code}).encode()
        )

    return refuse


def times(server: RecordingServer) -> list[int]:
    """By how many seconds each signature is ahead of the clock of this machine, rounded to 100."""
    inputs = [one.value("signature-input") or "" for one in server.requests]
    return [round(int(one.split("created=")[1].split(";")[0]) - time.time(), -2) for one in inputs]


@callers
@pytest.mark.parametrize(("late", "code"), [(200, "signature_expired"), (-600, "signature_not_yet_valid")])
def test_a_wrong_clock_is_corrected_for_the_api(caller: Caller, server: RecordingServer, late: int, code: str) -> None:
    agent = agent_for(server, clock=lambda: time.time() - late)
    server.answers = [wrong_clock(0, code)]
    assert caller.call(agent, "GET", f"{server.url}/a").status == 200
    caller.call(agent, "GET", f"{server.url}/a")
    assert times(server) == [-late, 0, 0]


@callers
def test_nothing_is_signed_for_a_time_far_ahead(caller: Caller, server: RecordingServer) -> None:
    server.answers = [wrong_clock(2_592_000, "signature_not_yet_valid")]
    assert caller.call(agent_for(server), "POST", f"{server.url}/a").status == 401
    assert times(server) == [0]


@callers
@pytest.mark.parametrize("then", [wrong_clock(200), answer(503, PROBLEM, b'{"code":"shutting_down"}')])
def test_a_clock_by_which_nothing_was_accepted_is_forgotten(
    caller: Caller, server: RecordingServer, then: bytes | Callable[[Recorded], bytes]
) -> None:
    agent = agent_for(server)
    server.answers = [wrong_clock(200), then]
    caller.call(agent, "GET", f"{server.url}/a")
    caller.call(agent, "GET", f"{server.url}/a")
    assert times(server) == [0, 200, 0]


@pytest.mark.parametrize(("ahead", "asked"), [(2_592_000, [0, 0]), (200, [0, 200, 0, 200])])
def test_an_assertion_is_for_now(server: RecordingServer, ahead: float, asked: list[int]) -> None:
    metadata = json.dumps({"issuer": server.url, "token_endpoint": f"{server.url}/token"}).encode()
    agent = agent_for(server, authority=server.url)
    server.answers = [answer(200, {}, metadata), *[wrong_clock(ahead)] * 4]
    for _ in range(2):
        with pytest.raises(AgentError):
            agent.with_own_token()._hold.current()
    assertions = [parse_qs(one.body.decode())["client_assertion"][0] for one in server.requests[1:]]
    payloads = [json.loads(base64.urlsafe_b64decode(one.split(".")[1] + "==")) for one in assertions]
    assert [round(payload["iat"] - time.time(), -2) for payload in payloads] == asked
