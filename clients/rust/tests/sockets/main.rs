//! Calls over sockets: to a server that records them, to every host of the repository, and to the authority.
//!
//! They start programs of the repository with `node`, or what `COUNTERSIGN_NODE` names: run `pnpm build` first.

mod approval_vectors;
mod approvals;
mod authority;
mod client;
mod clock;
mod hosts;
mod outages;
mod properties;
mod recording;
mod secrets;
mod world;
