//! Whatever request this client can build is one that a guard verifies: thousands of them in one batch.

use std::time::{Duration, UNIX_EPOCH};

use countersign::{Agent, Code};
use http::{HeaderName, HeaderValue, Request};
use proptest::collection::{SizeRange, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::recording::Recorder;
use crate::world::{builder, client_code, code_of, id_of, key_named, to_base64, verify};

const NOW: u64 = 1_764_000_000;
const ORIGIN: &str = "https://api.acme.dev";

fn cases() -> usize {
    std::env::var("COUNTERSIGN_PROPERTY_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(1000)
}

fn agent(origin: &str) -> Agent {
    let builder = builder(origin, "runner").clock(|| UNIX_EPOCH + Duration::from_secs(NOW));
    builder.cover("x-note").cover("idempotency-key").cover("user-agent").build().expect("an agent")
}

fn guard(origin: &str) -> Value {
    let agents: Vec<Value> = ["orchestrator", "runner"]
        .iter()
        .map(|name| json!({ "id": id_of(name), "publicKey": key_named(name).public_key(), "capabilities": ["repo"] }))
        .collect();
    json!({ "origins": [origin], "now": NOW + 30, "agents": agents })
}

fn text(without: &'static str, size: impl Into<SizeRange>) -> impl Strategy<Value = String> {
    let chars: Vec<char> = ('!'..='~').filter(|char| !without.contains(*char)).collect();
    vec(select(chars), size).prop_map(String::from_iter)
}

fn target() -> impl Strategy<Value = String> {
    let path = vec(text("?#\\", 0..12), 1..6).prop_map(|segments| format!("/{}", segments.join("/")));
    let query = prop_oneof![Just(String::new()), text("#", 0..40).prop_map(|query| format!("?{query}"))];
    (path, query).prop_map(|(path, query)| path + &query)
}

/// The text of a user, which the crate `url` encodes.
fn free_target() -> impl Strategy<Value = String> {
    (any::<String>(), any::<Option<String>>()).prop_map(|(path, query)| {
        let mut url = reqwest::Url::parse(ORIGIN).expect("a URL");
        url.set_path(&path);
        url.set_query(query.as_deref());
        url.as_str()[ORIGIN.len()..].to_owned()
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let large = (any::<u8>(), select(vec![1_usize, 4095, 4096, 65_537])).prop_map(|(byte, size)| vec![byte; size]);
    prop_oneof![1 => Just(Vec::new()), 1 => large, 2 => vec(any::<u8>(), 0..200)]
}

type Fields = Vec<(HeaderName, HeaderValue)>;

fn fields() -> impl Strategy<Value = Fields> {
    let names = [
        "accept",
        "mcp-method",
        "mcp-name",
        "mcp-session-id",
        "mcp-param-region",
        "mcp-param-b",
        "x-http-method-override",
        "x-note",
        "idempotency-key",
        "content-digest",
        "user-agent",
        "content-type",
        "content-encoding",
        "last-event-id",
    ];
    let value = vec(select((b' '..=b'~').chain([b'\t']).collect::<Vec<u8>>()), 0..30);
    let ascii = (select(names.to_vec()), value).prop_map(|(name, value)| (name, value));
    let bytes = vec(select((b' '..=b'~').chain(0x80..=0xff).collect::<Vec<u8>>()), 0..30).prop_map(|value| ("x-other", value));
    let field = prop_oneof![6 => ascii, 1 => bytes];
    vec(field, 0..8).prop_map(|fields| {
        let mut made: Fields = Vec::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().expect("a name");
            if made.iter().all(|(known, _)| *known != name) {
                made.push((name, HeaderValue::from_bytes(&value).expect("a value")));
            }
        }
        made
    })
}

fn method() -> impl Strategy<Value = &'static str> {
    select(vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "PROPFIND", "X-!#$"])
}

type Parts = (&'static str, String, Fields, Vec<u8>);

fn parts() -> impl Strategy<Value = Parts> {
    (method(), prop_oneof![target(), free_target()], fields(), body())
}

fn made(runner: &mut TestRunner) -> Parts {
    parts().new_tree(runner).expect("a value").current()
}

fn line_of<'a>(method: &str, target: &str, host: &str, headers: impl Iterator<Item = (&'a str, String)>, body: &[u8]) -> Value {
    let mut fields = vec![("Host".to_owned(), host.to_owned())];
    fields.extend(headers.map(|(name, value)| (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())));
    json!({ "method": method, "target": target, "headers": fields, "body": to_base64(body) })
}

fn check(lines: &[Value]) {
    let (accepted, refused) = verify(lines);
    for one in refused.iter().take(3) {
        let at = one["at"].as_u64().and_then(|at| usize::try_from(at).ok()).expect("a number");
        eprintln!("{}: {}", one["code"], lines[at + 1]);
    }
    assert_eq!((usize::try_from(accepted).ok(), refused.len()), (Some(lines.len() - 1), 0));
}

#[tokio::test]
async fn every_request_that_is_signed_verifies() {
    let (agent, mut runner, mut lines) = (agent(ORIGIN), TestRunner::default(), vec![guard(ORIGIN)]);
    while lines.len() <= cases() {
        let (method, target, fields, body) = made(&mut runner);
        let Ok(mut request) = Request::builder().method(method).uri(format!("{ORIGIN}{target}")).body(body) else {
            continue;
        };
        request.headers_mut().extend(fields);
        let signed = match agent.sign(request).await {
            Ok(signed) => signed,
            Err(error) => {
                // A dot segment.
                assert_eq!(error.code(), Code::UrlUnsupported, "{error}");
                continue;
            }
        };
        let target = signed.uri().path_and_query().expect("a target").as_str();
        let host = signed.uri().authority().expect("an authority").as_str();
        let headers = signed
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes().iter().copied().map(char::from).collect()));
        lines.push(line_of(signed.method().as_str(), target, host, headers, signed.body()));
    }
    check(&lines);
}

#[tokio::test]
async fn every_request_that_arrives_verifies() {
    let server = Recorder::start([]);
    let (agent, mut runner) = (agent(&server.url), TestRunner::default());
    let client = agent.client().expect("a client");
    let count = cases() / 10;
    for _ in 0..count {
        let (method, target, fields, body) = made(&mut runner);
        let mut request = client.request(method.parse().expect("a method"), format!("{}{target}", server.url)).body(body);
        for (name, value) in fields {
            request = request.header(name, value);
        }
        let sent = request.send().await;
        assert!(sent.is_ok() || client_code(sent) == Some(Code::UrlUnsupported));
    }
    let host = server.url.trim_start_matches("http://");
    let mut lines = vec![guard(&server.url)];
    for one in server.requests() {
        let headers = one.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("host"));
        let headers = headers.map(|(name, value)| (name.as_str(), value.clone()));
        lines.push(line_of(&one.method, &one.target, host, headers, &one.body));
    }
    assert!(lines.len() > count / 2, "only {} arrived", lines.len());
    check(&lines);
    assert_eq!(code_of(agent.sign(Request::get("/relative").body("").expect("a request")).await), Some(Code::UrlUnsupported));
}
