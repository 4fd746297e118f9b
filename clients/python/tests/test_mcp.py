"""The MCP client of Python, through httpx, against a server that `countersign mcp` guards."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from countersign import Agent
from programs import NODE, free_port
from world import IDS, ROOT, key_named

httpx2 = pytest.importorskip("httpx2")
mcp = pytest.importorskip("mcp")

CLI = str(ROOT / "packages/cli/bin/countersign.js")


@contextmanager
def running(arguments: list[str], port: int, errors: Path) -> Iterator[None]:
    with (
        errors.open("w") as stderr,
        subprocess.Popen(arguments, stdout=stderr, stderr=stderr) as program,
    ):
        try:
            end = time.monotonic() + 50
            while True:
                assert program.poll() is None, errors.read_text()
                with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < end, errors.read_text()
                time.sleep(0.05)
            yield
        finally:
            program.send_signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("mcp")
    server, guard = free_port(), free_port()
    url = f"http://127.0.0.1:{server}/mcp"
    with running([sys.executable, str(Path(__file__).with_name("mcp_server.py")), str(server)], server, folder / "a"):
        subprocess.run([NODE, CLI, "mcp", "init", str(folder / "guard"), "--from", url], check=True)
        agents = [key_named("runner").registration(IDS["runner"], ["tool:call"])]
        (folder / "guard" / "agents.json").write_text(json.dumps(agents))
        arguments = [NODE, CLI, "mcp", "--guard", str(folder / "guard"), "--url", url]
        with running([*arguments, "--listen", f"127.0.0.1:{guard}"], guard, folder / "b"):
            yield f"http://127.0.0.1:{guard}/mcp"


def test_each_call_of_the_mcp_client_is_signed(endpoint: str) -> None:
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415

    import countersign.httpx2  # noqa: PLC0415

    agent = Agent(IDS["runner"], key_named("runner"), origins=[endpoint.removesuffix("/mcp")])

    async def talk() -> tuple[list[str], Any, str]:
        auth = countersign.httpx2.SignedAuth(agent)
        async with (
            httpx2.AsyncClient(auth=auth, trust_env=False, timeout=30) as http,
            mcp.Client(streamable_http_client(endpoint, http_client=http)) as client,
        ):
            tools = [tool.name for tool in (await client.list_tools()).tools]
            said = (await client.call_tool("echo", {"text": "ähm"})).content[0].text
            try:
                hidden = str(await client.call_tool("secret", {}))
            except mcp.MCPError as error:
                hidden = str(error)
            return tools, said, hidden

    tools, said, hidden = asyncio.run(talk())
    assert (tools, said) == (["echo"], "ähm")
    assert "the secret" not in hidden
