use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::address::Address;
use crate::bundle::Bundle;
use crate::delegate::{Grant, delegate_from};
use crate::encoding::uuid;
use crate::error::Error;
use crate::key::Key;
use crate::sign::{Credentials, Rules, Signed, Unsigned, is_covered_name};
use crate::text::{QUOTE_LIMIT, is_compact_jws, is_identifier, is_token, quote};
use crate::wire::{DEFAULT_LIFETIME, DEFAULT_MAX_BODY_BYTES, MAX_LIFETIME};

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
        AgentBuilder {
            id: id.into(),
            key,
            origins: Vec::new(),
            lifetime: DEFAULT_LIFETIME,
            cover: Vec::new(),
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            clock: Arc::new(SystemTime::now),
            dangerously_allow_http: false,
            #[cfg(feature = "reqwest")]
            authority: None,
            #[cfg(feature = "reqwest")]
            authority_client: None,
        }
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

/// The options of an [`Agent`].
#[must_use]
pub struct AgentBuilder {
    id: String,
    key: Key,
    origins: Vec<String>,
    lifetime: Duration,
    cover: Vec<String>,
    max_body_bytes: usize,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    dangerously_allow_http: bool,
    #[cfg(feature = "reqwest")]
    authority: Option<String>,
    #[cfg(feature = "reqwest")]
    authority_client: Option<reqwest::ClientBuilder>,
}

impl AgentBuilder {
    /// Adds an API, like `https://api.acme.dev`. Nothing is signed for any other.
    pub fn origin(mut self, origin: impl Into<String>) -> Self {
        self.origins.push(origin.into());
        self
    }

    /// The time until a signature expires: whole seconds up to 5 minutes. Default: 1 minute.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Adds a header field to cover when present, in lower case.
    pub fn cover(mut self, name: impl Into<String>) -> Self {
        self.cover.push(name.into());
        self
    }

    /// Limits a body: it is held in memory, since its digest is sent before it. Default: 16 MiB.
    pub fn max_body_bytes(mut self, max_body_bytes: usize) -> Self {
        self.max_body_bytes = max_body_bytes;
        self
    }

    /// Gives the time. Default: [`SystemTime::now`].
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sends credentials over plain http to other hosts than loopback.
    pub fn dangerously_allow_http(mut self) -> Self {
        self.dangerously_allow_http = true;
        self
    }

    /// The name of the authority that gives tokens to the agent.
    #[cfg(feature = "reqwest")]
    pub fn authority(mut self, issuer: impl Into<String>) -> Self {
        self.authority = Some(issuer.into());
        self
    }

    /// Calls the authority, if its certificate is of a private CA, or through a proxy. It follows no redirect.
    #[cfg(feature = "reqwest")]
    pub fn authority_client(mut self, client: reqwest::ClientBuilder) -> Self {
        self.authority_client = Some(client);
        self
    }

    /// Makes the agent.
    ///
    /// # Errors
    ///
    /// [`Code::ConfigInvalid`](crate::Code::ConfigInvalid), if an option is wrong.
    pub fn build(self) -> Result<Agent, Error> {
        if !is_identifier(&self.id) {
            return Err(Error::config("The id must be 1 to 256 visible characters in NFC."));
        }
        let is_range = (Duration::from_secs(1)..=MAX_LIFETIME).contains(&self.lifetime);
        if !is_range || self.lifetime.subsec_nanos() != 0 {
            return Err(Error::config("The lifetime must be whole seconds, from 1 to 300."));
        }
        if !self.cover.iter().all(|name| is_covered_name(name)) {
            return Err(Error::config("What to cover must be names of header fields in lower case."));
        }
        let rules = Arc::new(Rules {
            agent_id: self.id,
            key: self.key,
            origins: read_origins(&self.origins)?,
            lifetime: self.lifetime,
            cover: self.cover,
            max_body_bytes: self.max_body_bytes,
            clock: self.clock,
            dangerously_allow_http: self.dangerously_allow_http,
        });
        #[cfg(feature = "reqwest")]
        let authority = match self.authority {
            Some(issuer) => {
                let client = self.authority_client.unwrap_or_default();
                Some(Arc::new(crate::client::Authority::new(issuer, rules.clone(), client)?))
            }
            None => None,
        };
        Ok(Agent {
            rules,
            held: Held::Fixed(Credentials::default()),
            offsets: Arc::default(),
            #[cfg(feature = "reqwest")]
            authority,
        })
    }
}

fn read_origins(origins: &[String]) -> Result<BTreeSet<String>, Error> {
    if origins.is_empty() {
        return Err(Error::config("Name the APIs, like .origin(\"https://api.acme.dev\")."));
    }
    let read = |origin: &String| {
        let shown = quote(origin, QUOTE_LIMIT);
        let to = Address::read(origin).map_err(|_| Error::config(format!("The origin {shown} is no http(s) URL.")))?;
        if to.target() != "/" {
            return Err(Error::config(format!("The origin {shown} has a path. Write scheme and host only.")));
        }
        Ok(to.origin())
    };
    origins.iter().map(read).collect()
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
