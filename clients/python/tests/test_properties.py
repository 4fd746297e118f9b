"""Whatever request this client can build is one that a guard verifies: thousands of them in one batch."""

from __future__ import annotations

import base64
import os
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import countersign.httpx
import countersign.requests
from callers import CALLERS, Caller
from countersign import Agent, AgentError
from programs import verify
from recording import RecordingServer
from world import IDS, key_named

COUNT = int(os.environ.get("COUNTERSIGN_PROPERTY_CASES", "1000"))
ORIGIN = "https://api.acme.dev"
NOW = 1_764_000_000
AGENT = Agent(
    IDS["runner"],
    key_named("runner"),
    origins=[ORIGIN],
    cover=["x-note", "idempotency-key"],
    clock=lambda: NOW,
)
GUARD: dict[str, Any] = {
    "origins": [ORIGIN],
    "now": NOW + 30,
    "agents": [
        {"id": IDS[name], "publicKey": key_named(name).public_key, "capabilities": ["repo"]}
        for name in ("orchestrator", "runner")
    ],
}

PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F))
raw_path = st.lists(st.text([char for char in PRINTABLE if char not in "?#\\"], max_size=12), max_size=6).map(
    lambda segments: "/" + "/".join(segments)
)
raw_query = st.one_of(st.just(""), st.text([char for char in PRINTABLE if char != "#"], max_size=40).map("?".__add__))
# The text of a user, which a library encodes.
free_text = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20)
free_target = st.tuples(st.lists(free_text, max_size=4), st.lists(st.tuples(free_text, free_text), max_size=4)).map(
    lambda parts: "/" + "/".join(quote(part, safe="") for part in parts[0]) + query_of(parts[1])
)
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "X-!#$"])
bodies = st.one_of(
    st.just(b""),
    st.binary(max_size=200),
    st.builds(lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.sampled_from([1, 4095, 4096, 65_537])),
)
values = st.text([chr(code) for code in [*range(0x20, 0x7F), 9]], max_size=30)
latin = st.text([chr(code) for code in [*range(0x20, 0x7F), *range(0xA0, 0x100)]], max_size=30)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Type": st.sampled_from(["application/json", "text/plain; charset=utf-8", 'a/b; c="d, e"']),
        "Content-Encoding": st.sampled_from(["gzip", "identity"]),
        "Accept": values,
        "Mcp-Method": st.sampled_from(["tools/call", "tools/list"]),
        "Mcp-Name": values,
        "Mcp-Session-Id": values,
        "Mcp-Param-Region": values,
        "mcp-param-b": values,
        "X-HTTP-Method-Override": st.sampled_from(["DELETE", "get"]),
        "X-Note": values,
        "Idempotency-Key": values,
        "X-Other": latin,
        "Content-Digest": values,
    },
)


def query_of(pairs: list[tuple[str, str]]) -> str:
    return "?" + "&".join(f"{quote(name)}={quote(value)}" for name, value in pairs) if pairs else ""


def by_sign(method: str, target: str, fields: dict[str, str], body: bytes) -> dict[str, Any]:
    signed = AGENT.sign(method, ORIGIN + target, fields, body)
    return line(signed.method, signed.target, list(signed.headers), signed.body)


def by_requests(method: str, target: str, fields: dict[str, str], body: bytes) -> dict[str, Any]:
    prepared = requests.Request(
        method, ORIGIN + target, headers=fields, data=body, auth=countersign.requests.SignedAuth(AGENT)
    ).prepare()
    sent = prepared.body or b""
    assert isinstance(sent, bytes)
    return line(method.upper(), prepared.path_url, list(prepared.headers.items()), sent)


def by_httpx(method: str, target: str, fields: dict[str, str], body: bytes) -> dict[str, Any]:
    encoded = [(name, value.encode("latin-1")) for name, value in fields.items()]
    request = httpx.Request(method, ORIGIN + target, headers=encoded, content=body)
    flow = countersign.httpx.SignedAuth(AGENT).sync_auth_flow(request)
    signed = next(flow)
    flow.close()
    sent = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in signed.headers.raw]
    return line(signed.method, signed.url.raw_path.decode("ascii"), sent, signed.read())


def line(method: str, target: str, fields: list[Any], body: bytes) -> dict[str, Any]:
    with_host = fields if any(name.lower() == "host" for name, _ in fields) else [("Host", "api.acme.dev"), *fields]
    return {"method": method, "target": target, "headers": with_host, "body": base64.b64encode(body).decode()}


# What must not be signed, and so is not.
try:
    import httpx2

    ALSO: tuple[type[Exception], ...] = (httpx2.HTTPError, httpx2.InvalidURL)
except ImportError:
    ALSO = ()

REFUSED = {"url_unsupported", "request_malformed", "origin_not_allowed"}


@pytest.mark.parametrize(
    ("build", "targets", "count"),
    [
        (by_sign, st.tuples(raw_path, raw_query).map("".join), COUNT),
        (by_requests, st.one_of(st.tuples(raw_path, raw_query).map("".join), free_target), COUNT),
        (by_httpx, st.one_of(st.tuples(raw_path, raw_query).map("".join), free_target), COUNT),
    ],
    ids=["sign", "requests", "httpx"],
)
def test_every_request_that_is_signed_verifies(build: Any, targets: Any, count: int, tmp_path: Path) -> None:
    built: list[dict[str, Any]] = []
    refused: dict[str, int] = {}

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(methods, targets, headers, bodies)
    def make(method: str, target: str, fields: dict[str, str], body: bytes) -> None:
        try:
            built.append(build(method, target, fields, body))
        except AgentError as error:
            refused[error.code] = refused.get(error.code, 0) + 1
        except (ValueError, httpx.InvalidURL, requests.RequestException):
            # The library does not take it.
            refused["library"] = refused.get("library", 0) + 1

    while len(built) < count:
        make()
    assert refused.keys() <= REFUSED | {"library"}
    verdict = verify(tmp_path, GUARD, built)
    wrong = [(one, built[one["at"]]) for one in verdict["refused"]]
    assert wrong[:3] == []
    assert verdict["accepted"] == len(built) >= count


@pytest.mark.parametrize("caller", CALLERS, ids=str)
def test_every_request_that_arrives_verifies(caller: Caller, tmp_path: Path) -> None:
    server = RecordingServer()
    agent = Agent(IDS["runner"], key_named("runner"), origins=[server.url], cover=["x-note"], clock=lambda: NOW)

    @settings(
        max_examples=max(COUNT // 10, 1),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(methods, st.one_of(st.tuples(raw_path, raw_query).map("".join), free_target), headers, bodies)
    def send(method: str, target: str, fields: dict[str, str], body: bytes) -> None:
        # What is not signed, or what the library does not take, does not arrive. aiohttp warns of an unread body.
        with suppress(AgentError, ValueError, OSError, httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, *ALSO):
            caller.call(agent, method, server.url + target, list(fields.items()), body)

    send()
    arrived = [line(one.method, one.target, one.fields, one.body) for one in server.requests]
    server.close()
    verdict = verify(tmp_path, {**GUARD, "origins": [server.url]}, arrived)
    wrong = [(one, arrived[one["at"]]) for one in verdict["refused"]]
    assert wrong[:3] == []
    assert verdict["accepted"] == len(arrived) > COUNT // 30
