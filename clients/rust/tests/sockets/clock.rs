//! How far an API or an authority may correct the clock of an agent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::{Agent, TokenRequest};
use serde_json::{Value, json};

use crate::recording::{Recorder, problem, says};
use crate::world::{agent_at, builder};

const MONTH: u64 = 2_592_000;

/// The answer of a server whose clock is ahead of that of this machine.
fn clock_ahead(seconds: u64, code: &str) -> String {
    let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds));
    problem(401, code, &[("Date", &date)])
}

/// By how many seconds a time is ahead of the clock of this machine, rounded to 100.
fn ahead_of_now(time: i64) -> i64 {
    let now = UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    (time - i64::try_from(now).expect("a time") + 50).div_euclid(100) * 100
}

fn signed_ahead(server: &Recorder) -> Vec<i64> {
    let created = |input: &str| {
        let created = input.split("created=").nth(1).and_then(|rest| rest.split(';').next()).expect("created");
        ahead_of_now(created.parse().expect("a time"))
    };
    server.requests().iter().map(|one| created(one.header("signature-input").expect("a signature"))).collect()
}

async fn call(agent: &Agent, server: &Recorder) {
    agent.client().expect("a client").get(&server.url).send().await.expect("an answer").text().await.expect("a body");
}

#[tokio::test]
async fn a_wrong_clock_is_corrected_for_the_api() {
    let server = Recorder::start([clock_ahead(0, "signature_expired")]);
    let late = builder(&server.url, "runner").clock(|| SystemTime::now() - Duration::from_secs(200)).build().expect("an agent");
    call(&late, &server).await;
    call(&late, &server).await;
    assert_eq!(signed_ahead(&server), [-200, 0, 0]);
    let server = Recorder::start([clock_ahead(0, "signature_not_yet_valid")]);
    let early = builder(&server.url, "runner").clock(|| SystemTime::now() + Duration::from_secs(3600)).build().expect("an agent");
    call(&early, &server).await;
    assert_eq!(signed_ahead(&server), [3600, 0]);
}

#[tokio::test]
async fn nothing_is_signed_for_a_time_far_ahead() {
    let server = Recorder::start([clock_ahead(MONTH, "signature_not_yet_valid")]);
    let client = agent_at(&server.url, "runner").client().expect("a client");
    let response = client.get(&server.url).send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), signed_ahead(&server)), (401, vec![0]));
    // What was read ahead is there.
    assert_eq!(response.text().await.expect("a body"), r#"{"code":"signature_not_yet_valid"}"#);
}

#[tokio::test]
async fn a_clock_by_which_nothing_was_accepted_is_forgotten() {
    for then in [clock_ahead(100, "signature_expired"), problem(503, "shutting_down", &[])] {
        let server = Recorder::start([clock_ahead(200, "signature_expired"), then]);
        let agent = agent_at(&server.url, "runner");
        call(&agent, &server).await;
        call(&agent, &server).await;
        assert_eq!(signed_ahead(&server), [0, 200, 0]);
    }
}

#[tokio::test]
async fn an_assertion_is_for_now() {
    for (seconds, expected) in [(MONTH, vec![0, 0]), (200, vec![0, 200, 0, 200])] {
        let authority = Recorder::start([]);
        let metadata = json!({ "issuer": authority.url, "token_endpoint": format!("{}/token", authority.url) });
        authority.then([says(200, &[], &metadata.to_string())]);
        authority.then(std::iter::repeat_n(clock_ahead(seconds, "invalid_client"), 4));
        let agent = builder(&authority.url, "runner").authority(&authority.url).build().expect("an agent");
        for _ in 0..2 {
            agent.act_for("a-token", TokenRequest::new()).await.expect_err("no token");
        }
        let issued_at = |body: &[u8]| {
            let (_, jwt) = form_urlencoded::parse(body).find(|(name, _)| name == "client_assertion").expect("an assertion");
            let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).expect("a payload")).expect("base64url");
            let claims: Value = serde_json::from_slice(&payload).expect("JSON");
            ahead_of_now(claims["iat"].as_i64().expect("a time"))
        };
        let issued: Vec<_> = authority.requests()[1..].iter().map(|one| issued_at(&one.body)).collect();
        assert_eq!(issued, expected);
    }
}
