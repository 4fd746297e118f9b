use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header;
use reqwest::{ClientBuilder, Method};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::address::Address;
use crate::client::anew::{date_of, is_correction};
use crate::client::body::peek;
use crate::client::tokens::{IssuedToken, TOKEN_MARGIN};
use crate::encoding::{to_base64, uuid};
use crate::error::{Code, Error};
use crate::json::parse_object;
use crate::jwt::sign_jwt;
use crate::sign::{Rules, malformed};
use crate::text::{QUOTE_LIMIT, is_base64url, is_token, quote};

const ASSERTION_SECONDS: i64 = 60;
const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 65_536;
const FORM_TYPE: &str = "application/x-www-form-urlencoded";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// More is no life of a token.
const MAX_EXPIRES_IN: f64 = 1e10;

/// Names and values of what the authority is asked for.
pub type Parameters = Vec<(&'static str, String)>;

/// An authority, as one agent sees it.
pub struct Authority {
    pub issuer: String,
    pub rules: Arc<Rules>,
    client: reqwest::Client,
    endpoints: Mutex<BTreeMap<&'static str, String>>,
    /// By which its clock is ahead of ours, in milliseconds.
    ahead_ms: AtomicI64,
}

/// An answer of the authority.
pub struct Answer {
    pub status: u16,
    /// Empty if it is no JSON object.
    members: Map<String, Value>,
    date_ms: Option<i64>,
    /// When it was asked for, by our clock.
    asked_ms: i64,
}

impl Answer {
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.member(name).and_then(Value::as_str)
    }
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: &'a str,
}

