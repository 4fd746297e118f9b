//! Constants of the wire profile (docs/reference/wire-profile.md).

use std::time::Duration;

pub const SIGNATURE_TAG: &str = "countersign";
pub const LINK_TYPE: &str = "delegation+jwt";
pub const PROBLEM_TYPE: &str = "application/problem+json";
pub const PARAM_PREFIX: &str = "mcp-param-";
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(60);
pub const MAX_LIFETIME: Duration = Duration::from_secs(300);

pub const DEFAULT_MAX_BODY_BYTES: usize = 16_777_216;
pub const DEFAULT_LINK_LIFETIME: Duration = Duration::from_secs(300);
pub const MAX_LINK_LIFETIME: Duration = Duration::from_secs(3600);
/// The most that any API can be set to accept.
pub const MAX_DELEGATION_DEPTH: usize = 16;
pub const MAX_TOKEN_LENGTH: usize = 16_384;

pub const TARGET_COMPONENTS: [&str; 4] = ["@method", "@authority", "@path", "@query"];
/// Fields that are covered when they are present, in this order.
pub const COVERED_FIELDS: [&str; 14] = [
    "content-type",
    "content-encoding",
    "content-digest",
    "authorization",
    "agent-delegation",
    "agent-approval",
    "mcp-method",
    "mcp-name",
    "mcp-session-id",
    "mcp-protocol-version",
    "last-event-id",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];
