use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use reqwest::{Body, Request, Response, StatusCode};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};

use crate::address::Address;
use crate::agent::Agent;
use crate::client::anew::{Anew, Attempts, MAX_SHORT_REFUSAL, decide, refuse_redirect};
use crate::client::body::peek;
use crate::client::sent::Sent;
use crate::error::Error;
use crate::refusal::{Refusal, is_problem};
use crate::request::{fields_of, headers_of};
use crate::sign::{Unsigned, malformed, too_large};

const MAX_PROBLEM_BYTES: usize = 65_536;

impl Agent {
    /// A client of reqwest that signs each request, and follows no redirect.
    ///
    /// ```no_run
    /// # async fn call(agent: countersign::Agent) -> Result<(), Box<dyn std::error::Error>> {
    /// let client = agent.client()?;
    /// let response = client.get("https://api.acme.dev/repos/acme/api").send().await?;
    /// let text = countersign::check(response).await?.text().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A body is read into memory. A request is signed anew and sent again if the API was restarted (up to three times) or
    /// its clock differs (once). An error of this crate is within that of the client: find it with [`Error::find`].
    ///
    /// # Errors
    ///
    /// [`Code::ConfigInvalid`](crate::Code::ConfigInvalid), if reqwest makes no client.
    pub fn client(&self) -> Result<ClientWithMiddleware, Error> {
        self.client_with(reqwest::Client::builder(), [])
    }

    /// Like [`Agent::client`], with time-outs, proxies or certificates of the program, and around it other middleware.
    ///
    /// Default headers of the builder are added after signing: set those that a signature covers on each request.
    ///
    /// # Errors
    ///
    /// [`Code::ConfigInvalid`](crate::Code::ConfigInvalid), if reqwest makes no client of the builder.
    pub fn client_with(
        &self,
        client: reqwest::ClientBuilder,
        around: impl IntoIterator<Item = Arc<dyn Middleware>>,
    ) -> Result<ClientWithMiddleware, Error> {
        let client = client.redirect(reqwest::redirect::Policy::none()).retry(reqwest::retry::never()).build();
        let client = client.map_err(|error| Error::config("The client of reqwest cannot be built.").caused(error))?;
        // The last that changes a request.
        let signing: Arc<dyn Middleware> = Arc::new(Signing(self.clone()));
        Ok(ClientWithMiddleware::new(client, around.into_iter().chain([signing]).collect::<Vec<_>>()))
    }

    async fn send(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let body = self.read_body(&mut request).await?;
        let fields = fields_of(request.headers()).map_err(failed)?;
        let (method, url) = (request.method().as_str().to_owned(), request.url().to_string());
        let to = Address::read(&url).map_err(failed)?;
        let origin = to.origin();
        let mut attempts = Attempts::new(self.offsets.of(&origin));
        loop {
            let held = self.credentials().await.map_err(failed)?;
            let unsigned = Unsigned { method: &method, url: &url, fields: fields.clone(), body: &body };
            let signed = self.rules.sign(&held, unsigned, attempts.ahead_ms, None).map_err(failed)?;
            let mut copy = request.try_clone().ok_or_else(|| failed(malformed("The request cannot be repeated.")))?;
            *copy.headers_mut() = headers_of(signed.fields).map_err(failed)?;
            let response = next.clone().run(copy, extensions).await?;
            refuse_redirect(response.status(), response.headers(), &origin).map_err(failed)?;
            // Only a success proves the correction right, for later calls too.
            if attempts.is_corrected && response.status().is_success() {
                self.offsets.learn(origin.clone(), attempts.ahead_ms);
            }
            let (mut response, anew) = self.anew(response, &to, attempts.ahead_ms).await;
            let Some(wait) = anew.and_then(|anew| attempts.count(&anew)) else {
                response.extensions_mut().insert(Sent::new(&method, &to, fields, &body));
                return Ok(response);
            };
            drop(response);
            tokio::time::sleep(wait).await;
        }
    }

    async fn read_body(&self, request: &mut Request) -> reqwest_middleware::Result<Bytes> {
        let limit = self.rules.max_body_bytes;
        let given = request.body_mut().take();
        let is_given = given.is_some();
        let body = match given.map(|body| Limited::new(body, limit).collect()) {
            None => Bytes::new(),
            Some(collected) => match collected.await {
                Ok(collected) => collected.to_bytes(),
                Err(error) if error.is::<LengthLimitError>() => return Err(failed(too_large(limit))),
                Err(error) => return Err(failed(malformed("The body cannot be read.").caused(error))),
            },
        };
        if is_given {
            *request.body_mut() = Some(Body::from(body.clone()));
        }
        let length = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .map(|length| length.to_str().ok().and_then(|length| length.parse().ok()));
        if length.is_some_and(|length| length != Some(body.len())) {
            return Err(failed(malformed("The body has another length than Content-Length.")));
        }
        Ok(body)
    }

    /// Reads a short refusal, which may ask for a new signature, and puts it back.
    async fn anew(&self, response: Response, to: &Address, ahead_ms: i64) -> (Response, Option<Anew>) {
        let status = response.status();
        let may_ask = matches!(status, StatusCode::UNAUTHORIZED | StatusCode::SERVICE_UNAVAILABLE);
        let is_short = response.content_length().is_some_and(|length| length <= MAX_SHORT_REFUSAL as u64);
        if !may_ask || !is_short || !is_problem(response.headers()) {
            return (response, None);
        }
        let (response, body) = peek(response, MAX_SHORT_REFUSAL).await;
        let now_ms = self.rules.now_ms();
        let anew = body.and_then(|body| decide(status, response.headers(), &body, to, now_ms, ahead_ms));
        (response, anew)
    }
}

fn failed(error: Error) -> reqwest_middleware::Error {
    reqwest_middleware::Error::middleware(error)
}

struct Signing(Agent);

#[async_trait::async_trait]
impl Middleware for Signing {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.0.send(request, extensions, next).await
    }
}

/// Gives the answer, unless it is a refusal of a guard.
///
/// # Errors
///
/// The [`Refusal`] that the answer states.
pub async fn check(response: Response) -> Result<Response, Refusal> {
    if response.status().as_u16() < 400 || !is_problem(response.headers()) {
        return Ok(response);
    }
    let (response, body) = peek(response, MAX_PROBLEM_BYTES).await;
    let Some(mut refusal) = body.and_then(|body| Refusal::read(response.status(), response.headers(), &body)) else {
        return Ok(response);
    };
    if let Some(approval) = &mut refusal.approval {
        approval.sent = response.extensions().get().cloned();
    }
    Err(refusal)
}
