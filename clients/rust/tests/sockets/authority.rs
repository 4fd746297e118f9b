use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use countersign::{Agent, Code, Grant, Key, TokenRequest, UserToken};
use serde_json::{Value, json};

use crate::hosts::{get, on_each_host};
use crate::world::{Program, code_of, free_port, host_config, id_of, registration, start_host};

pub fn issuers(issuer: &str) -> Value {
    json!([{ "issuer": issuer, "dangerouslyAllowHttp": true, "dangerouslyAllowPrivateAddresses": true }])
}

fn development_authority(api: &str, runner: &str) -> Program {
    let arguments = ["dev", "--api", api, "--agent", runner, "--scope", "repo:read invoice:read", "--listen", "127.0.0.1:0"];
    Program::start("packages/cli/bin/countersign.js", &arguments)
}

async fn every_kind_of_token(name: &str) {
    let port = free_port();
    let api = format!("http://127.0.0.1:{port}");
    let whoami = format!("{api}/whoami");
    let runner = id_of("runner");
    let dev = development_authority(&api, &runner);
    let private = &dev.started["agent"]["privateKey"];
    let key: Key = private.as_str().map_or_else(|| private.to_string(), str::to_owned).parse().expect("a key");
    let mut config = host_config();
    config["agents"] = json!([registration(&runner, &key)]);
    config["issuers"] = issuers(&dev.text("/issuer"));
    let _host = start_host(name, config, port);
    let ahead = Arc::new(AtomicU64::new(0));
    let shared = ahead.clone();
    let clock = move || SystemTime::now() + Duration::from_secs(shared.load(Ordering::SeqCst));
    let builder = Agent::builder(&runner, key).origin(&api).authority(dev.text("/issuer")).clock(clock);
    let agent = builder.build().expect("an agent");
    let token = dev.text("/user/token");
    let request = || TokenRequest::new().scope(["invoice:read"]).audience(&api);
    let user = agent.act_for(token.as_str(), request()).await.expect("a token");
    assert_eq!(get(&user, &whoami).await["subject"]["id"], "dev:alice");
    let held = || async {
        let bundle = user.delegate("agent-crawler", &Grant::new(["invoice:read"])).await.expect("a bundle");
        bundle.token().map(str::to_owned)
    };
    let before = held().await;
    // Beyond the end of the token by the clock of the agent, which is then wrong.
    ahead.store(400, Ordering::SeqCst);
    get(&user, &whoami).await;
    ahead.store(0, Ordering::SeqCst);
    assert_ne!(held().await, before);
    let own = agent.with_own_token(TokenRequest::new()).await.expect("a token");
    let challenged = agent.with_challenge(None, TokenRequest::new().scope(["repo:read"])).await.expect("a token");
    for itself in [own, challenged] {
        assert_eq!(get(&itself, &whoami).await["subject"]["id"], runner);
    }
    let refused = agent.act_for(token, TokenRequest::new().scope(["admin"])).await;
    assert_eq!(code_of(refused), Some(Code::TokenRefused));
    let broken = UserToken::from_fn(|| async { Err::<String, _>("the session is over") });
    let error = agent.act_for(broken, request()).await.expect_err("no token");
    assert_eq!(error.code(), Code::TokenRefused);
    let source = std::error::Error::source(&error).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("the session is over"));
    let malformed = agent.with_challenge(Some("Approve:1"), TokenRequest::new()).await;
    assert_eq!(code_of(malformed), Some(Code::RequestMalformed));
    let unknown = agent.with_challenge(Some("approve-request:174325"), TokenRequest::new()).await;
    assert_eq!(code_of(unknown), Some(Code::TokenRefused));
    let wrong = agent.act_for("a", TokenRequest::new().scope(["repo::read"])).await;
    assert_eq!(code_of(wrong), Some(Code::ConfigInvalid));
}

on_each_host!(every_kind_of_token);
