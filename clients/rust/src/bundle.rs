use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::claims::read_link;
use crate::encoding::{sha256, to_base64url};
use crate::error::{Code, Error};
use crate::json::parse_object;
use crate::jwt::payload_of;
use crate::sign::{Credentials, Rules};
use crate::text::is_compact_jws;
use crate::wire::{MAX_DELEGATION_DEPTH, MAX_TOKEN_LENGTH};

/// Everything that a delegate needs to act. Its JSON is the same in every language.
///
/// It is useless without the key of the delegate, but shows who works for whom: send it over TLS.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    pub(crate) token: Option<Arc<str>>,
    pub(crate) links: Arc<[String]>,
}

impl Bundle {
    /// Reads the JSON of a bundle.
    ///
    /// # Errors
    ///
    /// [`Code::BundleInvalid`], if it is no bundle.
    pub fn from_json(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let members = parse_object(text.as_ref()).ok_or_else(|| bad_bundle("it is not a JSON object"))?;
        if members.keys().any(|name| !["version", "token", "links"].contains(&name.as_str())) {
            return Err(bad_bundle("it has a member that is none of version, token and links"));
        }
        if members.get("version").and_then(Value::as_f64) != Some(1.0) {
            return Err(bad_bundle("it is not of version 1"));
        }
        let jwt = |value: &Value| {
            value.as_str().filter(|text| text.len() <= MAX_TOKEN_LENGTH && is_compact_jws(text)).map(str::to_owned)
        };
        let token = match members.get("token") {
            None => None,
            Some(token) => Some(Arc::from(jwt(token).ok_or_else(|| bad_bundle("its token is not a JWT"))?)),
        };
        let list = members.get("links").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let links: Option<Vec<String>> = list.iter().map(jwt).collect();
        let links = links.filter(|links| (1..=MAX_DELEGATION_DEPTH).contains(&links.len()));
        Ok(Self { token, links: links.ok_or_else(|| bad_bundle("it must hold 1 to 16 links"))?.into() })
    }

    /// The JSON of the bundle, for [`Bundle::from_json`] or any other client.
    #[must_use]
    pub fn to_json(&self) -> String {
        let links = &self.links[..];
        match &self.token {
            Some(token) => json!({ "version": 1, "token": token.as_ref(), "links": links }),
            None => json!({ "version": 1, "links": links }),
        }
        .to_string()
    }

    /// The access token that the chain begins with.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The delegations, first to last.
    #[must_use]
    pub fn links(&self) -> &[String] {
        &self.links
    }

    /// Checks what a delegate can check: that each link follows, expires later, and that the last is for it.
    pub(crate) fn open(&self, rules: &Rules) -> Result<Credentials, Error> {
        let now = rules.now();
        #[expect(clippy::cast_precision_loss, reason = "seconds are exact for millions of years")]
        let is_over = |expiry: f64| expiry <= now as f64;
        let token_expiry = self.token().and_then(payload_of).and_then(|payload| payload.get("exp")?.as_f64());
        if token_expiry.is_some_and(is_over) {
            return Err(bad_bundle("the token in it has expired"));
        }
        let mut parent = self.token();
        let mut holder: Option<String> = None;
        let mut key_id = None;
        for text in self.links() {
            let payload = payload_of(text).ok_or_else(|| bad_bundle("a link cannot be read"))?;
            let link = read_link(&payload).map_err(|why| bad_bundle(&format!("a link cannot be read: {why}")))?;
            if link.parent_hash != parent.map(hash_of) || holder.is_some_and(|holder| holder != link.issuer) {
                return Err(bad_bundle("a link does not follow from what is before it"));
            }
            if link.expires <= now {
                return Err(bad_bundle("a link in it has expired"));
            }
            (parent, holder, key_id) = (Some(text.as_str()), Some(link.subject), link.key_id);
        }
        if holder.as_ref() != Some(&rules.agent_id) {
            return Err(bad_bundle("it is for another agent"));
        }
        if key_id.is_some_and(|key_id| key_id != rules.key.thumbprint()) {
            return Err(bad_bundle("it is for another key of this agent"));
        }
        Ok(Credentials { token: self.token.clone(), links: self.links.clone(), approval: None })
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bundle({} links)", self.links.len())
    }
}

/// The claim `pth`: the base64url SHA-256 of a token or link, as sent.
pub fn hash_of(jwt: &str) -> String {
    to_base64url(&sha256(jwt.as_bytes()))
}

fn bad_bundle(why: &str) -> Error {
    Error::new(Code::BundleInvalid, format!("This bundle cannot be accepted: {why}."))
}
