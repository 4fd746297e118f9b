"""Starts the hosts and the authority of this repository, which must be built (`pnpm build`)."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from world import ROOT

NODE = os.environ.get("COUNTERSIGN_NODE", "node")
HOSTS = ["node-http", "express4", "express5", "fastify5", "koa2", "koa3"]


def free_port() -> int:
    """Below the ephemeral ports, so that no other program gets the port before it is bound."""
    while True:
        port = random.randrange(20_000, 30_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def _started(arguments: list[str], folder: Path) -> Iterator[dict[str, Any]]:
    """A program that prints one line of JSON when it listens."""
    errors = folder / "stderr"
    with (
        errors.open("w") as stderr,
        subprocess.Popen([NODE, *arguments], stdout=subprocess.PIPE, stderr=stderr, cwd=ROOT, text=True) as program,
    ):
        assert program.stdout is not None
        try:
            line = program.stdout.readline()
            if not line:
                raise RuntimeError(f"{arguments} did not start: {errors.read_text()}")
            yield json.loads(line)
        finally:
            program.send_signal(signal.SIGKILL)


@contextmanager
def host(name: str, config: dict[str, Any], folder: Path, port: int = 0) -> Iterator[str]:
    """The URL of a host."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "host.json"
    defaults = {
        "origin": None,
        "mount": "",
        "bodyParser": "after",
        "issuers": [],
        "audit": str(folder / "audit"),
    }
    file.write_text(json.dumps({**defaults, **config}))
    main = str(ROOT / "test/hosts/dist/main.js")
    with _started([main, name, "--config", str(file), "--port", str(port)], folder) as started:
        yield started["url"]


@contextmanager
def authority(api: str, agent: str, scope: str, folder: Path) -> Iterator[dict[str, Any]]:
    """What `countersign dev` prints: issuer, agent with privateKey, user with token."""
    folder.mkdir(parents=True, exist_ok=True)
    main = str(ROOT / "packages/cli/bin/countersign.js")
    arguments = [main, "dev", "--api", api, "--agent", agent, "--scope", scope, "--listen", "127.0.0.1:0"]
    with _started(arguments, folder) as started:
        yield started


def verify(folder: Path, config: dict[str, Any], requests: list[dict[str, Any]]) -> dict[str, Any]:
    """What the verifier in TypeScript says of many requests."""
    file = folder / "requests.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in [config, *requests]))
    main = str(ROOT / "test/clients/verify.mjs")
    ran = subprocess.run([NODE, main, str(file)], capture_output=True, check=True, text=True, cwd=ROOT)
    verdict: dict[str, Any] = json.loads(ran.stdout)
    return verdict
