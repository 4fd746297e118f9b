use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{agent_named, builder_named, code_named, code_of, key_named, vectors};
use crate::claims::read_link;
use crate::delegate::delegate_from;
use crate::json::entries;
use crate::jwt::payload_of;
use crate::sign::Credentials;
use crate::{Agent, Bundle, Code, Grant};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkVector {
    name: String,
    delegator: String,
    delegate: String,
    token: Option<String>,
    links: Vec<String>,
    now: u64,
    #[serde(default)]
    jti: String,
    options: Options,
    #[serde(default)]
    link: String,
    #[serde(default)]
    code: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    scope: Vec<String>,
    ttl_seconds: Option<f64>,
    audience: Option<Value>,
    authorization_details: Option<Vec<Map<String, Value>>>,
    max_hops: Option<f64>,
    key_id: Option<String>,
}

#[derive(Deserialize)]
struct File {
    links: Vec<LinkVector>,
    refused: Vec<LinkVector>,
}

impl LinkVector {
    /// None for what the types of Rust cannot say, like half a hop.
    fn grant(&self) -> Option<Grant> {
        let options = &self.options;
        let mut grant = Grant::new(options.scope.clone());
        if let Some(audience) = &options.audience {
            grant = grant.audience(entries(audience).iter().filter_map(Value::as_str));
        }
        if let Some(details) = &options.authorization_details {
            grant = grant.authorization_details(details.clone());
        }
        if let Some(hops) = options.max_hops {
            let whole = (0..16).find(|whole| f64::from(*whole).to_bits() == hops.to_bits())?;
            grant = grant.max_hops(whole);
        }
        if let Some(key_id) = &options.key_id {
            grant = grant.key_id(key_id);
        }
        Some(match options.ttl_seconds {
            Some(seconds) => grant.ttl(Duration::from_secs_f64(seconds)),
            None => grant,
        })
    }

    fn holder(&self) -> Agent {
        agent_named(&self.delegator, self.now)
    }

    fn held(&self) -> Credentials {
        Credentials { token: self.token.as_deref().map(Into::into), links: self.links.clone().into(), approval: None }
    }
}

#[test]
fn links_are_those_of_the_vectors() {
    for one in vectors::<File>("links").links {
        let grant = one.grant().expect("a grant");
        let bundle = delegate_from(&one.holder().rules, &one.held(), &one.delegate, &grant, &one.jti).expect(&one.name);
        let last = bundle.links().last().expect("a link");
        assert_eq!(payload_of(last), payload_of(&one.link), "{}", one.name);
        assert_eq!(last.split('.').next(), one.link.split('.').next(), "{}", one.name);
        // The members of details are in the order of their names.
        assert!(one.options.authorization_details.is_some() || *last == one.link, "{}", one.name);
        assert_eq!(bundle.token(), one.token.as_deref());
        assert_eq!(bundle.links()[..one.links.len()], one.links);
    }
}

#[test]
fn links_that_must_not_be_signed_are_refused() {
    let mut unsaid = Vec::new();
    for one in vectors::<File>("links").refused {
        let Some(grant) = one.grant() else {
            unsaid.push(one.name);
            continue;
        };
        let made = delegate_from(&one.holder().rules, &one.held(), &one.delegate, &grant, "an-id");
        assert!(code_named(&one.code)(code_of(made)), "{}", one.name);
    }
    assert_eq!(unsaid, ["a part of a hop"]);
}

#[test]
fn a_link_with_an_unknown_claim_is_not_read() {
    let link = vectors::<File>("links").links.remove(0).link;
    let mut payload = payload_of(&link).expect("a payload");
    assert!(read_link(&payload).is_ok());
    payload.insert("extra".to_owned(), 1.into());
    assert!(read_link(&payload).is_err());
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BundleVector {
    name: String,
    recipient: String,
    recipient_key: Option<String>,
    now: u64,
    bundle: Value,
    accepted: bool,
}

#[test]
fn bundles_are_accepted_as_in_the_vectors() {
    #[derive(Deserialize)]
    struct File {
        bundles: Vec<BundleVector>,
    }
    for one in vectors::<File>("bundles").bundles {
        let mut agent = agent_named(&one.recipient, one.now);
        if let Some(key) = &one.recipient_key {
            let other = Agent::builder(agent.id(), key_named(key)).origin("https://api.acme.dev");
            agent = other.clock(move || std::time::UNIX_EPOCH + Duration::from_secs(one.now)).build().expect("an agent");
        }
        let opened = Bundle::from_json(one.bundle.to_string()).and_then(|bundle| agent.accept(&bundle).map(|_| bundle));
        match opened {
            Ok(bundle) => {
                assert!(one.accepted, "{}", one.name);
                assert_eq!(serde_json::from_str::<Value>(&bundle.to_json()).ok(), Some(one.bundle));
            }
            Err(error) => assert_eq!((one.accepted, error.code()), (false, Code::BundleInvalid), "{}", one.name),
        }
    }
}

#[test]
fn a_bundle_is_read_strictly() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"version":1,"links":[]}"#,
        r#"{"version":1,"version":1,"links":["a.b.c"]}"#,
        r#"{"version":1,"links":["a.b"]}"#,
    ] {
        assert_eq!(code_of(Bundle::from_json(text)), Some(Code::BundleInvalid), "{text}");
    }
    assert!(builder_named("runner", 0).build().is_err());
}
