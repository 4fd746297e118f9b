use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::Address;
use crate::builder::AgentBuilder;
use crate::bundle::Bundle;
use crate::delegate::{Grant, delegate_from};
use crate::encoding::uuid;
use crate::error::Error;
use crate::key::Key;
use crate::sign::{Credentials, Rules, Signed, Unsigned};
use crate::text::{is_compact_jws, is_token};

/// An agent with an identity of its own: it signs requests, for itself or for the user or agent that it works for.
///
/// It is cheap to clone. Its methods that begin with `with_`, [`Agent::accept`] and `act_for` give the same agent with
/// other credentials.
#[derive(Clone)]
pub struct Agent {
    pub(crate) rules: Arc<Rules>,
    pub(crate) held: Held,
    pub(crate) offsets: Arc<ClockOffsets>,
    #[cfg(feature = "reqwest")]
    pub(crate) authority: Option<Arc<crate::client::Authority>>,
}

/// With what an agent acts at the moment.
#[derive(Clone)]
pub enum Held {
    Fixed(Credentials),
    #[cfg(feature = "reqwest")]
    Renewed(Arc<crate::client::HeldToken>, Option<Arc<str>>),
}

impl Agent {
    /// Begins an agent that has this id at the APIs, and this key.
    pub fn builder(id: impl Into<String>, key: Key) -> AgentBuilder {
        AgentBuilder::new(id.into(), key)
    }

    /// The id under which APIs know the agent.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.rules.agent_id
    }

    /// The thumbprint of the key of the agent.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.rules.key.thumbprint()
    }

    /// The same agent with an access token, which is added to each request and covered.
    ///
    /// # Errors
    ///
    /// [`Code::ConfigInvalid`](crate::Code::ConfigInvalid), if it is no token.
    pub fn with_token(&self, token: impl AsRef<str>) -> Result<Self, Error> {
        if !is_token(token.as_ref()) {
            return Err(Error::config("This is not an access token (RFC 6750 allows letters, digits and -._~+/ only)."));
        }
        Ok(self.holding(Credentials { token: Some(token.as_ref().into()), ..Credentials::default() }))
    }

    /// The same agent with what another agent handed on to it.
    ///
    /// # Errors
    ///
    /// [`Code::BundleInvalid`](crate::Code::BundleInvalid), if the bundle is not for this agent and key, malformed, or
    /// expired.
    pub fn accept(&self, bundle: &Bundle) -> Result<Self, Error> {
        Ok(self.holding(bundle.open(&self.rules)?))
    }

    /// The same with an approval, for the one request that people approved: the same target, body and user.
    ///
    /// # Errors
    ///
    /// [`Code::ConfigInvalid`](crate::Code::ConfigInvalid), if it is no approval.
    pub fn with_approval(&self, approval: impl AsRef<str>) -> Result<Self, Error> {
        if !is_compact_jws(approval.as_ref()) {
            return Err(Error::config("This is not an approval: it is no JWT."));
        }
        let approval = Some(approval.as_ref().into());
        let held = match &self.held {
            Held::Fixed(held) => Held::Fixed(Credentials { approval, ..held.clone() }),
            #[cfg(feature = "reqwest")]
            Held::Renewed(token, _) => Held::Renewed(token.clone(), approval),
        };
        Ok(Self { held, ..self.clone() })
    }

    /// Hands on less than the agent holds to another agent, offline.
    ///
    /// # Errors
    ///
    /// [`Code::DelegationImpossible`](crate::Code::DelegationImpossible), if an API would refuse it; then nothing was
    /// signed. If the token must be renewed first, also the errors of the authority.
    pub async fn delegate(&self, delegate: &str, grant: &Grant) -> Result<Bundle, Error> {
        delegate_from(&self.rules, &self.credentials().await?, delegate, grant, &uuid())
    }

    /// A signed request, to be sent once and as it is, for HTTP clients other than reqwest.
    ///
    /// Send it with a client that follows no redirect, and repeats nothing by itself. Without an authority, the future is
    /// ready at once.
    ///
    /// # Errors
    ///
    /// The codes of requests in [`Code`](crate::Code). If the token must be renewed first, also the errors of the
    /// authority.
    pub async fn sign<B: AsRef<[u8]>>(&self, request: http::Request<B>) -> Result<http::Request<B>, Error> {
        let held = self.credentials().await?;
        crate::request::sign_request(self, &held, request)
    }

    /// Signs with the clock that the API of the URL has, as far as it is known.
    pub(crate) fn sign_with(&self, held: &Credentials, request: Unsigned<'_>) -> Result<Signed, Error> {
        let ahead_ms = Address::read(request.url).map_or(0, |to| self.offsets.of(&to.origin()));
        self.rules.sign(held, request, ahead_ms, None)
    }

    pub(crate) fn holding(&self, credentials: Credentials) -> Self {
        Self { held: Held::Fixed(credentials), ..self.clone() }
    }

    #[cfg_attr(not(feature = "reqwest"), expect(clippy::unused_async, reason = "a token may have to be renewed"))]
    pub(crate) async fn credentials(&self) -> Result<Credentials, Error> {
        match &self.held {
            Held::Fixed(held) => Ok(held.clone()),
            #[cfg(feature = "reqwest")]
            Held::Renewed(token, approval) => {
                let token = Some(token.current().await?);
                Ok(Credentials { token, approval: approval.clone(), ..Credentials::default() })
            }
        }
    }
}

/// Shows the id: an agent holds credentials.
impl fmt::Debug for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Agent({})", self.rules.agent_id)
    }
}

/// By how much the clock of each API is ahead of ours, in milliseconds.
#[derive(Default)]
pub struct ClockOffsets {
    ahead: Mutex<BTreeMap<String, i64>>,
}

impl ClockOffsets {
    pub fn of(&self, origin: &str) -> i64 {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).get(origin).copied().unwrap_or_default()
    }

    #[cfg(feature = "reqwest")]
    pub fn learn(&self, origin: String, ahead_ms: i64) {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).insert(origin, ahead_ms);
    }
}
