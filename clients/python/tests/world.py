"""What the tests share: the vectors, and agents of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from countersign import Agent, AgentKey

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "test" / "vectors"


def vectors(name: str) -> dict[str, Any]:
    """A file of test/vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


KEYS = {key["name"]: key for key in vectors("keys")["keys"]}
IDS = {agent["name"]: agent["id"] for agent in vectors("bundles")["agents"]}


def key_named(name: str) -> AgentKey:
    """A key of keys.json."""
    return AgentKey.load(KEYS[name]["seed"])


def agent_named(
    name: str, *, key: str | None = None, origins: list[str] | None = None, now: float = 0, **options: Any
) -> Agent:
    """An agent of the vectors at a time."""
    return Agent(
        IDS[name],
        key_named(key or name),
        origins=origins or ["https://api.acme.dev"],
        clock=lambda: now,
        **options,
    )
