"""An MCP server in Python, over standard input and output, or over HTTP on the port that is given."""

import sys

from fastmcp import FastMCP

mcp = FastMCP("python")


@mcp.tool(annotations={"readOnlyHint": True})
def echo(text: str) -> str:
    return text


@mcp.tool
def secret() -> str:
    return "the secret"


@mcp.resource("test://t/{name}")
def named(name: str) -> str:
    return f"resource {name}"


if len(sys.argv) > 1:
    mcp.run(transport="http", host="127.0.0.1", port=int(sys.argv[1]), show_banner=False)
else:
    mcp.run(show_banner=False)
