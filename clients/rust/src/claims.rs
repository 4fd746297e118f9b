//! The claims of tokens and links, read as strictly as an API reads them.

use serde_json::{Map, Value};

use crate::details::read_details;
use crate::json::entries;
use crate::text::{is_identifier, is_string_or_uri, is_thumbprint};

const MAX_AUDIENCES: usize = 16;
const MAX_ACTORS: usize = 16;
const MAX_SCOPES: usize = 100;
const MAX_SCOPE_LENGTH: usize = 256;
pub const MAX_SAFE_INTEGER: f64 = 9_007_199_254_740_991.0;

const LINK_CLAIMS: [&str; 11] =
    ["iss", "sub", "aud", "scope", "authorization_details", "iat", "exp", "jti", "pth", "max_hops", "cnf"];

/// What is wrong, as a part of a sentence.
pub type Problem = String;
type Payload = Map<String, Value>;

/// What a token or a link gives, and to whom.
#[derive(Clone, Default)]
pub struct Claims {
    pub issuer: String,
    pub subject: String,
    pub audience: Vec<String>,
    pub expires: i64,
    /// A token that does not limit the scope of what is handed on.
    pub unlimited: bool,
    pub scope: Vec<String>,
    pub details: Option<Vec<Payload>>,
    pub max_hops: Option<i64>,
    /// The thumbprint of the one key that may use it.
    pub key_id: Option<String>,
    /// Of a link: the hash of what is before it.
    pub parent_hash: Option<String>,
    /// Of a token: who acts, and who acted before, most recent first.
    pub actors: Vec<String>,
}

pub fn read_link(payload: &Payload) -> Result<Claims, Problem> {
    for name in payload.keys() {
        require(LINK_CLAIMS.contains(&name.as_str()), "the link has a claim that is none of those of a link")?;
    }
    let issuer = text(payload, "iss");
    require(is_identifier(issuer), "iss must name an agent: visible text in NFC")?;
    let subject = text(payload, "sub");
    require(is_identifier(subject), "sub must name an agent: visible text of 1 to 256 characters in NFC")?;
    require(issuer != subject, "nobody delegates to itself")?;
    let expires = seconds(payload, "exp")?;
    require(expires > seconds(payload, "iat")?, "exp must be after iat")?;
    require(is_identifier(text(payload, "jti")), "jti must be visible text")?;
    let parent_hash = payload.contains_key("pth").then(|| text(payload, "pth").to_owned());
    require(parent_hash.as_deref().is_none_or(is_thumbprint), "pth must be a SHA-256 in base64url")?;
    let whole_key = payload.get("cnf").and_then(|cnf| cnf.get("jwk"));
    require(whole_key.is_none_or(Value::is_null), "cnf of a link must be a thumbprint (jkt)")?;
    let claims = Claims {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        expires,
        scope: parse_scope(text(payload, "scope"))?,
        parent_hash,
        ..Claims::default()
    };
    with_common(claims, payload)
}

/// Reads the claims of an access token, as far as they limit what is handed on.
pub fn read_token(payload: &Payload) -> Result<Claims, Problem> {
    let issuer = text(payload, "iss");
    require(is_string_or_uri(issuer), "iss must be visible text")?;
    let subject = text(payload, "sub");
    require(is_identifier(subject), "sub must be visible text of 1 to 256 characters")?;
    let expires = seconds(payload, "exp")?;
    require(expires > 0, "exp must be seconds")?;
    for name in ["iat", "nbf"] {
        if payload.contains_key(name) {
            seconds(payload, name)?;
        }
    }
    for name in ["jti", "client_id"] {
        require(!payload.contains_key(name) || is_identifier(text(payload, name)), &format!("{name} must be visible text"))?;
    }
    let mut actors = Vec::new();
    if payload.contains_key("act") {
        actors = read_actors(payload)?;
        require(text(payload, "client_id") != subject, "sub names the client itself")?;
    }
    let scope = if payload.contains_key("scope") { parse_scope(text(payload, "scope"))? } else { Vec::new() };
    // A token of the agent itself without a scope gives all its capabilities; one with an actor gives nothing.
    let unlimited = actors.is_empty() && scope.is_empty();
    let (issuer, subject) = (issuer.to_owned(), subject.to_owned());
    with_common(Claims { issuer, subject, expires, unlimited, scope, actors, ..Claims::default() }, payload)
}

