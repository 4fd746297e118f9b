use countersign::{Agent, Bundle, Key};
use serde_json::Value;

use crate::world::{agent_at, key_named, user_at};

#[tokio::test]
async fn secrets_do_not_print() {
    let key = key_named("runner");
    let jwk: Value = serde_json::from_str(&key.export_jwk()).expect("a JWK");
    let agent = agent_at("https://api.acme.dev", "runner").with_token("secret-token").expect("a token");
    let bundle = Bundle::from_json(r#"{"version":1,"token":"secret.a.b","links":["secret.link.b"]}"#).expect("a bundle");
    let signed = agent.sign(http::Request::get("https://api.acme.dev/").body("").expect("a request")).await.expect("signed");
    let shown = [format!("{key:?} {key:#?}"), format!("{agent:?}"), format!("{bundle:?}"), format!("{signed:?}")];
    for text in &shown {
        assert!(!text.contains("secret") && !text.contains(jwk["d"].as_str().expect("a key")), "{text}");
    }
    assert!(shown[0].contains(key.thumbprint()) && shown[1].contains("agent-test-runner"));
    // No error repeats what was given.
    let error = "hush-this-is-no-key".parse::<Key>().expect_err("no key");
    assert!(!format!("{error} {error:?}").contains("hush"));
}

#[test]
fn agents_are_sent_between_threads() {
    const fn is_sent<T: Send + Sync + Clone + 'static>(_: &T) {}
    let agent: Agent = user_at("https://api.acme.dev");
    is_sent(&agent);
    is_sent(&key_named("runner"));
}
