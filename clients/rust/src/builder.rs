use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::address::Address;
use crate::agent::{Agent, Held};
use crate::error::Error;
use crate::key::Key;
use crate::sign::{Credentials, Rules, is_covered_name};
use crate::text::{QUOTE_LIMIT, is_identifier, quote};
use crate::wire::{DEFAULT_LIFETIME, DEFAULT_MAX_BODY_BYTES, MAX_LIFETIME};

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
    pub(crate) fn new(id: String, key: Key) -> Self {
        Self {
            id,
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
