use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::address::{Address, read_authority};
use crate::encoding::{random, sha256, to_base64, to_base64url};
use crate::error::{Code, Error};
use crate::key::Key;
use crate::wire::{COVERED_FIELDS, PARAM_PREFIX, SIGNATURE_TAG, TARGET_COMPONENTS};

/// With what an agent acts for others: a token, links of other agents, or both.
#[derive(Clone, Default)]
pub struct Credentials {
    pub token: Option<Arc<str>>,
    pub links: Arc<[String]>,
    pub approval: Option<Arc<str>>,
}

pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What every signature of an agent keeps to.
pub struct Rules {
    pub agent_id: String,
    pub key: Key,
    pub origins: BTreeSet<String>,
    pub lifetime: Duration,
    pub cover: Vec<String>,
    pub max_body_bytes: usize,
    pub clock: Clock,
    pub dangerously_allow_http: bool,
}

/// A header field. Its value is bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: Vec<u8>,
}

impl Field {
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// A request as it is to be signed.
pub struct Unsigned<'a> {
    pub method: &'a str,
    pub url: &'a str,
    pub fields: Vec<Field>,
    pub body: &'a [u8],
}

/// A request to be sent as it is.
pub struct Signed {
    pub address: Address,
    /// All fields in order, those of the signature last. Without `Host` and `Content-Length`.
    pub fields: Vec<Field>,
}

impl Rules {
    /// The time of the agent in milliseconds.
    pub fn now_ms(&self) -> i64 {
        unix_ms((self.clock)())
    }

    pub fn now(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    /// Adds the credentials, `Content-Digest`, `Signature-Input` and `Signature`.
    pub fn sign(&self, held: &Credentials, request: Unsigned<'_>, ahead_ms: i64, nonce: Option<&str>) -> Result<Signed, Error> {
        let to = Address::read(request.url)?;
        let origin = to.origin();
        if !self.origins.contains(&origin) {
            let message = format!("{origin} is none of the origins of this agent. Nothing was signed or sent.");
            return Err(Error::new(Code::OriginNotAllowed, message));
        }
        if !is_field_name(request.method) {
            return Err(malformed("The method is not one of HTTP."));
        }
        if request.body.len() > self.max_body_bytes {
            return Err(too_large(self.max_body_bytes));
        }
        let mut fields = with_credentials(checked(&to, request.fields)?, held)?;
        if !to.is_private() && !self.dangerously_allow_http {
            let message = format!("Everyone on the way to {origin} could read the request and its credentials: use https.");
            return Err(Error::new(Code::InsecureCredential, message));
        }
        if !request.body.is_empty() {
            let digest = to_base64(&sha256(request.body));
            fields.push(Field::new("Content-Digest", format!("sha-256=:{digest}:")));
        }
        let created = (self.now_ms() + ahead_ms).div_euclid(1000);
        let expires = created.saturating_add_unsigned(self.lifetime.as_secs());
        let nonce = nonce.map_or_else(|| to_base64url(&random::<16>()), str::to_owned);
        let covered = self.covered(&fields);
        let names = [TARGET_COMPONENTS.to_vec(), covered.iter().map(String::as_str).collect()].concat().join("\" \"");
        let keyid = self.key.thumbprint();
        let input =
            format!(r#"("{names}");created={created};expires={expires};nonce="{nonce}";keyid="{keyid}";tag="{SIGNATURE_TAG}""#);
        let base = signature_base(request.method, &to, &fields, &covered, &input)?;
        let signature = to_base64(&self.key.sign(base.as_bytes()));
        fields.push(Field::new("Signature-Input", format!("sig={input}")));
        fields.push(Field::new("Signature", format!("sig=:{signature}:")));
        Ok(Signed { address: to, fields })
    }

    /// The names of the fields that are covered, in order.
    fn covered(&self, fields: &[Field]) -> Vec<String> {
        let parameters: BTreeSet<String> =
            fields.iter().map(|field| field.name.to_ascii_lowercase()).filter(|name| name.starts_with(PARAM_PREFIX)).collect();
        let mut names: Vec<String> = Vec::new();
        for name in COVERED_FIELDS
            .iter()
            .copied()
            .chain(self.cover.iter().map(String::as_str))
            .chain(parameters.iter().map(String::as_str))
        {
            if has_field(fields, name) && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }
}

pub fn unix_ms(time: SystemTime) -> i64 {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => ms(after),
        Err(before) => -ms(before.duration()),
    }
}

/// RFC 9421 §2.5.
pub fn signature_base(method: &str, to: &Address, fields: &[Field], covered: &[String], input: &str) -> Result<String, Error> {
    let query = if to.query.is_empty() { "?" } else { &to.query };
    let mut lines = vec![
        format!("\"@method\": {method}"),
        format!("\"@authority\": {}", to.authority),
        format!("\"@path\": {}", to.path),
        format!("\"@query\": {query}"),
    ];
    for name in covered {
        let is_right = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
        let value = combined(fields, name).filter(|value| value.as_bytes().iter().all(is_right));
        let value = value.ok_or_else(|| malformed(&format!("The field {name} is not ASCII, so it cannot be signed.")))?;
        lines.push(format!("\"{name}\": {value}"));
    }
    lines.push(format!("\"@signature-params\": {input}"));
    Ok(lines.join("\n"))
}

/// The values of a field on all its lines. None if they are not UTF-8.
fn combined(fields: &[Field], name: &str) -> Option<String> {
    let mut values = Vec::new();
    for field in fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name)) {
        values.push(trimmed(&field.value)?);
    }
    Some(values.join(", "))
}