fn with_common(mut claims: Claims, payload: &Payload) -> Result<Claims, Problem> {
    claims.audience = read_audience(payload)?;
    claims.key_id = read_key_id(payload)?;
    if payload.contains_key("max_hops") {
        claims.max_hops = Some(seconds(payload, "max_hops")?);
    }
    claims.details = payload.get("authorization_details").map(read_details).transpose()?;
    Ok(claims)
}

pub fn require(is_right: bool, problem: &str) -> Result<(), Problem> {
    if is_right { Ok(()) } else { Err(problem.to_owned()) }
}

fn text<'a>(payload: &'a Payload, name: &str) -> &'a str {
    payload.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn seconds(payload: &Payload, name: &str) -> Result<i64, Problem> {
    payload.get(name).and_then(whole_number).ok_or_else(|| format!("{name} must be a whole number"))
}

/// A whole number up to the largest that JavaScript holds exactly.
pub fn whole_number(value: &Value) -> Option<i64> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=MAX_SAFE_INTEGER).contains(number))?;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within range")]
    Some(number as i64)
}

fn read_audience(payload: &Payload) -> Result<Vec<String>, Problem> {
    const PROBLEM: &str = "aud must be the name of an API, or a list of 1 to 16 of them";
    let list = payload.get("aud").map(entries).unwrap_or_default();
    require((1..=MAX_AUDIENCES).contains(&list.len()), PROBLEM)?;
    let name = |one: &Value| one.as_str().filter(|one| is_string_or_uri(one)).map(str::to_owned);
    list.iter().map(|one| name(one).ok_or_else(|| PROBLEM.to_owned())).collect()
}

fn read_key_id(payload: &Payload) -> Result<Option<String>, Problem> {
    let Some(confirmation) = payload.get("cnf") else { return Ok(None) };
    let member = |name: &str| confirmation.get(name).filter(|value| !value.is_null());
    match member("jkt").map(Value::as_str) {
        Some(Some(key_id)) if is_thumbprint(key_id) => Ok(Some(key_id.to_owned())),
        // A token may hold the whole key: the API compares it.
        None if member("jwk").is_some() => Ok(None),
        _ => Err("cnf must name one key by its thumbprint (jkt)".to_owned()),
    }
}

fn read_actors(payload: &Payload) -> Result<Vec<String>, Problem> {
    let mut actors: Vec<String> = Vec::new();
    let mut nested = payload.get("act");
    loop {
        let actor = nested.and_then(Value::as_object);
        let name = actor.map(|actor| text(actor, "sub")).unwrap_or_default();
        let issuer = actor.and_then(|actor| actor.get("iss")).filter(|issuer| !issuer.is_null());
        let is_right = is_identifier(name)
            && issuer.is_none_or(|issuer| Some(issuer) == payload.get("iss"))
            && name != text(payload, "sub")
            && !actors.iter().any(|known| known == name)
            && actors.len() < MAX_ACTORS;
        require(is_right, "act must name each actor once, at the issuer of the token")?;
        actors.push(name.to_owned());
        nested = actor.and_then(|actor| actor.get("act")).filter(|act| !act.is_null());
        if nested.is_none() {
            return Ok(actors);
        }
    }
}

/// Reads scopes, separated by single spaces (RFC 6749 §3.3).
pub fn parse_scope(text: &str) -> Result<Vec<String>, Problem> {
    let scopes: Vec<String> = text.split(' ').map(str::to_owned).collect();
    let is_char = |byte: u8| byte.is_ascii_graphic() && !b"\"\\".contains(&byte);
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_char);
    let is_scope = |scope: &String| scope.len() <= MAX_SCOPE_LENGTH && scope.split(':').all(is_part);
    require(
        scopes.len() <= MAX_SCOPES && scopes.iter().all(is_scope),
        "scope must be 1 to 100 scopes like 'repo:read', separated by single spaces",
    )?;
    Ok(scopes)
}

/// Whether pr:write or pr:write:draft is held for pr:write:draft.
pub fn scope_covers(held: &[String], wanted: &str) -> bool {
    held.iter().any(|scope| wanted.strip_prefix(scope.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(':')))
}
