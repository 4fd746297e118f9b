//! What calls APIs and authorities, with reqwest.

mod acting;
mod anew;
mod approval;
mod authority;
mod body;
mod metadata;
mod middleware;
mod sent;
mod tokens;

pub use acting::{TokenRequest, UserToken};
pub use approval::{PendingApproval, Question};
pub use authority::Authority;
pub use middleware::check;
pub use sent::Sent;
pub use tokens::HeldToken;

/// For the vectors.
#[cfg(test)]
pub mod vectors {
    pub use super::anew::{Anew, decide, refuse_redirect};
    pub use super::authority::sign_challenge;
}
