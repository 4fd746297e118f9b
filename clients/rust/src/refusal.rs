use std::fmt;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::address::Address;
use crate::advice::advice_on;
use crate::json::parse_object;
use crate::text::{QUOTE_LIMIT, quote};
use crate::wire::PROBLEM_TYPE;

/// An answer of an API that refuses a call (RFC 9457). Nothing was carried out.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Refusal {
    /// Stable, as in docs/reference/refusals.md.
    pub code: String,
    /// The status of HTTP.
    pub status: u16,
    /// The text of the API.
    pub title: String,
    /// What to do.
    pub advice: &'static str,
    /// The missing scopes, if the answer names them.
    pub required_scope: Vec<String>,
    /// The answer as it came.
    pub problem: Value,
    /// What people must approve, if the code is `approval_required`.
    pub approval: Option<NeededApproval>,
}

/// What people must approve before an API runs a call.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NeededApproval {
    /// The page of the application where it asks people itself. Then repeat the request later.
    pub url: Option<String>,
    /// The authorities whose approvals count. Empty: the application asks people itself.
    pub issuers: Vec<String>,
    #[cfg_attr(not(feature = "reqwest"), expect(dead_code, reason = "for the question to an authority"))]
    pub(crate) binding: Value,
    #[cfg_attr(not(feature = "reqwest"), expect(dead_code, reason = "for the question to an authority"))]
    pub(crate) request: Value,
    /// What was sent, if the client of this crate sent it.
    #[cfg(feature = "reqwest")]
    pub(crate) sent: Option<crate::client::Sent>,
}

impl Refusal {
    /// Reads the refusal that an answer states; None if a guard did not write it.
    #[must_use]
    pub fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        if !status.is_client_error() && !status.is_server_error() || !is_problem(headers) {
            return None;
        }
        let problem = parse_object(body)?;
        let member = |name: &str| problem.get(name).and_then(Value::as_str);
        let code = member("code")?.to_owned();
        let title = quote(member("title").unwrap_or_default(), QUOTE_LIMIT);
        let required_scope = if code == "insufficient_scope" { required_scope(headers) } else { Vec::new() };
        let approval = (code == "approval_required").then(|| needed_approval(problem.get("approval")));
        let (advice, status) = (advice_on(&code), status.as_u16());
        Some(Self { code, status, title, advice, required_scope, problem: problem.into(), approval })
    }

    /// Whether the API could not check the request. It may be sent again later, newly signed.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        self.status >= 500
    }

    /// Whether the API knows who calls, and does not permit the call.
    #[must_use]
    pub const fn is_forbidden(&self) -> bool {
        self.status == 403
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {} {}", self.status, quote(&self.code, QUOTE_LIMIT), self.title, self.advice)
    }
}

impl std::error::Error for Refusal {}

fn required_scope(headers: &HeaderMap) -> Vec<String> {
    let challenge = headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let scope = challenge.split_once("scope=\"").and_then(|(_, rest)| rest.split('"').next());
    scope.unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect()
}

fn needed_approval(value: Option<&Value>) -> NeededApproval {
    let member = |name: &str| value.and_then(|value| value.get(name));
    let issuers = member("issuers").and_then(Value::as_array).into_iter().flatten();
    NeededApproval {
        url: member("url").and_then(Value::as_str).filter(|url| is_page(url)).map(str::to_owned),
        issuers: issuers.filter_map(Value::as_str).map(str::to_owned).collect(),
        binding: member("binding").cloned().unwrap_or_default(),
        request: member("request").cloned().unwrap_or_default(),
        #[cfg(feature = "reqwest")]
        sent: None,
    }
}

/// Whether text is an http(s) URL without a character that a terminal would obey.
fn is_page(url: &str) -> bool {
    Address::read(url).is_ok() && url.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether the content has the type of problem details (RFC 9457).
pub fn is_problem(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PROBLEM_TYPE)
}
