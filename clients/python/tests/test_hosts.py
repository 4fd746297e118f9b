"""Each host of the conformance suite, over sockets, with each library."""

from __future__ import annotations

import hashlib
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from callers import CALLERS
from countersign import Agent, AgentError, AgentKey, PermissionRefused, RequestRefused, Signer
from countersign._delegate import sign_jwt
from guarded import CONFIG, ISSUER, registration
from programs import HOSTS, authority, free_port, host
from world import IDS, agent_named, key_named


@pytest.fixture(scope="module", params=HOSTS)
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with host(request.param, CONFIG, tmp_path_factory.mktemp(request.param)) as url:
        yield url


libraries = pytest.mark.parametrize("caller", CALLERS, ids=str)
ids = itertools.count()


def agent_at(api: str, name: str = "orchestrator") -> Agent:
    return Agent(IDS[name], key_named(name), origins=[api])


def for_user(api: str) -> Signer:
    issuer = agent_named("runner", key="issuer")
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "sub": "user_123",
        "aud": api,
        "client_id": IDS["orchestrator"],
        "act": {"sub": IDS["orchestrator"]},
        "scope": "repo:read pr:write:draft invoice:read",
        "iat": now,
        "exp": now + 300,
        "jti": f"token-{next(ids)}",
    }
    token = sign_jwt(issuer._rules, {"typ": "at+jwt", "alg": "EdDSA", "kid": "issuer-1"}, claims)
    return agent_at(api).with_token(token)


@libraries
def test_direct(api: str, caller: Any) -> None:
    answer = caller.call(agent_at(api), "GET", f"{api}/whoami?a=1")
    answer.raise_for_refusal()
    assert json.loads(answer.body)["actor"]["id"] == IDS["orchestrator"]


@libraries
def test_for_a_user_with_a_body(api: str, caller: Any) -> None:
    body = json.dumps({"title": "Grüße", "draft": True}).encode()
    headers = [("Content-Type", "application/json")]
    answer = caller.call(for_user(api), "POST", f"{api}/repos/acme/api/pulls", headers, body)
    answer.raise_for_refusal()
    said = json.loads(answer.body)
    assert (answer.status, said["subject"]["id"], said["body"]) == (201, "user_123", json.loads(body))


@libraries
def test_a_large_body(api: str, caller: Any) -> None:
    body = bytes(range(256)) * 8000
    headers = [("Content-Type", "application/octet-stream")]
    answer = caller.call(agent_at(api), "PUT", f"{api}/upload", headers, body)
    answer.raise_for_refusal()
    assert json.loads(answer.body) == {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


@libraries
def test_with_links(api: str, caller: Any) -> None:
    bundle = for_user(api).delegate(IDS["runner"], scope=["invoice:read"], ttl_seconds=60)
    handed = agent_at(api, "runner").accept(json.loads(bundle.to_json()))
    answer = caller.call(handed, "GET", f"{api}/whoami")
    answer.raise_for_refusal()
    said = json.loads(answer.body)
    assert [hop["id"] for hop in said["chain"]] == ["user_123", IDS["orchestrator"], IDS["runner"]]
    assert said["scope"] == ["invoice:read"]
    own = agent_at(api).delegate(IDS["runner"], scope="repo:read", audience=api)
    answer = caller.call(agent_at(api, "runner").accept(own), "GET", f"{api}/whoami")
    answer.raise_for_refusal()
    assert json.loads(answer.body)["subject"]["id"] == IDS["orchestrator"]


@libraries
def test_a_refusal_says_what_to_do(api: str, caller: Any) -> None:
    refused = caller.call(for_user(api), "POST", f"{api}/repos/acme/api/merge")
    with pytest.raises(PermissionRefused) as denied:
        refused.raise_for_refusal()
    assert (denied.value.code, denied.value.status) == ("policy_denied", 403)
    stranger = Agent("agent-x", AgentKey.generate(), origins=[api])
    with pytest.raises(RequestRefused) as unknown:
        caller.call(stranger, "GET", f"{api}/whoami").raise_for_refusal()
    assert unknown.value.code == "signature_invalid"
    assert "Register the key" in unknown.value.advice


def test_a_replay_is_refused(api: str) -> None:
    signed = agent_at(api).sign("GET", f"{api}/whoami")
    statuses = [
        requests.get(signed.url, headers=dict(signed.headers), timeout=30, allow_redirects=False) for _ in range(2)
    ]
    assert [response.status_code for response in statuses] == [200, 401]
    assert statuses[1].json()["code"] == "signature_replayed"


@libraries
def test_a_wrong_clock_is_corrected(api: str, caller: Any) -> None:
    for late in (200, -3600):
        agent = Agent(IDS["runner"], key_named("runner"), origins=[api], clock=lambda late=late: time.time() - late)
        caller.call(agent, "GET", f"{api}/whoami").raise_for_refusal()


@pytest.mark.parametrize("name", HOSTS)
def test_with_an_authority(name: str, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    scope = "repo:read invoice:read"
    with authority(url, IDS["runner"], scope, tmp_path / "authority") as dev:
        key = AgentKey.load(dev["agent"]["privateKey"])
        local = {"dangerouslyAllowHttp": True, "dangerouslyAllowPrivateAddresses": True}
        config = {
            **CONFIG,
            "agents": [registration(IDS["runner"], key.public_jwk)],
            "issuers": [{"issuer": dev["issuer"], **local}],
        }
        with host(name, config, tmp_path / "host", port):
            ahead = 0.0
            agent = Agent(
                IDS["runner"],
                key,
                origins=[url],
                authority=dev["issuer"],
                clock=lambda: time.time() + ahead,
            )
            user = agent.act_for(dev["user"]["token"], scope=["invoice:read"])
            for caller in CALLERS:
                answer = caller.call(user, "GET", f"{url}/whoami")
                answer.raise_for_refusal()
                said = json.loads(answer.body)
                assert (said["subject"]["id"], said["scope"]) == ("dev:alice", ["invoice:read"])
            before = user._hold.current().token
            assert user._hold.current().token == before
            # Beyond the end of the token by the clock of the agent, which is then wrong.
            ahead = 400.0
            CALLERS[0].call(user, "GET", f"{url}/whoami").raise_for_refusal()
            assert user._hold.current().token != before
            for own in (agent.with_own_token(), agent.with_challenge(scope="repo:read")):
                answer = CALLERS[0].call(own, "GET", f"{url}/whoami")
                answer.raise_for_refusal()
                assert json.loads(answer.body)["subject"]["id"] == IDS["runner"]
            with pytest.raises(AgentError) as refused:
                agent.act_for(dev["user"]["token"], scope="admin")
            assert refused.value.code == "token_refused"
