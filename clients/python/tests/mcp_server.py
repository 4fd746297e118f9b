"""An MCP server over HTTP on the port that is given."""

import sys

from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

server = MCPServer("python")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def echo(text: str) -> str:
    """Says it again."""
    return text


@server.tool()
def secret() -> str:
    """Changes everything."""
    return "the secret"


server.run(transport="streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
