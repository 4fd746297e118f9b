"""The vectors that bind every client: test/vectors."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlsplit

import pytest

from countersign import AgentError, AgentKey, Bundle, InvalidKeyError, Refusal, Signer, read_refusal
from countersign._authority import Authority, sign_challenge
from countersign._call import decide, refuse_redirect
from countersign._claims import ClaimsError, read_link
from countersign._delegate import delegate
from countersign._json import jwt_part
from countersign._signing import Credentials, sign, signature_base
from countersign._url import read_url
from world import IDS, agent_named, key_named, vectors

keys = vectors("keys")
requests = vectors("requests")["requests"]
refused = vectors("refused-requests")
links = vectors("links")
bundles = vectors("bundles")["bundles"]
answers = vectors("answers")
authority = vectors("authority")


def names(cases: list[dict[str, Any]]) -> list[str]:
    return [case["name"] for case in cases]


def bytes_of(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def origin_of(url: str) -> str:
    return "{0.scheme}://{0.netloc}".format(urlsplit(url))


@pytest.mark.parametrize("case", keys["keys"], ids=names(keys["keys"]))
def test_key_is_one_key_in_every_form(case: dict[str, Any]) -> None:
    forms = [case["seed"], case["secretKey"], case["pem"], case["pemWithPublicKey"], case["jwk"]]
    forms += [bytes_of(case["seed"]), bytes_of(case["secretKey"]), case["pem"].encode()]
    for form in forms:
        key = AgentKey.load(form)
        assert key.thumbprint == case["thumbprint"]
        assert key.public_key == case["publicKey"]
        assert key.public_jwk == case["publicJwk"]
        assert key.export_jwk() == case["jwk"]
        assert key.export_pem() == case["pem"]
        assert key.export_secret_key() == bytes_of(case["secretKey"])
        assert key.sign(bytes_of(case["signature"]["message"])) == bytes_of(case["signature"]["signature"])


@pytest.mark.parametrize("case", keys["refused"], ids=names(keys["refused"]))
def test_no_key_is_read_from(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidKeyError) as refusal:
        AgentKey.load(case["input"])
    assert len(case["input"]) < 20 or case["input"] not in str(refusal.value)


@pytest.mark.parametrize("case", vectors("digests")["digests"], ids=names(vectors("digests")["digests"]))
def test_digest(case: dict[str, Any]) -> None:
    signed = agent_named("runner").sign("PUT", "https://api.acme.dev/", {}, bytes_of(case["body"]))
    assert dict(signed.headers)["Content-Digest"] == case["sha-256"]


@pytest.mark.parametrize("case", requests, ids=names(requests))
def test_request(case: dict[str, Any]) -> None:
    agent = agent_named(case["key"], origins=[origin_of(case["url"])], now=case["created"], cover=tuple(case["cover"]))
    signed = sign(
        agent._rules,
        Credentials(case.get("token"), tuple(case.get("links", ()))),
        method=case["method"],
        url=case["url"],
        headers=[(name, value) for name, value in case["headers"]],
        body=bytes_of(case.get("body")),
        nonce=case["nonce"],
    )
    expected = case["expected"]
    assert signed.target == expected["target"]
    assert [list(field) for field in signed.headers] == expected["headers"]
    signature_input = signed.headers[-2][1].removeprefix("sig=")
    covered = [name.strip('"') for name in signature_input[1:].split(")")[0].split(" ")]
    base = signature_base(case["method"], read_url(case["url"]), signed.headers, covered, signature_input)
    assert base.split("\n") == expected["signatureBase"]
    assert read_url(case["url"]).authority == case["authority"]


def signer_of(case: dict[str, Any], **options: Any) -> Signer:
    agent = agent_named("runner", now=1_764_000_000, **options)
    if "links" in case:
        return agent.accept({"version": 1, "links": case["links"]})
    return agent.with_token(case["token"]) if "token" in case else agent


@pytest.mark.parametrize("case", refused["requests"], ids=names(refused["requests"]))
def test_request_is_not_signed(case: dict[str, Any]) -> None:
    limit = {"max_body_bytes": case["maxBodyBytes"]} if "maxBodyBytes" in case else {}
    signer = signer_of(case, origins=case["origins"], cover=tuple(case.get("cover", ())), **limit)
    with pytest.raises(AgentError) as error:
        signer.sign(
            case["method"],
            case["url"],
            [tuple(field) for field in case["headers"]],
            bytes_of(case.get("body")),
        )
    assert error.value.code == case["code"]


@pytest.mark.parametrize("target", refused["targets"])
def test_unsafe_target_is_not_signed(target: str) -> None:
    with pytest.raises(AgentError) as error:
        agent_named("runner").sign("GET", f"https://api.acme.dev{target}")
    assert error.value.code == "url_unsupported"


def test_tokens_are_told_by_their_characters() -> None:
    agent = agent_named("runner")
    for token in refused["tokens"]["accepted"]:
        agent.with_token(token)
    for token in refused["tokens"]["refused"]:
        with pytest.raises(ValueError, match="not an access token"):
            agent.with_token(token)


def holder_of(case: dict[str, Any]) -> Signer:
    agent = agent_named(case["delegator"], now=case["now"])
    token = {"token": case["token"]} if "token" in case else {}
    if case["links"]:
        return agent.accept({"version": 1, **token, "links": case["links"]})
    return agent.with_token(case["token"]) if token else agent


def options_of(case: dict[str, Any]) -> dict[str, Any]:
    spelling = {
        "scope": "scope",
        "ttlSeconds": "ttl_seconds",
        "audience": "audience",
        "authorizationDetails": "authorization_details",
        "maxHops": "max_hops",
        "keyId": "key_id",
    }
    return {spelling[name]: value for name, value in case["options"].items()}


@pytest.mark.parametrize("case", links["links"], ids=names(links["links"]))
def test_link(case: dict[str, Any]) -> None:
    signer = holder_of(case)
    bundle = delegate(signer._rules, signer._hold.current(), case["delegate"], **options_of(case), link_id=case["jti"])
    assert bundle.token == case.get("token")
    assert list(bundle.links[:-1]) == case["links"]
    assert jwt_part(bundle.links[-1], 1) == jwt_part(case["link"], 1)
    assert jwt_part(bundle.links[-1], 0) == jwt_part(case["link"], 0)
    # This client writes the claims in the order of the vectors.
    assert bundle.links[-1] == case["link"]


@pytest.mark.parametrize("case", links["refused"], ids=names(links["refused"]))
def test_link_is_not_signed(case: dict[str, Any]) -> None:
    signer = holder_of(case)
    with pytest.raises(AgentError) as error:
        signer.delegate(case["delegate"], **options_of(case))
    assert error.value.code == case["code"]


def test_link_with_an_unknown_claim_is_not_read() -> None:
    payload = jwt_part(links["links"][0]["link"], 1)
    assert payload is not None
    read_link(payload)
    with pytest.raises(ClaimsError):
        read_link({**payload, "extra": 1})


@pytest.mark.parametrize("case", bundles, ids=names(bundles))
def test_bundle(case: dict[str, Any]) -> None:
    agent = agent_named(case["recipient"], key=case.get("recipientKey"), now=case["now"])
    if case["accepted"]:
        agent.accept(case["bundle"])
        assert Bundle.from_json(Bundle(**tuples(case["bundle"])).to_json()).to_dict() == case["bundle"]
        return
    with pytest.raises(AgentError) as error:
        agent.accept(case["bundle"])
    assert error.value.code == "bundle_invalid"


def tuples(bundle: dict[str, Any]) -> dict[str, Any]:
    return {"links": tuple(bundle["links"]), "token": bundle.get("token")}


@pytest.mark.parametrize("case", answers["refusals"], ids=[case["code"] for case in answers["refusals"]])
def test_refusal_is_read(case: dict[str, Any]) -> None:
    refusal = read_refusal(case["status"], case["headers"], case["body"].encode())
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status, refusal.title) == (case["code"], case["status"], case["title"])
    # Every code has advice of its own.
    assert "docs/reference" not in refusal.advice


@pytest.mark.parametrize("case", answers["replayUnknown"], ids=names(answers["replayUnknown"]))
def test_signed_anew_after_a_restart(case: dict[str, Any]) -> None:
    anew = decide(
        case["status"],
        case["headers"],
        case["body"].encode(),
        url="https://api.acme.dev/",
        now=0,
        clock_offset=0,
    )
    assert (None if anew is None else anew.wait_seconds) == case["waitSeconds"]


@pytest.mark.parametrize("case", answers["clock"], ids=names(answers["clock"]))
def test_signed_anew_by_the_clock_of_the_api(case: dict[str, Any]) -> None:
    anew = decide(
        case["status"],
        case["headers"],
        case["body"].encode(),
        url=case["url"],
        now=case["signedAt"],
        clock_offset=0,
    )
    assert (anew is not None) == case["signAnew"]
    assert anew is None or anew.clock_offset == case["ahead"]


@pytest.mark.parametrize("case", answers["redirects"], ids=[str(case["status"]) for case in answers["redirects"]])
def test_redirect_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(AgentError) as error:
        refuse_redirect(case["status"], case["headers"]["location"], "https://api.acme.dev")
    assert error.value.code == case["code"]


@pytest.mark.parametrize("case", authority["assertions"], ids=[case["key"] for case in authority["assertions"]])
def test_assertion(case: dict[str, Any]) -> None:
    agent = agent_named(case["key"], now=case["now"])
    assert Authority(case["issuer"], agent._rules, None).assertion(case["now"], case["jti"]) == case["jwt"]


@pytest.mark.parametrize("case", authority["challenges"], ids=["article", "authority"])
def test_challenge(case: dict[str, Any]) -> None:
    assert sign_challenge(agent_named(case["key"])._rules, case["message"]) == case["request"]


@pytest.mark.parametrize("message", authority["refusedMessages"])
def test_message_that_is_no_challenge_is_not_signed(message: str) -> None:
    with pytest.raises(AgentError):
        sign_challenge(agent_named("orchestrator")._rules, message)


def test_ids_are_those_of_the_agents() -> None:
    assert {agent_named(name).id for name in IDS} == set(IDS.values())
    assert {agent["keyId"] for agent in vectors("bundles")["agents"]} == {key_named(name).key_id for name in IDS}
