//! Each host of the conformance suite, over sockets.

use std::time::{Duration, SystemTime};

use countersign::{Agent, Bundle, Grant, Key, Refusal, check};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{agent_at, builder, host_config, start_host, user_at};

/// One test for each host.
macro_rules! on_each_host {
    ($test:path) => {
        crate::hosts::on_each_host!($test, node_http "node-http", express4 "express4", express5 "express5",
            fastify5 "fastify5", koa2 "koa2", koa3 "koa3");
    };
    ($test:path, $($name:ident $host:literal),*) => {
        $(#[tokio::test]
        async fn $name() {
            $test($host).await;
        })*
    };
}
pub(crate) use on_each_host;

/// The answer as JSON, or the refusal.
pub async fn call(agent: &Agent, method: Method, url: &str, content_type: &str, body: &[u8]) -> Result<Value, Refusal> {
    let client = agent.client().expect("a client");
    let mut request = client.request(method, url);
    if !content_type.is_empty() {
        request = request.header("Content-Type", content_type).body(body.to_vec());
    }
    let response = check(request.send().await.expect("an answer")).await?;
    let text = response.text().await.expect("a body");
    Ok(serde_json::from_str(&text).unwrap_or_default())
}

pub async fn get(agent: &Agent, url: &str) -> Value {
    call(agent, Method::GET, url, "", b"").await.expect("no refusal")
}

async fn every_call(name: &str) {
    let host = start_host(name, host_config(), 0);
    let api = host.text("/url");
    direct(&api).await;
    for_a_user_with_a_body(&api).await;
    with_links(&api).await;
    refusals(&api).await;
    a_replay(&api).await;
    a_wrong_clock(&api).await;
}

on_each_host!(every_call);

async fn direct(api: &str) {
    let agent = agent_at(api, "orchestrator");
    let said = get(&agent, &format!("{api}/whoami?a=1")).await;
    assert_eq!(said["actor"]["id"], agent.id());
}

async fn for_a_user_with_a_body(api: &str) {
    let body = json!({ "title": "Grüße", "draft": true }).to_string();
    let pulls = format!("{api}/repos/acme/api/pulls");
    let said = call(&user_at(api), Method::POST, &pulls, "application/json", body.as_bytes()).await.expect("no refusal");
    assert_eq!((&said["subject"]["id"], &said["body"]["title"]), (&json!("user_123"), &json!("Grüße")));
    let large = b"\x00\xffgo\r\n".repeat(300_000);
    let agent = agent_at(api, "orchestrator");
    let upload = format!("{api}/upload");
    let said = call(&agent, Method::PUT, &upload, "application/octet-stream", &large).await.expect("no refusal");
    assert_eq!(said["bytes"], large.len());
}

async fn with_links(api: &str) {
    let (orchestrator, runner) = (agent_at(api, "orchestrator"), agent_at(api, "runner"));
    let grant = Grant::new(["invoice:read"]).ttl(Duration::from_secs(60));
    let bundle = user_at(api).delegate(runner.id(), &grant).await.expect("a bundle");
    let arrived = Bundle::from_json(bundle.to_json()).expect("a bundle");
    let handed = runner.accept(&arrived).expect("accepted");
    let said = get(&handed, &format!("{api}/whoami")).await;
    let chain: Vec<&Value> = said["chain"].as_array().expect("a chain").iter().map(|one| &one["id"]).collect();
    assert_eq!(chain, [&json!("user_123"), &json!(orchestrator.id()), &json!(runner.id())]);
    let bundle = orchestrator.delegate(runner.id(), &Grant::new(["repo:read"]).audience([api])).await.expect("a bundle");
    let said = get(&runner.accept(&bundle).expect("accepted"), &format!("{api}/whoami")).await;
    assert_eq!(said["subject"]["id"], orchestrator.id());
}

async fn refusals(api: &str) {
    let merge = format!("{api}/repos/acme/api/merge");
    let denied = call(&user_at(api), Method::POST, &merge, "", b"").await.expect_err("a refusal");
    assert!(denied.code == "policy_denied" && denied.is_forbidden() && !denied.is_temporary(), "{denied}");
    let stranger = Agent::builder("agent-x", Key::generate()).origin(api).build().expect("an agent");
    let unknown = call(&stranger, Method::GET, &format!("{api}/whoami"), "", b"").await.expect_err("a refusal");
    assert_eq!((unknown.code.as_str(), unknown.status), ("signature_invalid", 401));
    assert!(unknown.to_string().contains("Register the key"), "{unknown}");
}

async fn a_replay(api: &str) {
    let request = http::Request::get(format!("{api}/whoami")).body(Vec::new()).expect("a request");
    let signed = agent_at(api, "orchestrator").sign(request).await.expect("signed");
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    for code in [None, Some("signature_replayed")] {
        let copy = signed.clone().try_into().expect("a request");
        let refusal = check(client.execute(copy).await.expect("an answer")).await.err();
        assert_eq!(refusal.as_ref().map(|refusal| refusal.code.as_str()), code);
    }
}

async fn a_wrong_clock(api: &str) {
    let hour = Duration::from_secs(3600);
    let late = builder(api, "runner").clock(|| SystemTime::now() - Duration::from_secs(200));
    for wrong in [late, builder(api, "runner").clock(move || SystemTime::now() + hour)] {
        get(&wrong.build().expect("an agent"), &format!("{api}/whoami")).await;
    }
}
