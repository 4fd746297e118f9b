"""Agents in Python: signed, delegated calls to APIs that Countersign guards.

`countersign.requests`, `countersign.httpx`, `countersign.httpx2` and `countersign.aiohttp` plug an agent into those
libraries. Each is imported by name, so that none of them needs to be installed.
"""

from ._signing import SignedRequest
from .agent import Agent
from .approvals import PendingApproval
from .bundle import Bundle
from .errors import (
    AgentError,
    AgentErrorCode,
    ApiUnavailable,
    ApprovalRequired,
    ConfigError,
    CountersignError,
    InvalidKeyError,
    PermissionRefused,
    Refusal,
    RequestRefused,
    read_refusal,
)
from .keys import AgentKey, SigningKey
from .signer import Signer

__all__ = [
    "Agent",
    "AgentError",
    "AgentErrorCode",
    "AgentKey",
    "ApiUnavailable",
    "ApprovalRequired",
    "Bundle",
    "ConfigError",
    "CountersignError",
    "InvalidKeyError",
    "PendingApproval",
    "PermissionRefused",
    "Refusal",
    "RequestRefused",
    "SignedRequest",
    "Signer",
    "SigningKey",
    "read_refusal",
]

__version__ = "0.1.0"