impl Authority {
    pub fn new(issuer: String, rules: Arc<Rules>, client: ClientBuilder) -> Result<Self, Error> {
        let is_private = |to: &Address| to.is_private() || rules.dangerously_allow_http;
        if !Address::read(&issuer).is_ok_and(|to| to.query.is_empty() && is_private(&to)) || issuer.contains('#') {
            return Err(Error::config("The authority must be the https URL of the authority, exactly as it names itself."));
        }
        let client = client.redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT).build();
        let client = client.map_err(|error| Error::config("The client of the authority cannot be built.").caused(error))?;
        Ok(Self { issuer, rules, client, endpoints: Mutex::default(), ahead_ms: AtomicI64::new(0) })
    }

    /// Asks the token endpoint.
    pub async fn token(&self, parameters: Parameters) -> Result<IssuedToken, Error> {
        let got = self.post_form("token_endpoint", "", parameters).await?;
        self.issued(&got)
    }

    /// Trades a signed challenge for a token of the agent itself. Without a message, the authority makes one.
    pub async fn challenge(&self, message: Option<String>, parameters: Parameters) -> Result<IssuedToken, Error> {
        let message = if let Some(message) = message {
            message
        } else {
            let made = self.post_json("/challenge", json!({ "agent_id": self.rules.agent_id })).await?;
            let message = made.text("message").filter(|_| made.status == 200).map(str::to_owned);
            message.ok_or_else(|| self.unavailable(&format!("it answered with {}", made.status)))?
        };
        let mut body = sign_challenge(&self.rules, &message)?;
        body.extend(parameters.into_iter().map(|(name, value)| (name.to_owned(), value.into())));
        let got = self.post_json("/challenge/token", body.into()).await?;
        self.issued(&got)
    }

    /// Proves the agent to this authority, and to no other.
    pub fn assertion(&self, now: i64, id: &str) -> String {
        let agent = &self.rules.agent_id;
        let claims = Assertion { iss: agent, sub: agent, aud: &self.issuer, iat: now, exp: now + ASSERTION_SECONDS, jti: id };
        sign_jwt(&self.rules.key, None, &claims).unwrap_or_default()
    }

    pub async fn post_form(&self, endpoint: &'static str, path: &str, parameters: Parameters) -> Result<Answer, Error> {
        let to = self.endpoint(endpoint).await? + path;
        let ahead = self.ahead_ms.load(Ordering::Relaxed);
        let got = self.post_assertion(&to, &parameters, ahead).await?;
        let theirs = got.date_ms.filter(|_| got.status == 401).map(|date| date - got.asked_ms);
        let Some(theirs) = theirs.filter(|theirs| is_correction(*theirs, ahead)) else {
            return Ok(got);
        };
        // Once: with a clock that is wrong no assertion ever counts.
        let got = self.post_assertion(&to, &parameters, theirs).await?;
        // Only a success proves the correction right.
        if got.status == 200 {
            self.ahead_ms.store(theirs, Ordering::Relaxed);
        }
        Ok(got)
    }

    async fn post_assertion(&self, to: &str, parameters: &Parameters, ahead_ms: i64) -> Result<Answer, Error> {
        let now = (self.rules.now_ms() + ahead_ms).div_euclid(1000);
        let assertion = self.assertion(now, &uuid());
        let form = self.form(&assertion, parameters);
        self.send(Method::POST, to, Some(FORM_TYPE), form).await
    }

    fn form(&self, assertion: &str, parameters: &Parameters) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("client_id", &self.rules.agent_id);
        form.append_pair("client_assertion_type", ASSERTION_TYPE);
        form.append_pair("client_assertion", assertion);
        form.extend_pairs(parameters).finish()
    }

    async fn post_json(&self, path: &str, body: Value) -> Result<Answer, Error> {
        let to = format!("{}{path}", self.issuer.trim_end_matches('/'));
        self.send(Method::POST, &to, Some("application/json"), body.to_string()).await
    }

    pub async fn send(&self, method: Method, to: &str, content_type: Option<&str>, body: String) -> Result<Answer, Error> {
        let mut request = self.client.request(method, to).header(header::ACCEPT, "application/json");
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type).body(body);
        }
        let asked_ms = self.rules.now_ms();
        let response =
            request.send().await.map_err(|error| self.unavailable("it does not answer").caused(error.without_url()))?;
        let (response, body) = peek(response, MAX_ANSWER).await;
        let body = body.ok_or_else(|| self.unavailable("its answer is cut or too long"))?;
        let members = parse_object(&body).unwrap_or_default();
        Ok(Answer { status: response.status().as_u16(), members, date_ms: date_of(response.headers()), asked_ms })
    }

    fn issued(&self, got: &Answer) -> Result<IssuedToken, Error> {
        let token = got.text("access_token").filter(|token| is_token(token));
        let seconds =
            got.member("expires_in").and_then(Value::as_f64).filter(|seconds| *seconds > 0.0 && *seconds < MAX_EXPIRES_IN);
        if let (200, Some(token), Some(seconds)) = (got.status, token, seconds) {
            let life = Duration::from_secs_f64(seconds).saturating_sub(TOKEN_MARGIN).max(Duration::from_secs(1));
            let life_ms = i64::try_from(life.as_millis()).unwrap_or(i64::MAX);
            return Ok(IssuedToken { token: token.into(), expires_ms: got.asked_ms.saturating_add(life_ms) });
        }
        let why = self.why(got)?;
        Err(Error::new(Code::TokenRefused, format!("{} gave no token: {why}.", self.issuer)))
    }

    /// What the authority says is wrong with a request. Any other answer is an outage.
    pub fn why(&self, got: &Answer) -> Result<String, Error> {
        let Some(error) = got.text("error").filter(|_| got.status < 500 && got.status != 429) else {
            return Err(self.unavailable(&format!("it answered with {}", got.status)));
        };
        let description = got.text("error_description").map(|text| format!(": {text}")).unwrap_or_default();
        Ok(quote(&format!("{error}{description}"), QUOTE_LIMIT))
    }

    pub fn unavailable(&self, why: &str) -> Error {
        Error::new(Code::AuthorityUnavailable, format!("The authority {} cannot be used now: {why}.", self.issuer))
    }

    pub fn known_endpoint(&self, name: &str) -> Option<String> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub fn keep_endpoint(&self, name: &'static str, url: String) {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner).insert(name, url);
    }
}

/// The article's signed challenge: { `agent_id`, message, signature }, both in base64.
pub fn sign_challenge(rules: &Rules, message: &str) -> Result<Map<String, Value>, Error> {
    if !is_challenge(message) {
        return Err(malformed("A challenge is like 'approve-request:174325'. Nothing else is signed."));
    }
    let signature = to_base64(&rules.key.sign(message.as_bytes()));
    let members = [("agent_id", rules.agent_id.clone()), ("message", to_base64(message.as_bytes())), ("signature", signature)];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// No signature base and no JWT has this form, so that the signature is good for nothing else.
fn is_challenge(message: &str) -> bool {
    let Some((kind, id)) = message.split_once(':') else { return false };
    let is_kind_char = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let starts_right = kind.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
    starts_right
        && kind.len() <= 64
        && kind.bytes().all(is_kind_char)
        && (1..=256).contains(&id.len())
        && id.bytes().all(is_base64url)
}
