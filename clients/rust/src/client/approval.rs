use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::agent::Agent;
use crate::client::authority::{Answer, Authority, Parameters};
use crate::encoding::to_base64;
use crate::error::{Code, Error};
use crate::refusal::Refusal;
use crate::text::{QUOTE_LIMIT, is_compact_jws, quote};

const DETAILS_TYPE: &str = "countersign_approval";
/// More is not shown to people, who then see a digest only.
const MAX_SHOWN_UNITS: usize = 262_144;
const DEFAULT_INTERVAL: Duration = Duration::from_secs(2);
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
const MAX_URI_SHOWN: usize = 2048;

/// What people see besides the request itself.
#[derive(Clone, Default)]
#[must_use]
pub struct Question {
    body: Vec<u8>,
    arguments: Option<Map<String, Value>>,
    why: String,
}

impl Question {
    /// A question that shows nothing but the request.
    pub fn new() -> Self {
        Self::default()
    }

    /// The body of the request, so that people see it and not only its digest.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The arguments of a tool call of MCP, for the same.
    pub fn arguments(mut self, arguments: Map<String, Value>) -> Self {
        self.arguments = Some(arguments);
        self
    }

    /// Why the agent asks, in its own words.
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why = why.into();
        self
    }

    fn shown(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        let (name, text) = match str::from_utf8(&self.body) {
            Ok(text) => ("text", text.to_owned()),
            Err(_) => ("base64", to_base64(&self.body)),
        };
        if !text.is_empty() && text.encode_utf16().count() <= MAX_SHOWN_UNITS {
            shown.insert(name.to_owned(), text.into());
        }
        if let Some(arguments) = &self.arguments {
            shown.insert("arguments".to_owned(), arguments.clone().into());
        }
        if !self.why.is_empty() {
            shown.insert("why".to_owned(), self.why.as_str().into());
        }
        shown
    }
}

/// A question that waits for people.
#[derive(Clone)]
pub struct PendingApproval {
    id: String,
    uri: String,
    expires_in: Duration,
    interval: Duration,
    authority: Arc<Authority>,
}

impl Agent {
    /// Asks people at the authority for what an API refused with `approval_required`. Then repeat the same request with
    /// [`Agent::with_approval`].
    ///
    /// ```no_run
    /// # use countersign::{Agent, Question, Refusal};
    /// # async fn ask(agent: Agent, refusal: Refusal, body: Vec<u8>) -> Result<(), countersign::Error> {
    /// let pending = agent.ask_approval(&refusal, &Question::new().body(body).why("The tests are green.")).await?;
    /// println!("People decide at {}", pending.uri());
    /// let approved = agent.with_approval(pending.wait().await?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Code::ApprovalImpossible`], [`Code::ApprovalRefused`] or [`Code::AuthorityUnavailable`].
    pub async fn ask_approval(&self, refusal: &Refusal, question: &Question) -> Result<PendingApproval, Error> {
        let authority = self.authority()?;
        let impossible = |message: &str| Error::new(Code::ApprovalImpossible, message);
        let needed = refusal.approval.as_ref().ok_or_else(|| impossible("The refusal does not ask for an approval."))?;
        if !needed.issuers.contains(&authority.issuer) {
            return Err(impossible("The API takes no approvals of the authority of this agent."));
        }
        let actor = needed.request.pointer("/actor/id").and_then(Value::as_str);
        if actor != Some(self.id()) || needed.sent.as_ref().is_some_and(|sent| !sent.is(&needed.request)) {
            return Err(impossible("The API wants people to approve another request than the one that was sent."));
        }
        let mut details = json!({ "type": DETAILS_TYPE, "binding": needed.binding, "request": needed.request });
        let shown = question.shown();
        if let Some(details) = details.as_object_mut().filter(|_| !shown.is_empty()) {
            details.insert("shown".to_owned(), shown.into());
        }
        let got = authority.approval("", vec![("authorization_details", json!([details]).to_string())]).await?;
        let (Some(id), Some(uri)) = (got.text("approval_id"), got.text("approval_uri")) else {
            return Err(authority.unavailable("it answered with something that is no question"));
        };
        Ok(PendingApproval {
            id: id.to_owned(),
            uri: quote(uri, MAX_URI_SHOWN),
            expires_in: seconds_of(got.member("expires_in")).unwrap_or_default(),
            interval: seconds_of(got.member("interval")).unwrap_or(DEFAULT_INTERVAL).clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL),
            authority: authority.clone(),
        })
    }
}

impl PendingApproval {
    /// By which the log finds it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The page where people decide.
    #[must_use]
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The time within which they must.
    #[must_use]
    pub const fn expires_in(&self) -> Duration {
        self.expires_in
    }

    /// The approval; None while people decide.
    ///
    /// # Errors
    ///
    /// [`Code::ApprovalDenied`], [`Code::ApprovalExpired`], [`Code::ApprovalWithdrawn`] or
    /// [`Code::AuthorityUnavailable`].
    pub async fn poll(&self) -> Result<Option<String>, Error> {
        let got = self.authority.approval("/poll", vec![("approval_id", self.id.clone())]).await?;
        let status = got.text("status").unwrap_or_default();
        let code = match (status, got.text("approval").filter(|approval| is_compact_jws(approval))) {
            ("approved", Some(approval)) => return Ok(Some(approval.to_owned())),
            ("pending", _) => return Ok(None),
            ("denied", _) => Code::ApprovalDenied,
            ("expired", _) => Code::ApprovalExpired,
            ("withdrawn", _) => Code::ApprovalWithdrawn,
            _ => return Err(self.authority.unavailable("it answered with something that is no approval")),
        };
        let reason = got.text("reason").map(|reason| format!(": {}", quote(reason, QUOTE_LIMIT))).unwrap_or_default();
        Err(Error::new(code, format!("No approval: {status}{reason}.")))
    }

    /// The approval, once people have decided. If the future is dropped, the question goes on;
    /// [`PendingApproval::withdraw`] ends it.
    ///
    /// # Errors
    ///
    /// Those of [`PendingApproval::poll`].
    pub async fn wait(&self) -> Result<String, Error> {
        loop {
            if let Some(approval) = self.poll().await? {
                return Ok(approval);
            }
            tokio::time::sleep(self.interval).await;
        }
    }

    /// Takes the question back, unless it was decided. An approval that was given counts until it ends: only
    /// `countersign revoke delegation ID` of whoever runs the API ends it.
    ///
    /// # Errors
    ///
    /// [`Code::ApprovalRefused`] or [`Code::AuthorityUnavailable`].
    pub async fn withdraw(&self) -> Result<(), Error> {
        self.authority.approval("/withdraw", vec![("approval_id", self.id.clone())]).await.map(drop)
    }
}

/// Shows the page.
impl fmt::Debug for PendingApproval {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PendingApproval({})", self.uri)
    }
}

impl Authority {
    /// Asks the approval endpoint, or a path below it.
    async fn approval(&self, path: &str, parameters: Parameters) -> Result<Answer, Error> {
        let got = self.post_form("approval_endpoint", path, parameters).await?;
        if got.status == 200 {
            return Ok(got);
        }
        let why = self.why(&got)?;
        Err(Error::new(Code::ApprovalRefused, format!("{} takes no such question: {why}.", self.issuer)))
    }
}

fn seconds_of(value: Option<&Value>) -> Option<Duration> {
    let seconds = value?.as_f64().filter(|seconds| (0.0..=1e9).contains(seconds))?;
    Some(Duration::from_secs_f64(seconds))
}
