use std::time::Duration;

use countersign::{Agent, Code, Question, Refusal};
use reqwest::Method;
use serde_json::{Value, json};

use crate::authority::issuers;
use crate::hosts::{call, on_each_host};
use crate::world::{Program, builder, code_of, free_port, host_config, id_of, key_named, start_host};

const BODY: &[u8] = br#"{"force":true}"#;

async fn merge(agent: &Agent, url: &str, body: &[u8]) -> Option<Refusal> {
    call(agent, Method::POST, url, "application/json", body).await.err()
}

fn decide(people: &mut Program, verdict: &str) {
    let said = people.ask(&json!({ "verdict": verdict, "reason": "Not\u{9b} today" }));
    assert_eq!(said["decided"], 1);
}

async fn people_approve(name: &str) {
    let port = free_port();
    let api = format!("http://127.0.0.1:{port}");
    let runner = id_of("runner");
    let jwk: Value = serde_json::from_str(&key_named("runner").public_jwk()).expect("a JWK");
    let agents = json!([{ "id": runner, "jwk": jwk, "capabilities": ["repo:read"] }]);
    let mut people = Program::start("test/clients/authority.mjs", &[json!({ "audience": api, "agents": agents }).to_string()]);
    let mut config = host_config();
    config["approvals"] = json!({ "issuers": issuers(&people.text("/issuer")) });
    config["policies"] =
        r#"@id("merges") @approval("release-managers") permit(principal, action == Action::"pr.merge", resource);"#.into();
    let _host = start_host(name, config, port);
    let agent = builder(&api, "runner").authority(people.text("/issuer")).build().expect("an agent");
    let url = format!("{api}/repos/acme/api/merge");
    approved_runs_once(&agent, &mut people, &url).await;
    denied_and_withdrawn(&agent, &mut people, &url).await;
}

on_each_host!(people_approve);

async fn approved_runs_once(agent: &Agent, people: &mut Program, url: &str) {
    let refusal = merge(agent, url, BODY).await.expect("a refusal");
    let question = Question::new().body(BODY).why("The tests are green.");
    let pending = agent.ask_approval(&refusal, &question).await.expect("a question");
    assert!(pending.uri().starts_with("http") && !pending.id().is_empty() && !pending.expires_in().is_zero());
    assert_eq!(pending.poll().await.expect("no decision"), None);
    decide(people, "approve");
    let approval = pending.wait().await.expect("an approval");
    let approved = agent.with_approval(approval).expect("an approval");
    // For another body it is worth nothing, and is not used up.
    for (body, code) in [(&b"{}"[..], Some("approval_mismatch")), (BODY, None), (BODY, Some("approval_used"))] {
        let refusal = merge(&approved, url, body).await;
        assert_eq!(refusal.as_ref().map(|refusal| refusal.code.as_str()), code);
    }
}

async fn denied_and_withdrawn(agent: &Agent, people: &mut Program, url: &str) {
    let needed = merge(agent, url, BODY).await.expect("a refusal");
    let question = Question::new().body(BODY);
    let pending = agent.ask_approval(&needed, &question).await.expect("a question");
    assert!(tokio::time::timeout(Duration::from_millis(50), pending.wait()).await.is_err());
    decide(people, "deny");
    let error = pending.wait().await.expect_err("a denial");
    assert_eq!(error.code(), Code::ApprovalDenied);
    let text = error.to_string();
    assert!(text.contains("today") && !text.contains('\u{9b}'), "{text}");
    let another = agent.ask_approval(&needed, &Question::new().body("another")).await;
    assert_eq!(code_of(another), Some(Code::ApprovalRefused));
    let withdrawn = agent.ask_approval(&needed, &question).await.expect("a question");
    withdrawn.withdraw().await.expect("withdrawn");
    assert_eq!(code_of(withdrawn.poll().await), Some(Code::ApprovalWithdrawn));
}
