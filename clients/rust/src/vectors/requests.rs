use std::collections::BTreeMap;

use http::Request;
use serde::Deserialize;

use super::{agent_named, builder_named, bytes_of, code_named, code_of, vectors};
use crate::address::Address;
use crate::encoding::{sha256, to_base64};
use crate::request::sign_request;
use crate::sign::{Credentials, Field, Signed, Unsigned, signature_base};
use crate::{Agent, Code};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct RequestVector {
    name: String,
    key: String,
    method: String,
    url: String,
    authority: String,
    headers: Vec<(String, String)>,
    body: String,
    token: Option<String>,
    links: Vec<String>,
    cover: Vec<String>,
    origins: Vec<String>,
    nonce: String,
    created: u64,
    max_body_bytes: Option<usize>,
    code: String,
    expected: Expected,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Expected {
    target: String,
    headers: Vec<(String, String)>,
    signature_base: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    requests: Vec<RequestVector>,
}

#[derive(Deserialize)]
struct RefusedFile {
    requests: Vec<RequestVector>,
    targets: Vec<String>,
    tokens: Tokens,
}

#[derive(Deserialize)]
struct Tokens {
    accepted: Vec<String>,
    refused: Vec<String>,
}

impl RequestVector {
    fn held(&self) -> Credentials {
        Credentials { token: self.token.as_deref().map(Into::into), links: self.links.clone().into(), approval: None }
    }

    fn unsigned<'a>(&'a self, body: &'a [u8]) -> Unsigned<'a> {
        Unsigned { method: &self.method, url: &self.url, fields: fields_of(&self.headers), body }
    }

    /// None if the types of the crate `http` cannot hold it.
    fn request(&self) -> Option<Request<Vec<u8>>> {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.url);
        for field in fields_of(&self.headers) {
            request = request.header(field.name, field.value);
        }
        request.body(bytes_of(&self.body)).ok()
    }
}

/// Characters of the vectors stand for bytes. One beyond a byte is sent as UTF-8 here, and a control character is refused.
fn fields_of(headers: &[(String, String)]) -> Vec<Field> {
    let value = |text: &str| text.chars().map(|char| u8::try_from(char).unwrap_or(0x7f)).collect::<Vec<u8>>();
    headers.iter().map(|(name, text)| Field::new(name, value(text))).collect()
}

#[test]
fn requests_are_signed_as_in_the_vectors() {
    for one in vectors::<File>("requests").requests {
        let mut builder = builder_named(&one.key, one.created);
        for name in &one.cover {
            builder = builder.cover(name);
        }
        let origin = Address::read(&one.url).expect("a URL").origin();
        let agent = builder.origin(origin).build().expect("an agent");
        let body = bytes_of(&one.body);
        let made = agent.rules.sign(&one.held(), one.unsigned(&body), 0, Some(&one.nonce)).expect(&one.name);
        assert_eq!(made.address.target(), one.expected.target, "{}", one.name);
        assert_eq!(made.address.authority, one.authority, "{}", one.name);
        assert_eq!(made.fields, fields_of(&one.expected.headers), "{}", one.name);
        assert_eq!(base_of(&one.method, &made), one.expected.signature_base.join("\n"), "{}", one.name);
        same_on_the_wire(&agent, &one);
    }
}

fn base_of(method: &str, made: &Signed) -> String {
    let input = &made.fields[made.fields.len() - 2].value;
    let input = str::from_utf8(input).expect("ASCII").strip_prefix("sig=").expect("the label");
    let list = input.split_once(')').expect("a list").0.trim_start_matches('(').replace('"', "");
    let covered: Vec<String> = list.split(' ').skip(4).map(str::to_owned).collect();
    signature_base(method, &made.address, &made.fields, &covered, input).expect("a base")
}

