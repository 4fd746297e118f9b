use std::fmt;

use serde_json::Value;

use crate::address::Address;
use crate::encoding::{sha256, to_base64};
use crate::sign::Field;

/// What a client sent, to be compared with what an API wants people to approve.
#[derive(Clone)]
pub struct Sent {
    method: String,
    authority: String,
    target: String,
    fields: Vec<Field>,
    /// None without a body.
    digest: Option<String>,
}

impl Sent {
    pub fn new(method: &str, to: &Address, fields: Vec<Field>, body: &[u8]) -> Self {
        let (authority, target) = (to.authority.clone(), to.target());
        Self { method: method.to_owned(), authority, target, fields, digest: digest_of(body) }
    }

    /// Whether the request that people are to approve is this one.
    pub fn is(&self, request: &Value) -> bool {
        let http = |name: &str| request.pointer(&format!("/http/{name}")).and_then(Value::as_str);
        let target = format!("{}{}", http("path").unwrap_or_default(), http("query").unwrap_or_default());
        http("method") == Some(&self.method)
            && http("authority") == Some(&self.authority)
            && target == self.target
            && http("contentDigest") == self.digest.as_deref()
            && self.has(request.pointer("/http/fields"))
    }

    /// Whether these fields were sent. Not all of them are signed: people must not be asked about what somebody on the way
    /// has written.
    fn has(&self, fields: Option<&Value>) -> bool {
        let Some(fields) = fields else {
            return true;
        };
        fields.as_object().is_some_and(|fields| {
            fields.iter().all(|(name, value)| value.is_string() && self.field(name).as_deref() == value.as_str())
        })
    }

    /// A character for each byte, as an API reads them.
    fn field(&self, name: &str) -> Option<String> {
        let lines = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let lines = lines.map(|field| field.value.iter().map(|byte| char::from(*byte)).collect::<String>());
        let values: Vec<_> = lines.map(|line| line.trim_matches([' ', '\t']).to_owned()).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }
}

/// Shows no fields: some hold credentials.
impl fmt::Debug for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sent({} {}{})", self.method, self.authority, self.target)
    }
}

/// The `Content-Digest` of a body.
fn digest_of(body: &[u8]) -> Option<String> {
    (!body.is_empty()).then(|| format!("sha-256=:{}:", to_base64(&sha256(body))))
}
