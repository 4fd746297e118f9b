"""What the hosts under test permit, and whom they know."""

from __future__ import annotations

from typing import Any

from world import IDS, key_named

ISSUER = "https://id.acme.dev"
AGENTS = ["orchestrator", "runner"]
CAPABILITIES = ["repo:read", "pr:write:draft", "invoice:read", "file:write"]
POLICIES = """
@id("drafts") permit(principal, action == Action::"pr.create", resource)
when { context has onBehalfOf && context.scope.contains("pr:write:draft") };
@id("invoices") permit(principal, action == Action::"invoice.read", resource)
when { context.scope.contains("invoice:read") };
@id("uploads") permit(principal, action == Action::"file.put", resource) when { context.scope.contains("file:write") };
"""
SCHEMA = """entity Repo; entity Dataset; entity Bucket; entity Record;
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
action "invoice.read" appliesTo { principal: [Agent], resource: [Dataset], context: AgentContext };
action "file.put" appliesTo { principal: [Agent], resource: [Bucket], context: AgentContext };
action "record.delete" appliesTo { principal: [Agent], resource: [Record], context: AgentContext };
"""


def registration(agent_id: str, jwk: dict[str, Any]) -> dict[str, Any]:
    public = {name: jwk[name] for name in ("kty", "crv", "x")}
    return {"id": agent_id, "jwk": public, "capabilities": CAPABILITIES}


CONFIG: dict[str, Any] = {
    "agents": [registration(IDS[name], key_named(name).public_jwk) for name in AGENTS],
    "issuers": [
        {"issuer": ISSUER, "jwks": {"keys": [{**key_named("issuer").public_jwk, "kid": "issuer-1"}]}},
    ],
    "policies": POLICIES,
    "schema": SCHEMA,
}
