//! The vectors that bind every client: `test/vectors` of the repository, made by the packages in TypeScript.

#[cfg(feature = "reqwest")]
mod answers;
mod delegation;
mod keys;
mod requests;

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::encoding::from_base64;
use crate::{Agent, AgentBuilder, Code, Error, Key};

fn vectors<T: DeserializeOwned>(name: &str) -> T {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/vectors").join(name).with_extension("json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[derive(Deserialize)]
struct NamedKey {
    name: String,
    seed: String,
}

#[derive(Deserialize)]
struct NamedAgent {
    name: String,
    id: String,
}

fn bytes_of(text: &str) -> Vec<u8> {
    from_base64(text).expect("base64")
}

fn key_named(name: &str) -> Key {
    #[derive(Deserialize)]
    struct File {
        keys: Vec<NamedKey>,
    }
    let found = vectors::<File>("keys").keys.into_iter().find(|key| key.name == name).expect("a key");
    Key::from_seed(bytes_of(&found.seed).as_slice().try_into().expect("a seed"))
}

/// An agent of the vectors, at a time in seconds.
fn builder_named(name: &str, now: u64) -> AgentBuilder {
    #[derive(Deserialize)]
    struct File {
        agents: Vec<NamedAgent>,
    }
    let agents = vectors::<File>("bundles").agents;
    let id = agents.into_iter().find(|agent| agent.name == name).map_or_else(|| name.to_owned(), |agent| agent.id);
    Agent::builder(id, key_named(name)).clock(move || UNIX_EPOCH + Duration::from_secs(now))
}

fn agent_named(name: &str, now: u64) -> Agent {
    builder_named(name, now).origin("https://api.acme.dev").build().expect("an agent")
}

fn code_of<T>(result: Result<T, Error>) -> Option<Code> {
    result.err().map(|error| error.code())
}

fn code_named(code: &str) -> impl Fn(Option<Code>) -> bool {
    move |found| found.is_some_and(|found| found.as_str() == code)
}
