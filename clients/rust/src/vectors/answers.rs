use std::time::Duration;

use http::{HeaderMap, HeaderName, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{agent_named, code_named, code_of, vectors};
use crate::Refusal;
use crate::address::Address;
use crate::advice::{OTHER, advice_on};
use crate::client::Authority;
use crate::client::vectors::{Anew, decide, refuse_redirect, sign_challenge};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct AnswerVector {
    name: String,
    code: String,
    title: String,
    body: String,
    url: String,
    status: u16,
    headers: Map<String, Value>,
    wait_seconds: Option<u64>,
    signed_at: i64,
    sign_anew: bool,
    ahead: Option<i64>,
}

impl AnswerVector {
    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).expect("a status")
    }

    fn headers(&self) -> HeaderMap {
        let field = |(name, value): (&String, &Value)| {
            let value = value.as_str().expect("text").parse().expect("a value");
            (name.parse::<HeaderName>().expect("a name"), value)
        };
        self.headers.iter().map(field).collect()
    }

    fn decide(&self, url: &str) -> Option<Anew> {
        let to = Address::read(url).expect("a URL");
        decide(self.status(), &self.headers(), self.body.as_bytes(), &to, self.signed_at * 1000, 0)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    refusals: Vec<AnswerVector>,
    replay_unknown: Vec<AnswerVector>,
    clock: Vec<AnswerVector>,
    redirects: Vec<AnswerVector>,
}

#[test]
fn refusals_are_read() {
    for one in vectors::<File>("answers").refusals {
        let refusal = Refusal::read(one.status(), &one.headers(), one.body.as_bytes()).expect(&one.code);
        assert_eq!((refusal.code, refusal.status, refusal.title), (one.code.clone(), one.status, one.title));
        // Every code has advice of its own.
        assert_ne!(advice_on(&one.code), OTHER, "{}", one.code);
    }
}

#[test]
fn requests_are_signed_anew_as_in_the_vectors() {
    let file = vectors::<File>("answers");
    for one in file.replay_unknown {
        let expected = one.wait_seconds.map(|seconds| Anew::Restart(Duration::from_secs(seconds)));
        assert_eq!(one.decide("https://api.acme.dev/"), expected, "{}", one.name);
    }
    for one in file.clock {
        let expected = one.sign_anew.then(|| Anew::Clock(one.ahead.unwrap_or_default() * 1000));
        assert_eq!(one.decide(&one.url), expected, "{}", one.name);
    }
    for one in file.redirects {
        let refused = refuse_redirect(one.status(), &one.headers(), "https://api.acme.dev");
        assert!(code_named(&one.code)(code_of(refused)), "{}", one.status);
    }
}

#[derive(Deserialize)]
struct AssertionVector {
    key: String,
    issuer: String,
    now: i64,
    jti: String,
    jwt: String,
}

#[derive(Deserialize)]
struct ChallengeVector {
    key: String,
    message: String,
    request: Map<String, Value>,
}

#[test]
fn an_agent_proves_itself_to_an_authority() {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct File {
        assertions: Vec<AssertionVector>,
        challenges: Vec<ChallengeVector>,
        refused_messages: Vec<String>,
    }
    let file = vectors::<File>("authority");
    for one in file.assertions {
        let rules = agent_named(&one.key, 0).rules;
        let authority = Authority::new(one.issuer, rules, reqwest::Client::builder()).expect("an authority");
        assert_eq!(authority.assertion(one.now, &one.jti), one.jwt);
    }
    for one in file.challenges {
        assert_eq!(sign_challenge(&agent_named(&one.key, 0).rules, &one.message).ok(), Some(one.request));
    }
    for message in file.refused_messages {
        let signed = sign_challenge(&agent_named("orchestrator", 0).rules, &message);
        assert!(code_named("request_malformed")(code_of(signed)), "{message}");
    }
}
