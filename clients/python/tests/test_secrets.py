"""Keys and tokens never print, and options that are wrong say so at once."""

from __future__ import annotations

import asyncio
import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import requests as requests_library

import countersign.httpx
import countersign.requests
from countersign import Agent, AgentError, AgentKey, Bundle, ConfigError, read_refusal
from countersign._signing import Credentials
from countersign._tokens import HeldToken, IssuedToken
from recording import RecordingServer, answer
from world import IDS, KEYS, agent_named, key_named, vectors

TOKEN = vectors("refused-requests")["tokens"]["accepted"][0]
SECRETS = [KEYS["runner"]["seed"], KEYS["runner"]["jwk"]["d"], TOKEN]


def test_nothing_secret_is_printed() -> None:
    agent = agent_named("runner")
    signer = agent.with_token(TOKEN)
    shown: list[object] = [
        key_named("runner"),
        agent,
        signer,
        signer.sign("GET", "https://api.acme.dev/"),
        Credentials(token=TOKEN, links=(TOKEN,)),
        Bundle(links=(TOKEN,), token=TOKEN),
        agent._rules,
    ]
    for value in shown:
        for secret in SECRETS:
            assert secret not in f"{value!r} {value!s}"


def test_a_key_is_not_pickled_or_copied() -> None:
    for spread in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            spread(key_named("runner"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"origins": []}, "origins"),
        ({"origins": "https://api.acme.dev"}, "origins"),
        ({"origins": ["api.acme.dev"]}, "origins"),
        ({"origins": ["https://api.acme.dev/v1"]}, "path"),
        ({"origins": ["https://u:p@api.acme.dev"]}, "origins"),
        ({"agent_id": ""}, "agent_id"),
        ({"key": "key"}, "key"),
        ({"lifetime_seconds": 301}, "lifetime_seconds"),
        ({"cover": ["Idempotency-Key"]}, "cover"),
        ({"cover": "idempotency-key"}, "cover"),
        ({"authority": "http://id.acme.dev"}, "authority"),
        ({"authority": "https://id.acme.dev?a=b"}, "authority"),
        ({"authority": "id.acme.dev"}, "authority"),
    ],
)
def test_a_wrong_option_is_refused_at_once(options: dict[str, Any], says: str) -> None:
    given = {"agent_id": "agent-a", "key": key_named("runner"), "origins": ["https://api.acme.dev"], **options}
    with pytest.raises(ConfigError, match=says):
        Agent(**given)


def test_an_agent_without_authority_says_so() -> None:
    for call in (
        lambda: agent_named("runner").act_for("a.b.c"),
        lambda: agent_named("runner").with_own_token(),
        lambda: agent_named("runner").with_challenge(),
    ):
        with pytest.raises(ConfigError, match="authority"):
            call()


def test_a_kms_can_sign() -> None:
    class Kms:
        key_id = key_named("runner").key_id

        def sign(self, data: bytes) -> bytes:
            return key_named("runner").sign(data)

    signed = Agent("agent-a", Kms(), origins=["https://api.acme.dev"]).sign("GET", "https://api.acme.dev/")
    assert Kms.key_id in dict(signed.headers)["Signature-Input"]


def test_a_registration_is_what_an_api_reads() -> None:
    key = AgentKey.generate()
    assert key.registration("agent-a", ["repo:read"]) == {
        "agent_id": "agent-a",
        "public_key": key.public_key,
        "capabilities": ["repo:read"],
    }
    with pytest.raises(ValueError, match="visible"):
        key.registration("agent-\u200b", [])


def test_a_request_that_changes_after_signing_is_an_error() -> None:
    server = RecordingServer()
    auth = countersign.requests.SignedAuth(Agent(IDS["runner"], key_named("runner"), origins=[server.url]))
    changes: list[Callable[[requests_library.PreparedRequest], object]] = [
        lambda prepared: setattr(prepared, "body", b"other"),
        lambda prepared: setattr(prepared, "method", "PUT"),
        lambda prepared: prepared.headers.update({"Content-Type": "text/html"}),
        lambda prepared: prepared.headers.update({"Authorization": "Bearer other"}),
        lambda prepared: prepared.headers.update({"X-Note": "other"}),
        lambda prepared: setattr(prepared, "url", f"{server.url}/other"),
    ]
    for change in changes:
        with requests_library.Session() as session:
            request = requests_library.Request(
                "POST", f"{server.url}/a", data=b"x", auth=auth, headers={"X-Note": "a", "Content-Type": "text/plain"}
            )
            prepared = session.prepare_request(request)
            change(prepared)
            with pytest.raises(AgentError) as error:
                session.send(prepared)
        assert error.value.code == "changed_after_signing"
    server.close()