/// Checks that the crate `http` holds the same target, authority and fields.
fn same_on_the_wire(agent: &Agent, one: &RequestVector) {
    let sent = sign_request(agent, &one.held(), one.request().expect("a request")).expect("signed");
    assert_eq!(sent.uri().path_and_query().map(http::uri::PathAndQuery::as_str), Some(one.expected.target.as_str()));
    assert_eq!(sent.uri().authority().map(http::uri::Authority::as_str), Some(one.authority.as_str()));
    let mut expected = BTreeMap::<String, usize>::new();
    for (name, _) in &one.expected.headers {
        *expected.entry(name.to_ascii_lowercase()).or_default() += 1;
    }
    let names = sent.headers().keys().map(|name| (name.to_string(), sent.headers().get_all(name).iter().count()));
    assert_eq!(names.collect::<BTreeMap<_, _>>(), expected, "{}", one.name);
}

#[test]
fn requests_that_must_not_be_signed_are_refused() {
    for one in vectors::<RefusedFile>("refused-requests").requests {
        let mut builder = builder_named("runner", 1_764_000_000);
        for origin in &one.origins {
            builder = builder.origin(origin);
        }
        for name in &one.cover {
            builder = builder.cover(name);
        }
        let agent = builder.max_body_bytes(one.max_body_bytes.unwrap_or(1024)).build().expect("an agent");
        let body = bytes_of(&one.body);
        let is_expected = code_named(&one.code);
        assert!(is_expected(code_of(agent.rules.sign(&one.held(), one.unsigned(&body), 0, None))), "{}", one.name);
        if let Some(request) = one.request() {
            assert!(is_expected(code_of(sign_request(&agent, &one.held(), request))), "{}", one.name);
        }
    }
}

#[test]
fn unsafe_targets_are_not_signed() {
    for target in vectors::<RefusedFile>("refused-requests").targets {
        let url = format!("https://api.acme.dev{target}");
        let unsigned = Unsigned { method: "GET", url: &url, fields: Vec::new(), body: b"" };
        let signed = agent_named("runner", 0).rules.sign(&Credentials::default(), unsigned, 0, None);
        assert_eq!(code_of(signed), Some(Code::UrlUnsupported), "{target}");
    }
}

#[test]
fn tokens_are_told_by_their_characters() {
    let agent = agent_named("runner", 0);
    let tokens = vectors::<RefusedFile>("refused-requests").tokens;
    for token in tokens.accepted {
        assert!(agent.with_token(&token).is_ok(), "{token}");
    }
    for token in tokens.refused {
        assert_eq!(code_of(agent.with_token(&token)), Some(Code::ConfigInvalid), "{token}");
    }
}

#[test]
fn digests_are_those_of_the_vectors() {
    #[derive(Deserialize)]
    struct DigestVector {
        body: String,
        #[serde(rename = "sha-256")]
        sha256: String,
    }
    #[derive(Deserialize)]
    struct File {
        digests: Vec<DigestVector>,
    }
    for one in vectors::<File>("digests").digests {
        assert_eq!(format!("sha-256=:{}:", to_base64(&sha256(&bytes_of(&one.body)))), one.sha256);
    }
}

#[test]
fn options_must_be_right() {
    let builder = || builder_named("runner", 0).origin("https://api.acme.dev");
    let seconds = std::time::Duration::from_secs;
    let wrong = [
        Agent::builder("", crate::Key::generate()).origin("https://api.acme.dev"),
        builder_named("runner", 0),
        builder().origin("https://api.acme.dev/a"),
        builder().origin("api.acme.dev"),
        builder().lifetime(seconds(0)),
        builder().lifetime(seconds(301)),
        builder().lifetime(std::time::Duration::from_millis(1500)),
        builder().cover("X-Note"),
        builder().cover("a b"),
    ];
    for (at, builder) in wrong.into_iter().enumerate() {
        assert_eq!(code_of(builder.build()), Some(Code::ConfigInvalid), "{at}");
    }
    assert!(builder().lifetime(seconds(300)).cover("x-note").build().is_ok());
    assert_eq!(code_of(agent_named("runner", 0).with_approval("a.b")), Some(Code::ConfigInvalid));
}
