use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::bundle::{Bundle, hash_of};
use crate::claims::{Claims, MAX_SAFE_INTEGER, Problem, read_link, read_token, require, scope_covers};
use crate::details::{are_narrower, unknown_member};
use crate::error::{Code, Error};
use crate::jwt::{payload_of, sign_jwt};
use crate::sign::{Credentials, Rules};
use crate::text::{QUOTE_LIMIT, is_compact_jws, quote};
use crate::wire::{DEFAULT_LINK_LIFETIME, LINK_TYPE, MAX_DELEGATION_DEPTH, MAX_LINK_LIFETIME};

/// What is handed on to another agent.
#[derive(Clone, Debug)]
pub struct Grant {
    scope: Vec<String>,
    ttl: Duration,
    audience: Vec<String>,
    details: Option<Vec<Map<String, Value>>>,
    max_hops: Option<u32>,
    key_id: Option<String>,
}

impl Grant {
    /// At least one scope, each covered by what is held.
    #[must_use]
    pub fn new<S: Into<String>>(scope: impl IntoIterator<Item = S>) -> Self {
        let scope = scope.into_iter().map(Into::into).collect();
        Self { scope, ttl: DEFAULT_LINK_LIFETIME, audience: Vec::new(), details: None, max_hops: None, key_id: None }
    }

    /// Whole seconds up to an hour, and never longer than what is held. Default: 5 minutes.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// The APIs. Default: those of what is held.
    #[must_use]
    pub fn audience<S: Into<String>>(mut self, audience: impl IntoIterator<Item = S>) -> Self {
        self.audience = audience.into_iter().map(Into::into).collect();
        self
    }

    /// Limits to single resources and actions (RFC 9396). Default: those of what is held.
    #[must_use]
    pub fn authorization_details(mut self, details: impl IntoIterator<Item = Map<String, Value>>) -> Self {
        self.details = Some(details.into_iter().collect());
        self
    }

    /// How often it may be handed on from there; 0 forbids it. Default: as often as what is held allows.
    #[must_use]
    pub fn max_hops(mut self, max_hops: u32) -> Self {
        self.max_hops = Some(max_hops);
        self
    }

    /// The thumbprint of the one key of the delegate that may use it.
    #[must_use]
    pub fn key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
}

#[derive(Serialize)]
struct LinkPayload<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: Value,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_details: Option<&'a [Map<String, Value>]>,
    iat: i64,
    exp: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pth: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_hops: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

#[derive(Serialize)]
struct Confirmation<'a> {
    jkt: &'a str,
}

/// Hands on less than is held, with a link of this id.
pub fn delegate_from(rules: &Rules, held: &Credentials, delegate: &str, grant: &Grant, id: &str) -> Result<Bundle, Error> {
    let link = signed_link(rules, held, delegate, grant, id).map_err(|why| {
        let message = format!("Not delegated: {}.", quote(&why, QUOTE_LIMIT));
        Error::new(Code::DelegationImpossible, message)
    })?;
    let links: Vec<String> = held.links.iter().cloned().chain([link]).collect();
    Ok(Bundle { token: held.token.clone(), links: Arc::from(links) })
}

fn signed_link(rules: &Rules, held: &Credentials, delegate: &str, grant: &Grant, id: &str) -> Result<String, Problem> {
    let parent = held.links.last().map(String::as_str).or(held.token.as_deref());
    let above = match parent {
        Some(jwt) if is_compact_jws(jwt) => payload_of(jwt),
        None => Some(Map::new()),
        Some(_) => None,
    };
    let above = above.ok_or("the token is not a JWT, so that no link can follow it: ask its issuer to exchange it")?;
    let mut payload = new_link(rules, &above, delegate, grant, id)?;
    payload.pth = parent.map(hash_of);
    let members = serde_json::to_value(&payload).ok().and_then(|value| value.as_object().cloned());
    let link = read_link(&members.ok_or("it cannot be written as JSON")?)?;
    check_laws(held, link, rules.key.thumbprint())?;
    sign_jwt(&rules.key, Some(LINK_TYPE), &payload).ok_or_else(|| "it cannot be written as JSON".to_owned())
}

