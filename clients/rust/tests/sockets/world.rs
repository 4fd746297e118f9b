//! Programs of the repository, and the agents of the vectors.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign::{Agent, AgentBuilder, Code, Error, Key};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const ISSUER: &str = "https://id.acme.dev";
const POLICIES: &str = r#"
@id("drafts") permit(principal, action == Action::"pr.create", resource)
when { context has onBehalfOf && context.scope.contains("pr:write:draft") };
@id("invoices") permit(principal, action == Action::"invoice.read", resource)
when { context.scope.contains("invoice:read") };
@id("uploads") permit(principal, action == Action::"file.put", resource) when { context.scope.contains("file:write") };
"#;
const SCHEMA: &str = r#"entity Repo; entity Dataset; entity Bucket; entity Record;
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
action "invoice.read" appliesTo { principal: [Agent], resource: [Dataset], context: AgentContext };
action "file.put" appliesTo { principal: [Agent], resource: [Bucket], context: AgentContext };
action "record.delete" appliesTo { principal: [Agent], resource: [Record], context: AgentContext };
"#;

pub fn repository(path: &str) -> PathBuf {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    assert!(full.exists(), "{path} is only in the repository, after pnpm build");
    full
}

pub fn node() -> Command {
    Command::new(std::env::var_os("COUNTERSIGN_NODE").unwrap_or_else(|| "node".into()))
}

/// A program that prints lines of JSON, the first when it listens.
pub struct Program {
    child: Child,
    input: ChildStdin,
    lines: BufReader<ChildStdout>,
    pub started: Value,
    /// Removed when the program has ended.
    folder: Option<TempDir>,
}

impl Program {
    pub fn start<S: AsRef<std::ffi::OsStr>>(main: &str, arguments: &[S]) -> Self {
        let mut command = node();
        command.arg(repository(main)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node");
        let (input, output) = (child.stdin.take().expect("input"), child.stdout.take().expect("output"));
        let mut program = Self { child, input, lines: BufReader::new(output), started: Value::Null, folder: None };
        program.started = program.line();
        program
    }

    pub fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("the program did not start, or said {line:?}"))
    }

    pub fn ask(&mut self, line: &Value) -> Value {
        writeln!(self.input, "{line}").expect("the program reads");
        self.line()
    }

    pub fn text(&self, pointer: &str) -> String {
        self.started.pointer(pointer).and_then(Value::as_str).expect(pointer).to_owned()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.folder.take());
    }
}

pub fn registration(id: &str, key: &Key) -> Value {
    let jwk: Value = serde_json::from_str(&key.public_jwk()).expect("a JWK");
    json!({ "id": id, "jwk": jwk, "capabilities": ["repo:read", "pr:write:draft", "invoice:read", "file:write"] })
}

pub fn host_config() -> Value {
    let mut jwk: Value = serde_json::from_str(&key_named("issuer").public_jwk()).expect("a JWK");
    jwk["kid"] = "issuer-1".into();
    let agents: Vec<Value> = ["orchestrator", "runner"].iter().map(|name| registration(&id_of(name), &key_named(name))).collect();
    json!({
        "origin": null, "mount": "", "bodyParser": "after", "agents": agents, "policies": POLICIES, "schema": SCHEMA,
        "issuers": [{ "issuer": ISSUER, "jwks": { "keys": [jwk] } }],
    })
}

pub fn start_host(name: &str, mut config: Value, port: u16) -> Program {
    let folder = tempfile::tempdir().expect("a folder");
    config["audit"] = folder.path().join("audit").to_str().into();
    let file = folder.path().join("host.json");
    std::fs::write(&file, config.to_string()).expect("a file");
    let arguments = [name, "--config", file.to_str().expect("a path"), "--port", &port.to_string()];
    let mut program = Program::start("test/hosts/dist/main.js", &arguments);
    program.folder = Some(folder);
    program
}

/// A port below the ephemeral ones, so that no other program gets it before it is bound.
pub fn free_port() -> u16 {
    let mut candidates = (0..1000).map(|_| 20_000 + u16::from_be_bytes(random_bytes()) % 10_000);
    candidates.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}

fn random_bytes() -> [u8; 2] {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

pub fn vectors(name: &str) -> Value {
    let text = std::fs::read(repository(&format!("test/vectors/{name}.json"))).expect("the vectors");
    serde_json::from_slice(&text).expect("JSON")
}

fn vector(file: &str, list: &str, name: &str, member: &str) -> Option<String> {
    let file = vectors(file);
    let found = file[list].as_array()?.iter().find(|one| one["name"] == name)?;
    Some(found[member].as_str()?.to_owned())
}

pub fn key_named(name: &str) -> Key {
    vector("keys", "keys", name, "seed").expect("a key").parse().expect("a key")
}

pub fn id_of(name: &str) -> String {
    vector("bundles", "agents", name, "id").unwrap_or_else(|| name.to_owned())
}

pub fn builder(api: &str, name: &str) -> AgentBuilder {
    Agent::builder(id_of(name), key_named(name)).origin(api)
}

pub fn agent_at(api: &str, name: &str) -> Agent {
    builder(api, name).build().expect("an agent")
}

/// The orchestrator for a user, with a token that the issuer of the vectors signed.
pub fn user_at(api: &str) -> Agent {
    let agent = agent_at(api, "orchestrator");
    let now = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_secs();
    let payload = json!({
        "iss": ISSUER, "sub": "user_123", "aud": api, "client_id": agent.id(), "act": { "sub": agent.id() },
        "scope": "repo:read pr:write:draft invoice:read", "iat": now, "exp": now + 300, "jti": format!("{:?}", random_bytes()),
    });
    let header = json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": "issuer-1" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&header), part(&payload));
    let issuer = SigningKey::from_keypair_bytes(&key_named("issuer").export_secret_key()).expect("a key");
    let signature = URL_SAFE_NO_PAD.encode(issuer.sign(text.as_bytes()).to_bytes());
    agent.with_token(format!("{text}.{signature}")).expect("a token")
}

pub fn code_of<T>(result: Result<T, Error>) -> Option<Code> {
    result.err().map(|error| error.code())
}

/// The code of an error that the client of reqwest wraps.
pub fn client_code<T>(result: Result<T, reqwest_middleware::Error>) -> Option<Code> {
    Error::find(&result.err()?).map(Error::code)
}

/// What the verifier in TypeScript says of many requests: how many it accepts, and which not.
pub fn verify(lines: &[Value]) -> (u64, Vec<Value>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("requests.jsonl");
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    std::fs::write(&file, text.join("\n")).expect("a file");
    let output = node().arg(repository("test/clients/verify.mjs")).arg(&file).stderr(Stdio::inherit()).output().expect("node");
    let said: Value = serde_json::from_slice(&output.stdout).expect("an answer");
    (said["accepted"].as_u64().expect("a number"), said["refused"].as_array().expect("a list").clone())
}

pub fn to_base64(data: &[u8]) -> String {
    STANDARD.encode(data)
}

pub fn from_base64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}