fn trimmed(value: &[u8]) -> Option<&str> {
    Some(str::from_utf8(value).ok()?.trim_matches([' ', '\t']))
}

fn checked(to: &Address, given: Vec<Field>) -> Result<Vec<Field>, Error> {
    let mut fields = Vec::with_capacity(given.len() + 6);
    for field in given {
        if !is_field_name(&field.name) || !field.value.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~' | 0x80..)) {
            return Err(malformed("A header field has a name or a value that HTTP does not allow."));
        }
        match field.name.to_ascii_lowercase().as_str() {
            "signature" | "signature-input" => {
                return Err(Error::new(Code::AlreadySigned, "The headers carry a signature already. Sign a request once."));
            }
            "host" => {
                let host = trimmed(&field.value).and_then(|host| read_authority(to.scheme, host));
                if host.as_ref() != Some(&to.authority) {
                    let message = "The Host header names another host than the URL. Drop the header.";
                    return Err(Error::new(Code::HostMismatch, message));
                }
            }
            // A digest that the caller set could be of other bytes.
            "content-length" | "content-digest" => {}
            _ => fields.push(field),
        }
    }
    Ok(fields)
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+.^_`|~-".contains(&byte))
}

/// Whether a name of a field is in lower case, as in a signature.
pub fn is_covered_name(name: &str) -> bool {
    is_field_name(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn with_credentials(mut fields: Vec<Field>, held: &Credentials) -> Result<Vec<Field>, Error> {
    let token = held.token.as_ref().map(|token| Field::new("Authorization", format!("Bearer {token}")));
    let links = (!held.links.is_empty()).then(|| Field::new("Agent-Delegation", held.links.join(", ")));
    let approval = held.approval.as_ref().map(|approval| Field::new("Agent-Approval", approval.as_bytes()));
    for added in [token, links, approval].into_iter().flatten() {
        if has_field(&fields, &added.name) {
            let message = format!("A token, bundle or approval was given, and the header {} too. Use one.", added.name);
            return Err(Error::new(Code::CredentialConflict, message));
        }
        fields.push(added);
    }
    Ok(fields)
}

fn has_field(fields: &[Field], name: &str) -> bool {
    fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
}

pub fn malformed(message: &str) -> Error {
    Error::new(Code::RequestMalformed, message)
}

pub fn too_large(limit: usize) -> Error {
    Error::new(Code::BodyTooLarge, format!("The body has more than {limit} bytes. It is held in memory to be signed."))
}
