"""Constants of the wire profile (docs/reference/wire-profile.md)."""

from __future__ import annotations

TAG = "countersign"
LINK_TYPE = "delegation+jwt"

TARGET_COMPONENTS = ("@method", "@authority", "@path", "@query")
BODY_FIELDS = ("content-type", "content-encoding", "content-digest")
CREDENTIAL_FIELDS = ("authorization", "agent-delegation", "agent-approval")
MCP_FIELDS = ("mcp-method", "mcp-name", "mcp-session-id", "mcp-protocol-version", "last-event-id")
MCP_PARAMETER_PREFIX = "mcp-param-"
METHOD_OVERRIDE_FIELDS = ("x-http-method-override", "x-http-method", "x-method-override")

MAX_AGE_SECONDS = 60
MAX_LIFETIME_SECONDS = 300
MAX_BODY_BYTES = 16_777_216
MAX_LINK_LIFETIME_SECONDS = 3600
DEFAULT_LINK_LIFETIME_SECONDS = 300
# The most that any API can be set to accept.
MAX_DELEGATION_DEPTH = 16
MAX_TOKEN_LENGTH = 16_384

# Clocks that differ by less do not matter.
CLOCK_SKEW_SECONDS = 5
# A signature for a later time could be kept by whoever answers, and used then.
MAX_CLOCK_FORWARD_SECONDS = 300