fn new_link<'a>(
    rules: &'a Rules,
    above: &Map<String, Value>,
    delegate: &'a str,
    grant: &'a Grant,
    id: &'a str,
) -> Result<LinkPayload<'a>, Problem> {
    require(!grant.scope.iter().any(|scope| scope.contains(' ')), "the scope must be a list of single scopes")?;
    let aud = match grant.audience.as_slice() {
        [] => above.get("aud").cloned(),
        [one] => Some(one.as_str().into()),
        many => Some(many.into()),
    };
    if let Some(name) = grant.details.as_deref().and_then(unknown_member) {
        return Err(format!("unknown member of authorization_details: {name}"));
    }
    let is_whole = grant.ttl.subsec_nanos() == 0;
    let is_right = is_whole && (Duration::from_secs(1)..=MAX_LINK_LIFETIME).contains(&grant.ttl);
    require(is_right, "its TTL must be whole seconds, from 1 to 3600")?;
    let now = rules.now();
    let mut exp = now.saturating_add_unsigned(grant.ttl.as_secs());
    if let Some(expiry) = above.get("exp").and_then(Value::as_f64) {
        #[expect(clippy::cast_possible_truncation, reason = "it is bounded")]
        let expiry = expiry.clamp(0.0, MAX_SAFE_INTEGER) as i64;
        exp = exp.min(expiry);
    }
    require(exp > now, "what this agent was given has expired")?;
    Ok(LinkPayload {
        iss: &rules.agent_id,
        sub: delegate,
        aud: aud.ok_or("say for which API, like .audience([\"https://api.acme.dev\"])")?,
        scope: grant.scope.join(" "),
        authorization_details: grant.details.as_deref(),
        iat: now,
        exp,
        jti: id,
        pth: None,
        max_hops: grant.max_hops,
        cnf: grant.key_id.as_deref().map(|jkt| Confirmation { jkt }),
    })
}

/// Applies the laws of delegation as an API does. It alone verifies signatures and knows capabilities.
fn check_laws(held: &Credentials, link: Claims, key_id: &str) -> Result<(), Problem> {
    let mut chain = Vec::new();
    for text in held.links.iter() {
        chain.push(read_link(&payload_of(text).unwrap_or_default())?);
    }
    let delegate = link.subject.clone();
    chain.push(link);
    let mut parent = None;
    let mut members = Vec::new();
    if let Some(token) = &held.token {
        let token = read_token(&payload_of(token).unwrap_or_default())?;
        if !token.actors.is_empty() {
            members.push(token.subject.clone());
            // The token may name the agent in a namespace of its issuer, which only the API knows.
            members.extend(token.actors.iter().skip(1).rev().cloned());
        }
        let is_bound = held.links.is_empty() && token.key_id.as_deref().is_some_and(|bound| bound != key_id);
        require(!is_bound, "the token is bound to another key than the one that uses it")?;
        parent = Some(token);
    }
    members.extend(chain.first().map(|first| first.issuer.clone()));
    for mut child in chain {
        members.push(child.subject.clone());
        if let Some(parent) = &parent {
            narrow(parent, &mut child)?;
        }
        parent = Some(child);
    }
    require(
        members.len() - 1 <= MAX_DELEGATION_DEPTH,
        "there are more delegations between subject and actor than any API accepts",
    )?;
    let count = members.len();
    members.sort_unstable();
    members.dedup();
    require(members.len() == count, &format!("an agent appears twice in the chain: {delegate}"))
}

/// Checks a child, and gives it the limits that it inherits.
fn narrow(parent: &Claims, child: &mut Claims) -> Result<(), Problem> {
    require(parent.max_hops != Some(0), "what is held forbids to hand it on")?;
    if let (Some(hops), Some(wanted)) = (parent.max_hops, child.max_hops) {
        require(wanted < hops, "max_hops allows more than what is held")?;
    }
    for wanted in &child.scope {
        let is_held = parent.unlimited || scope_covers(&parent.scope, wanted);
        require(is_held, &format!("the scope '{wanted}' is not covered by what this agent was given"))?;
    }
    require(child.expires <= parent.expires, "it would expire after what is held")?;
    let is_same_audience = child.audience.iter().all(|one| parent.audience.contains(one));
    require(is_same_audience, "it has an audience that what is held does not have")?;
    if let (Some(wanted), Some(limits)) = (&child.details, &parent.details) {
        require(are_narrower(wanted, limits), "the authorization_details do not lie within those of what is held")?;
    }
    child.max_hops = child.max_hops.or(parent.max_hops.map(|hops| hops - 1));
    if child.details.is_none() {
        child.details.clone_from(&parent.details);
    }
    Ok(())
}
