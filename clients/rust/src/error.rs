use std::error::Error as StdError;
use std::fmt;

/// What went wrong on the side of the agent. It is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// An option is wrong. The message says which, and what it must be.
    ConfigInvalid,
    /// What was given as a private key is none. The message never repeats it.
    KeyInvalid,
    /// Not an absolute http(s) URL, with user name and password, or with dot segments.
    UrlUnsupported,
    /// The URL is at none of the origins of the agent.
    OriginNotAllowed,
    /// Plain http to another host than loopback.
    InsecureCredential,
    /// The API answered with a redirect.
    RedirectRefused,
    /// A method, field or body that HTTP does not allow, or a covered field that is not ASCII.
    RequestMalformed,
    /// A token, bundle or approval, and a header for the same.
    CredentialConflict,
    /// The headers carry a signature.
    AlreadySigned,
    /// The `Host` header names another host than the URL.
    HostMismatch,
    /// The body has more bytes than [`AgentBuilder::max_body_bytes`](crate::AgentBuilder::max_body_bytes).
    BodyTooLarge,
    /// What was to be handed on is wider than what is held, expired, or malformed.
    DelegationImpossible,
    /// The bundle is not for this agent and key, or is malformed or expired.
    BundleInvalid,
    /// The authority gives no token.
    TokenRefused,
    /// The authority cannot be reached, or has an outage.
    AuthorityUnavailable,
    /// People denied the request.
    ApprovalDenied,
    /// Nobody decided in time.
    ApprovalExpired,
    /// The agent took the question back.
    ApprovalWithdrawn,
    /// The API takes no approvals of this authority, or names another request than was sent.
    ApprovalImpossible,
    /// The authority does not take the question.
    ApprovalRefused,
}

impl Code {
    /// The code as text, the same in every language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConfigInvalid => "config_invalid",
            Self::KeyInvalid => "key_invalid",
            Self::UrlUnsupported => "url_unsupported",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::InsecureCredential => "insecure_credential",
            Self::RedirectRefused => "redirect_refused",
            Self::RequestMalformed => "request_malformed",
            Self::CredentialConflict => "credential_conflict",
            Self::AlreadySigned => "already_signed",
            Self::HostMismatch => "host_mismatch",
            Self::BodyTooLarge => "body_too_large",
            Self::DelegationImpossible => "delegation_impossible",
            Self::BundleInvalid => "bundle_invalid",
            Self::TokenRefused => "token_refused",
            Self::AuthorityUnavailable => "authority_unavailable",
            Self::ApprovalDenied => "approval_denied",
            Self::ApprovalExpired => "approval_expired",
            Self::ApprovalWithdrawn => "approval_withdrawn",
            Self::ApprovalImpossible => "approval_impossible",
            Self::ApprovalRefused => "approval_refused",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A call that was not made or not finished, or a delegation that was not handed on or accepted. Nothing was sent, except
/// where the code says so.
#[derive(Debug)]
pub struct Error {
    code: Code,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), source: None }
    }

    #[cfg(feature = "reqwest")]
    pub(crate) fn caused(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Code::ConfigInvalid, message)
    }

    /// What went wrong.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// Finds an error of this crate in another, such as the error of an HTTP client.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            next = inner(error).or_else(|| error.source());
        }
        None
    }
}

/// What a client of reqwest wraps without naming it as a source.
#[cfg(feature = "reqwest")]
fn inner<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref()? {
        reqwest_middleware::Error::Middleware(inner) => Some(inner.as_ref()),
        reqwest_middleware::Error::Reqwest(_) => None,
    }
}

#[cfg(not(feature = "reqwest"))]
const fn inner<'a>(_: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    None
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
