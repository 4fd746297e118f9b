//! An authority that cannot be used, or is none.

use countersign::{Agent, Code, Question, Refusal, TokenRequest};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use crate::recording::{Recorder, says};
use crate::world::{agent_at, builder, code_of};

const API: &str = "https://api.acme.dev";

fn agent_of(issuer: &str) -> Agent {
    builder(API, "runner").authority(issuer).build().expect("an agent")
}

fn metadata(issuer: &str, endpoint: &str) -> String {
    let metadata = json!({ "issuer": issuer, "token_endpoint": endpoint, "approval_endpoint": endpoint });
    says(200, &[], &metadata.to_string())
}

#[tokio::test]
async fn an_authority_that_fails_is_told_from_one_that_refuses() {
    let server = Recorder::start([]);
    let good = metadata(&server.url, &format!("{}/token", server.url));
    let long = format!("{}{{}}", " ".repeat(70_000));
    for (status, body, code) in [
        (500, r#"{"error":"server_error"}"#, Code::AuthorityUnavailable),
        (429, r#"{"error":"slow_down"}"#, Code::AuthorityUnavailable),
        (200, r#"{"access_token":"a\nb","expires_in":60}"#, Code::AuthorityUnavailable),
        (200, r#"{"access_token":"a","expires_in":-1}"#, Code::AuthorityUnavailable),
        (200, long.as_str(), Code::AuthorityUnavailable),
        (400, r#"{"error":"invalid_grant","error_description":"no\u001b"}"#, Code::TokenRefused),
    ] {
        server.then([good.clone(), says(status, &[], body)]);
        let error = agent_of(&server.url).with_own_token(TokenRequest::new()).await.expect_err("no token");
        assert_eq!(error.code(), code, "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
    let down = agent_of("http://127.0.0.1:1").with_own_token(TokenRequest::new()).await;
    assert_eq!(code_of(down), Some(Code::AuthorityUnavailable));
}

#[tokio::test]
async fn no_assertion_goes_to_another_server() {
    let (server, other) = (Recorder::start([]), Recorder::start([]));
    let good = metadata(&server.url, &format!("{}/token", server.url));
    server.then([good, says(307, &[("Location", &other.url)], "")]);
    for answers in [
        vec![],
        vec![metadata(&other.url, &other.url)],
        vec![metadata(&server.url, "http://id.acme.dev/token")],
        vec![says(404, &[], ""), says(404, &[], "")],
    ] {
        server.then(answers);
        let refused = agent_of(&server.url).with_own_token(TokenRequest::new()).await;
        assert_eq!(code_of(refused), Some(Code::AuthorityUnavailable));
    }
    assert!(other.requests().is_empty());
    let sent: Vec<_> = server.requests().into_iter().filter(|one| one.method == "POST").collect();
    assert_eq!(sent.len(), 1);
}

#[tokio::test]
async fn an_authority_has_a_name_of_its_own() {
    for issuer in ["id.acme.dev", "http://id.acme.dev", "https://id.acme.dev?a", "https://id.acme.dev#a"] {
        assert_eq!(code_of(builder(API, "runner").authority(issuer).build()), Some(Code::ConfigInvalid), "{issuer}");
    }
    let without = agent_at(API, "runner").with_own_token(TokenRequest::new()).await;
    assert_eq!(code_of(without), Some(Code::ConfigInvalid));
}

#[tokio::test]
async fn an_approval_of_another_authority_is_not_asked_for() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", "application/problem+json".parse().expect("a value"));
    let read = |body: &str| Refusal::read(StatusCode::FORBIDDEN, &headers, body.as_bytes()).expect("a refusal");
    let server = Recorder::start([]);
    for body in [r#"{"code":"approval_required","approval":{"issuers":["https://id.acme.dev"]}}"#, r#"{"code":"policy_denied"}"#]
    {
        let asked = agent_of(&server.url).ask_approval(&read(body), &Question::new()).await;
        assert_eq!(code_of(asked), Some(Code::ApprovalImpossible));
    }
    let page = read(r#"{"code":"approval_required","approval":{"url":"https://api.acme.dev/ask"}}"#);
    assert_eq!(page.approval.and_then(|needed| needed.url).as_deref(), Some("https://api.acme.dev/ask"));
    for wrong in ["javascript:alert(1)", "https://app.acme.dev/#\\u001b[2J", "https://"] {
        let body = format!(r#"{{"code":"approval_required","approval":{{"url":"{wrong}"}}}}"#);
        assert_eq!(read(&body).approval.expect("what is needed").url, None, "{wrong}");
    }
    assert!(server.requests().is_empty());
}