def test_a_mutable_body_is_sent_as_it_was_signed() -> None:
    server = RecordingServer()
    body = bytearray(b"before")
    signed = agent_named("runner", origins=[server.url]).sign("POST", f"{server.url}/a", {}, bytes(body))
    auth = countersign.requests.SignedAuth(agent_named("runner", origins=[server.url]))
    prepared = requests_library.Request("POST", f"{server.url}/a", data=body, auth=auth).prepare()
    body[:] = b"after!"
    with requests_library.Session() as session:
        session.send(prepared)
    assert (signed.body, server.last().body) == (b"before", b"before")
    server.close()


def test_httpx_sends_the_target_that_was_signed() -> None:
    server = RecordingServer()
    auth = countersign.httpx.SignedAuth(Agent(IDS["runner"], key_named("runner"), origins=[server.url]))
    with httpx.Client(auth=auth, trust_env=False) as client:
        client.get(f"{server.url}/a", extensions={"target": b"/other"})
    assert server.last().target == "/a"
    server.close()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"code":"policy_denied"}'),
        ("application/problem+json", b""),
        ("application/problem+json", b"[]"),
        ("application/problem+json", b'{"code":1}'),
        ("application/problem+json", b'{"code":"a","code":"b"}'),
        ("application/problem+json", b'{"code":"' + b"x" * 70_000 + b'"}'),
        ("application/problem+json", b"\xff"),
    ],
)
def test_other_answers_are_no_refusals(content_type: str, body: bytes) -> None:
    assert read_refusal(403, {"Content-Type": content_type}, body) is None


class Source:
    """Gives tokens of 100 seconds, or fails."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.given = 0
        self.fails = False

    def get(self) -> IssuedToken:
        if self.fails:
            raise AgentError("authority_unavailable", "down")
        self.given += 1
        return IssuedToken(f"token-{self.given}", self.now + 100)


def test_a_token_is_kept_and_renewed_before_it_expires() -> None:
    source = Source()
    held = HeldToken(source.get, lambda: source.now)
    assert [held.current().token for _ in range(3)] == ["token-1"] * 3
    source.now += 74
    assert held.current().token == "token-1"
    source.now += 1
    assert held.current().token == "token-2"
    source.now += 200
    assert asyncio.run(held.current_async()).token == "token-3"


def test_a_token_is_used_until_it_expires_while_the_authority_is_down() -> None:
    source = Source()
    held = HeldToken(source.get, lambda: source.now)
    held.current()
    source.now, source.fails = source.now + 80, True
    assert held.current().token == "token-1"
    source.now += 20
    with pytest.raises(AgentError, match="down"):
        held.current()
    source.fails = False
    assert held.current().token == "token-2"


def test_many_threads_ask_once() -> None:
    source = Source()
    held = HeldToken(source.get, lambda: source.now)
    threads = [threading.Thread(target=held.current) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert source.given == 1


def authority_at(server: RecordingServer) -> Agent:
    return Agent(IDS["runner"], key_named("runner"), origins=["https://api.acme.dev"], authority=server.url)


METADATA = '{{"issuer":"{0}","token_endpoint":"{1}"}}'


@pytest.mark.parametrize(
    ("metadata", "token", "code"),
    [
        (lambda url: METADATA.format("https://other.example", f"{url}/token"), None, "authority_unavailable"),
        (lambda url: METADATA.format(url, "http://evil.example/token"), None, "authority_unavailable"),
        (lambda url: METADATA.format(url, "ftp://evil.example/token"), None, "authority_unavailable"),
        (lambda _: "[]", None, "authority_unavailable"),
        (lambda url: METADATA.format(url, f"{url}/token"), answer(500), "authority_unavailable"),
        (lambda url: METADATA.format(url, f"{url}/token"), answer(429, {}, b'{"error":"a"}'), "authority_unavailable"),
        (
            lambda url: METADATA.format(url, f"{url}/token"),
            answer(307, {"Location": "https://evil.example/"}),
            "authority_unavailable",
        ),
        (
            lambda url: METADATA.format(url, f"{url}/token"),
            answer(200, {}, b'{"access_token":"a","expires_in":1,"x":"' + b"x" * 70_000 + b'"}'),
            "authority_unavailable",
        ),
        (
            lambda url: METADATA.format(url, f"{url}/token"),
            answer(400, {}, b'{"error":"invalid_grant","error_description":"no \\u001b[31mrule"}'),
            "token_refused",
        ),
    ],
)
def test_an_authority_is_trusted_with_nothing(metadata: Callable[[str], str], token: bytes | None, code: str) -> None:
    server = RecordingServer()
    server.answers = [answer(200, {}, metadata(server.url).encode()), *([] if token is None else [token])]
    with pytest.raises(AgentError) as error:
        authority_at(server).with_own_token()
    assert error.value.code == code
    assert str(error.value).isprintable()
    server.close()


def test_an_authority_that_is_down_is_named() -> None:
    server = RecordingServer()
    server.close()
    with pytest.raises(AgentError) as error:
        authority_at(server).with_own_token()
    assert error.value.code == "authority_unavailable"
    assert server.url in str(error.value)
