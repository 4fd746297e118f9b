use serde_json::Value;

use crate::address::Address;
use crate::encoding::{sha256, to_base64};

/// What a client sent, to be compared with what an API wants people to approve.
#[derive(Clone, Debug)]
pub struct Sent {
    method: String,
    authority: String,
    target: String,
    /// None without a body.
    digest: Option<String>,
}

impl Sent {
    pub fn new(method: &str, to: &Address, body: &[u8]) -> Self {
        let (authority, target) = (to.authority.clone(), to.target());
        Self { method: method.to_owned(), authority, target, digest: digest_of(body) }
    }

    /// Whether the request that people are to approve is this one.
    pub fn is(&self, request: &Value) -> bool {
        let http = |name: &str| request.pointer(&format!("/http/{name}")).and_then(Value::as_str);
        let target = format!("{}{}", http("path").unwrap_or_default(), http("query").unwrap_or_default());
        let is_call = request.pointer("/call/argumentsDigest").is_some();
        http("method") == Some(&self.method)
            && http("authority") == Some(&self.authority)
            && target == self.target
            // A call states its arguments instead of the body.
            && (http("contentDigest") == self.digest.as_deref() || is_call && http("contentDigest").is_none())
    }
}

/// The `Content-Digest` of a body.
fn digest_of(body: &[u8]) -> Option<String> {
    (!body.is_empty()).then(|| format!("sha-256=:{}:", to_base64(&sha256(body))))
}
