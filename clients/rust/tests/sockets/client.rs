use std::collections::BTreeSet;
use std::sync::Arc;

use countersign::{Code, check};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use crate::recording::{Recorder, problem, says};
use crate::world::{agent_at, builder, client_code};

#[tokio::test]
async fn redirects_are_refused() {
    let other = Recorder::start([]);
    let server = Recorder::start([says(302, &[("Location", &other.url)], ""), says(307, &[("Location", "/there")], "")]);
    // Not even if the program wants to follow them.
    let following = reqwest::Client::builder().redirect(reqwest::redirect::Policy::limited(5));
    let client = agent_at(&server.url, "runner").client_with(following, []).expect("a client");
    for _ in 0..2 {
        assert_eq!(client_code(client.get(&server.url).send().await), Some(Code::RedirectRefused));
    }
    assert_eq!((server.requests().len(), other.requests().len()), (2, 0));
}

#[tokio::test]
async fn nothing_goes_elsewhere() {
    let server = Recorder::start([]);
    let elsewhere = agent_at("https://api.acme.dev", "runner").client().expect("a client");
    assert_eq!(client_code(elsewhere.get(&server.url).send().await), Some(Code::OriginNotAllowed));
    let http = agent_at("http://api.acme.dev", "runner").client().expect("a client");
    assert_eq!(client_code(http.get("http://api.acme.dev").send().await), Some(Code::InsecureCredential));
    let local = agent_at(&server.url, "runner").client().expect("a client");
    let named = local.get(&server.url).header("Host", "api.acme.dev").send().await;
    assert_eq!(client_code(named), Some(Code::HostMismatch));
    let signed = local.get(&server.url).header("Signature", "sig=:AA==:").send().await;
    assert_eq!(client_code(signed), Some(Code::AlreadySigned));
    let trailing = local.post(&server.url).header("Trailer", "X-Note").body("a").send().await;
    assert_eq!(client_code(trailing), Some(Code::RequestMalformed));
    let small = builder(&server.url, "runner").max_body_bytes(3).build().expect("an agent").client().expect("a client");
    assert_eq!(client_code(small.post(&server.url).body("four").send().await), Some(Code::BodyTooLarge));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_url_goes_as_reqwest_writes_it() {
    let server = Recorder::start([]);
    let client = agent_at(&server.url, "runner").client().expect("a client");
    for path in ["/a/../b", "/a/%2e%2e/c", "/ü ö?a=ü#fragment", "/a\\b"] {
        client.get(format!("{}{path}", server.url)).send().await.expect("an answer");
    }
    let targets: Vec<String> = server.requests().into_iter().map(|one| one.target).collect();
    assert_eq!(targets, ["/b", "/c", "/%C3%BC%20%C3%B6?a=%C3%BC", "/a/b"]);
}

#[tokio::test]
async fn a_restarted_api_is_called_again_three_times() {
    let restarted = problem(503, "replay_unknown", &[("Retry-After", "0")]);
    let server = Recorder::start(vec![restarted.clone(); 3]);
    let client = agent_at(&server.url, "runner").client().expect("a client");
    let response = client.post(&server.url).header("Content-Type", "text/plain").body("a body").send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let requests = server.requests();
    assert!(requests.iter().all(|one| one.body == b"a body"));
    let inputs: BTreeSet<_> = requests.iter().filter_map(|one| one.header("signature-input")).collect();
    assert_eq!(inputs.len(), 4);
    server.then(vec![restarted; 4]);
    let response = client.get(&server.url).send().await.expect("an answer");
    assert_eq!((response.url().as_str(), response.remote_addr().is_some()), (format!("{}/", server.url).as_str(), true));
    assert_eq!(response.content_length(), Some(25));
    let refusal = check(response).await.expect_err("a refusal");
    assert!(refusal.code == "replay_unknown" && refusal.is_temporary() && !refusal.is_forbidden());
    assert_eq!(server.requests().len(), 8);
}

#[tokio::test]
async fn nothing_else_is_sent_again() {
    for answer in [
        problem(503, "replay_store_unavailable", &[("Retry-After", "0")]),
        problem(401, "token_expired", &[]),
        says(503, &[("Retry-After", "0")], "busy"),
    ] {
        let server = Recorder::start([answer]);
        let client = agent_at(&server.url, "runner").client().expect("a client");
        assert!(client.get(&server.url).send().await.expect("an answer").status().as_u16() > 400);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_body_of_another_length_is_not_sent() {
    let server = Recorder::start([]);
    let client = agent_at(&server.url, "runner").client().expect("a client");
    let sent = client.post(&server.url).header("Content-Length", "5").body("four").send().await;
    assert_eq!(client_code(sent), Some(Code::RequestMalformed));
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_body_that_comes_in_parts_is_sent_whole() {
    let server = Recorder::start([]);
    let client = agent_at(&server.url, "runner").client().expect("a client");
    let stream = reqwest::Body::wrap(http_body_util::Full::new(bytes::Bytes::from_static(b"a stream")));
    client.post(&server.url).body(stream).send().await.expect("an answer");
    let request = server.requests().remove(0);
    assert_eq!((request.body.as_slice(), request.header("content-length")), (b"a stream".as_slice(), Some("8")));
    assert!(request.header("content-digest").is_some());
}

struct Noting;

#[async_trait::async_trait]
impl Middleware for Noting {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        request.headers_mut().insert("mcp-name", "search".parse().expect("a value"));
        next.run(request, extensions).await
    }
}

#[tokio::test]
async fn other_middleware_is_around_the_signature() {
    let server = Recorder::start([]);
    let around: [Arc<dyn Middleware>; 1] = [Arc::new(Noting)];
    let client = agent_at(&server.url, "runner").client_with(reqwest::Client::builder(), around).expect("a client");
    client.get(&server.url).send().await.expect("an answer");
    let request = server.requests().remove(0);
    assert!(request.header("signature-input").is_some_and(|input| input.contains("\"mcp-name\"")));
}

#[tokio::test]
async fn an_answer_that_no_guard_wrote_is_no_refusal() {
    let long = format!(r#"{{"code":"x","title":"{}"}}"#, "a".repeat(70_000));
    let problem_type = [("Content-Type", "application/problem+json")];
    let answers =
        [says(404, &[], "no"), says(400, &problem_type, "{"), says(400, &problem_type, &long), says(200, &problem_type, "{}")];
    let server = Recorder::start(answers);
    let client = agent_at(&server.url, "runner").client().expect("a client");
    for body in ["no", "{", long.as_str(), "{}"] {
        let response = check(client.get(&server.url).send().await.expect("an answer")).await.expect("no refusal");
        assert_eq!(response.text().await.expect("a body"), body);
    }
}
