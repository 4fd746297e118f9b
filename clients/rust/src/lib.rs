//! Agents that call APIs that Countersign guards: signed, and for the user or agent they work for.
//!
//! An [`Agent`] has an Ed25519 [`Key`] of its own and signs every request (RFC 9421), so that an API knows which agent calls,
//! on whose behalf, and through which hops.
//!
//! With the feature `reqwest`, `Agent::client` gives a client of reqwest that signs, `Agent::act_for` acts for a user with
//! tokens of an authority, and `Agent::ask_approval` asks people. Without it, [`Agent::sign`] signs a request for any other
//! HTTP client.
//!
//! Nothing is signed or sent to another origin than those of the agent, over plain http to another host than loopback, or
//! along a redirect. Keys and tokens never print. What is refused on the side of the agent is an [`Error`]; what an API
//! refuses is a [`Refusal`].
//!
//! ```
//! use countersign::{Agent, Grant, Key};
//!
//! # fn main() -> Result<(), countersign::Error> {
//! let reviewer = Agent::builder("agent-reviewer", Key::generate()).origin("https://api.acme.dev").build()?;
//! let runner = Agent::builder("agent-test-runner", Key::generate()).origin("https://api.acme.dev").build()?;
//! # let work = async {
//! let grant = Grant::new(["repo:read"]).audience(["https://api.acme.dev"]);
//! let bundle = reviewer.delegate(runner.id(), &grant).await?;
//! let handed = runner.accept(&bundle)?;
//! let request = http::Request::get("https://api.acme.dev/repos/acme/api").body("").expect("a request");
//! let signed = handed.sign(request).await?;
//! assert!(signed.headers().contains_key("signature"));
//! # Ok(())
//! # };
//! # let mut work = std::pin::pin!(work);
//! # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
//! # match work.as_mut().poll(&mut context) {
//! #     std::task::Poll::Ready(done) => done,
//! #     std::task::Poll::Pending => panic!("it waits for nothing"),
//! # }
//! # }
//! # use std::future::Future;
//! ```

mod address;
mod advice;
mod agent;
mod builder;
mod bundle;
mod claims;
#[cfg(feature = "reqwest")]
mod client;
mod delegate;
mod details;
mod encoding;
mod error;
mod json;
mod jwt;
mod key;
mod key_parse;
mod refusal;
mod request;
mod sign;
mod text;
#[cfg(test)]
mod vectors;
mod wire;

pub use agent::Agent;
pub use builder::AgentBuilder;
pub use bundle::Bundle;
#[cfg(feature = "reqwest")]
pub use client::{PendingApproval, Question, TokenRequest, UserToken, check};
pub use delegate::Grant;
pub use error::{Code, Error};
pub use key::{Key, Registration};
pub use refusal::{NeededApproval, Refusal};
