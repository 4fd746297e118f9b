//! The vectors of approvals, with servers of the test in place of those that they name.

use std::collections::BTreeMap;

use countersign::{Agent, Code, Question, Refusal, check};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::recording::{Recorder, says};
use crate::world::{builder, from_base64, vectors};

#[derive(Deserialize)]
struct File {
    asked: Vec<Case>,
    refused: Vec<Case>,
    polls: Vec<Poll>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    agent: String,
    sent: Sent,
    answer: Answer,
    question: Words,
    #[serde(default)]
    details: Value,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
struct Sent {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    body: String,
}

#[derive(Deserialize)]
struct Words {
    body: Option<String>,
    arguments: Option<Map<String, Value>>,
    why: Option<String>,
}

#[derive(Deserialize)]
struct Poll {
    name: String,
    status: u16,
    answer: Value,
    outcome: String,
    approval: Option<String>,
}

/// The API and the authority of a case.
struct Servers {
    api: Recorder,
    authority: Recorder,
}

impl Servers {
    fn start() -> Self {
        let authority = Recorder::start([]);
        let metadata = json!({ "issuer": authority.url, "approval_endpoint": format!("{}/approval", authority.url) });
        let question = json!({ "approval_id": "an-id", "approval_uri": "https://id.acme.dev", "expires_in": 60, "interval": 1 });
        authority.then([metadata, question].map(|answer| says(200, &[], &answer.to_string())));
        Self { api: Recorder::start([]), authority }
    }

    /// A text of the vectors, with these servers.
    fn here(&self, text: &str) -> String {
        let host = self.api.url.trim_start_matches("http://");
        let text = text.replace("https://api.acme.dev", &self.api.url).replace("https://id.acme.dev", &self.authority.url);
        text.replace("\"api.acme.dev\"", &format!("\"{host}\""))
    }

    fn agent(&self, name: &str) -> Agent {
        builder(&self.api.url, name).authority(&self.authority.url).build().expect("an agent")
    }

    async fn refusal(&self, agent: &Agent, one: &Case) -> Refusal {
        self.api.then([says(403, &[("Content-Type", "application/problem+json")], &self.here(&one.answer.body))]);
        let mut request =
            agent.client().expect("a client").request(one.sent.method.parse().expect("a method"), self.here(&one.sent.url));
        for (name, value) in &one.sent.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &one.sent.body {
            request = request.body(from_base64(body));
        }
        check(request.send().await.expect("an answer")).await.expect_err("a refusal")
    }
}

impl Words {
    fn question(&self) -> Question {
        let mut question = Question::new().body(self.body.as_deref().map(from_base64).unwrap_or_default());
        if let Some(arguments) = &self.arguments {
            question = question.arguments(arguments.clone());
        }
        question.why(self.why.clone().unwrap_or_default())
    }
}

fn file() -> File {
    serde_json::from_value(vectors("approvals")).expect("the vectors")
}

#[tokio::test]
async fn people_are_asked_as_in_the_vectors() {
    for one in file().asked {
        let servers = Servers::start();
        let agent = servers.agent(&one.agent);
        let refusal = servers.refusal(&agent, &one).await;
        agent.ask_approval(&refusal, &one.question.question()).await.expect(&one.name);
        let form = servers.authority.requests().pop().expect("a question").body;
        let details = form_urlencoded::parse(&form).find(|(name, _)| name == "authorization_details").expect("details").1;
        let expected = json!([one.details]).to_string();
        assert_eq!(
            serde_json::from_str::<Value>(&details).ok(),
            serde_json::from_str(&servers.here(&expected)).ok(),
            "{}",
            one.name
        );
    }
}

#[tokio::test]
async fn nobody_is_asked_about_what_was_not_sent() {
    for one in file().refused {
        let servers = Servers::start();
        let agent = servers.agent(&one.agent);
        let refusal = servers.refusal(&agent, &one).await;
        let error = agent.ask_approval(&refusal, &one.question.question()).await.expect_err(&one.name);
        assert_eq!(error.code().as_str(), one.code, "{}", one.name);
        assert!(servers.authority.requests().is_empty(), "{}", one.name);
    }
}

#[tokio::test]
async fn what_became_of_a_question_is_read() {
    let file = file();
    let first = &file.asked[0];
    for one in file.polls {
        let servers = Servers::start();
        let agent = servers.agent(&first.agent);
        let refusal = servers.refusal(&agent, first).await;
        let pending = agent.ask_approval(&refusal, &first.question.question()).await.expect("a question");
        servers.authority.then([says(one.status, &[], &one.answer.to_string())]);
        let code = match one.outcome.as_str() {
            "denied" => Code::ApprovalDenied,
            "expired" => Code::ApprovalExpired,
            "withdrawn" => Code::ApprovalWithdrawn,
            "refused" => Code::ApprovalRefused,
            "unavailable" => Code::AuthorityUnavailable,
            _ => {
                assert_eq!(pending.poll().await.expect("no error"), one.approval, "{}", one.name);
                continue;
            }
        };
        assert_eq!(pending.poll().await.expect_err(&one.name).code(), code, "{}", one.name);
    }
}
