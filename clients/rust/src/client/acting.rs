use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::agent::{Agent, Held};
use crate::claims::parse_scope;
use crate::client::authority::{Authority, Parameters};
use crate::client::tokens::{Get, HeldToken};
use crate::error::{Code, Error};

const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
const EXCHANGE_GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Limits the tokens that an agent asks its authority for.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct TokenRequest {
    scope: Vec<String>,
    audience: Option<String>,
    details: Option<Vec<Map<String, Value>>>,
}

impl TokenRequest {
    /// All that can be granted, for the first API of the authority.
    pub fn new() -> Self {
        Self::default()
    }

    /// At most what the tokens give.
    pub fn scope<S: Into<String>>(mut self, scope: impl IntoIterator<Item = S>) -> Self {
        self.scope = scope.into_iter().map(Into::into).collect();
        self
    }

    /// The API, as it names itself.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Limits to single resources and actions (RFC 9396). Default: those of the user's token.
    pub fn authorization_details(mut self, details: impl IntoIterator<Item = Map<String, Value>>) -> Self {
        self.details = Some(details.into_iter().collect());
        self
    }

    fn parameters(self) -> Result<Parameters, Error> {
        let mut parameters = Vec::new();
        if !self.scope.is_empty() {
            let scope = self.scope.join(" ");
            parse_scope(&scope).map_err(|why| Error::config(format!("The scope is wrong: {why}.")))?;
            parameters.push(("scope", scope));
        }
        parameters.extend(self.audience.map(|audience| ("resource", audience)));
        let details = self.details.map(|details| details.into_iter().collect::<Value>());
        parameters.extend(details.map(|details| ("authorization_details", details.to_string())));
        Ok(parameters)
    }
}

type Source = Box<dyn std::error::Error + Send + Sync>;
type Giving = Pin<Box<dyn Future<Output = Result<String, Source>> + Send>>;

/// The token of a user, for each exchange.
#[derive(Clone)]
pub struct UserToken(Arc<dyn Fn() -> Giving + Send + Sync>);

impl UserToken {
    /// Calls a function for each exchange, if the token of the user is renewed too.
    pub fn from_fn<F, E>(get: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<Source>,
    {
        Self(Arc::new(move || {
            let got = get();
            Box::pin(async { got.await.map_err(Into::into) })
        }))
    }
}

/// A token that does not change.
impl From<String> for UserToken {
    fn from(token: String) -> Self {
        Self::from_fn(move || std::future::ready(Ok::<_, Source>(token.clone())))
    }
}

/// A token that does not change.
impl From<&str> for UserToken {
    fn from(token: &str) -> Self {
        token.to_owned().into()
    }
}

impl Agent {
    /// The same agent for a user, with tokens that the authority gives in exchange for the user's (RFC 8693).
    ///
    /// The first is got now, so that a refusal shows here; later ones before the last expires.
    ///
    /// ```no_run
    /// # use countersign::{Agent, Key, TokenRequest};
    /// # async fn call(key: Key, user_token: String) -> Result<(), Box<dyn std::error::Error>> {
    /// let agent = Agent::builder("agent-reviewer", key).origin("https://api.acme.dev").authority("https://id.acme.dev").build()?;
    /// let user = agent.act_for(user_token, TokenRequest::new().scope(["repo:read"])).await?;
    /// let response = user.client()?.get("https://api.acme.dev/repos/acme/api").send().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Code::TokenRefused`] or [`Code::AuthorityUnavailable`].
    pub async fn act_for(&self, user: impl Into<UserToken>, request: TokenRequest) -> Result<Self, Error> {
        let parameters = request.parameters()?;
        let (authority, user) = (self.authority()?.clone(), user.into());
        self.renewing(Box::new(move || {
            let (authority, mut exchange, token) = (authority.clone(), parameters.clone(), user.0());
            Box::pin(async move {
                let token = token
                    .await
                    .map_err(|error| Error::new(Code::TokenRefused, "The program gave no token of the user.").caused(error))?;
                exchange.push(("grant_type", EXCHANGE_GRANT.to_owned()));
                exchange.push(("subject_token", token));
                exchange.push(("subject_token_type", ACCESS_TOKEN_TYPE.to_owned()));
                authority.token(exchange).await
            })
        }))
        .await
    }

    /// The same agent for itself, with tokens of the authority, renewed like those of [`Agent::act_for`].
    ///
    /// # Errors
    ///
    /// [`Code::TokenRefused`] or [`Code::AuthorityUnavailable`].
    pub async fn with_own_token(&self, request: TokenRequest) -> Result<Self, Error> {
        let mut parameters = request.parameters()?;
        parameters.push(("grant_type", "client_credentials".to_owned()));
        let authority = self.authority()?.clone();
        self.renewing(Box::new(move || {
            let (authority, parameters) = (authority.clone(), parameters.clone());
            Box::pin(async move { authority.token(parameters).await })
        }))
        .await
    }

    /// The same agent with a token for a signed challenge { `agent_id`, message, signature }.
    ///
    /// The message is what the application expects, like `approve-request:174325`. It counts once, so the token is not
    /// renewed. Without one, the authority makes a new challenge for each token.
    ///
    /// # Errors
    ///
    /// [`Code::TokenRefused`] or [`Code::AuthorityUnavailable`]; [`Code::RequestMalformed`], if the message is no
    /// challenge.
    pub async fn with_challenge(&self, message: Option<&str>, request: TokenRequest) -> Result<Self, Error> {
        let parameters = request.parameters()?;
        let authority = self.authority()?.clone();
        if let Some(message) = message {
            let issued = authority.challenge(Some(message.to_owned()), parameters).await?;
            return self.with_token(issued.token);
        }
        self.renewing(Box::new(move || {
            let (authority, parameters) = (authority.clone(), parameters.clone());
            Box::pin(async move { authority.challenge(None, parameters).await })
        }))
        .await
    }

    async fn renewing(&self, get: Get) -> Result<Self, Error> {
        let held = Arc::new(HeldToken::new(get, self.rules.clock.clone()));
        held.current().await?;
        Ok(Self { held: Held::Renewed(held, None), ..self.clone() })
    }

    pub(crate) fn authority(&self) -> Result<&Arc<Authority>, Error> {
        self.authority.as_ref().ok_or_else(|| Error::config("The agent has no authority. Name it with .authority(…)."))
    }
}
