use std::fmt;
use std::sync::Arc;

use ed25519_dalek::{Signer as _, SigningKey};
use serde::Serialize;
use serde_json::json;

use crate::encoding::{random, sha256, to_base64, to_base64url};
use crate::error::{Code, Error};
use crate::text::is_identifier;

/// The Ed25519 key of an agent. It shows its private part in the methods named `export_…` only, however it is printed.
#[derive(Clone)]
pub struct Key {
    signing: Arc<SigningKey>,
    thumbprint: Arc<str>,
}

/// The entry of an agent in the `agents.json` of an API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Registration {
    /// The id under which the API knows the agent.
    pub agent_id: String,
    /// The 32 bytes of the public key in base64.
    pub public_key: String,
    /// The scopes that the agent has of its own.
    pub capabilities: Vec<String>,
}

pub(crate) const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
pub(crate) const PEM_END: &str = "-----END PRIVATE KEY-----";
/// RFC 8410 §7: the DER before the seed.
pub(crate) const VERSION_ONE: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

impl Key {
    /// Makes a new key.
    ///
    /// ```
    /// use countersign::Key;
    ///
    /// let key = Key::generate();
    /// let read: Key = key.export_pem().parse()?;
    /// assert_eq!(read.thumbprint(), key.thumbprint());
    /// # Ok::<(), countersign::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// If the operating system gives no random numbers.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_seed(&random())
    }

    /// The key of a 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let x = to_base64url(signing.verifying_key().as_bytes());
        let thumbprint = to_base64url(&sha256(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#).as_bytes()));
        Self { signing: Arc::new(signing), thumbprint: thumbprint.into() }
    }

    /// The key of the 64 bytes that `TweetNaCl` calls `secretKey`: the seed and the public key.
    ///
    /// # Errors
    ///
    /// [`Code::KeyInvalid`], if the public key is that of another seed.
    pub fn from_secret_key(secret: &[u8; 64]) -> Result<Self, Error> {
        let (seed, public) = secret.split_at(32);
        Self::from_parts(seed, public)
    }

    pub(crate) fn from_parts(seed: &[u8], public: &[u8]) -> Result<Self, Error> {
        let seed = seed.try_into().map_err(|_| Error::new(Code::KeyInvalid, "The seed of a key has 32 bytes."))?;
        let key = Self::from_seed(seed);
        // Signing one seed under two public keys would give the private key away.
        if key.signing.verifying_key().as_bytes().as_slice() != public {
            let message = "The public part does not belong to the private part. The key is damaged.";
            return Err(Error::new(Code::KeyInvalid, message));
        }
        Ok(key)
    }

    /// The RFC 7638 JWK thumbprint, SHA-256, base64url: the `keyid` of signatures.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The 32 bytes of the public key in base64.
    #[must_use]
    pub fn public_key(&self) -> String {
        to_base64(self.signing.verifying_key().as_bytes())
    }

    /// The public key as a JWK (RFC 8037 §2), as JSON.
    #[must_use]
    pub fn public_jwk(&self) -> String {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": self.x() }).to_string()
    }

    /// The entry for the `agents.json` of an API.
    ///
    /// # Errors
    ///
    /// [`Code::ConfigInvalid`], if the id cannot name an agent.
    pub fn registration<S: Into<String>>(
        &self,
        agent_id: impl Into<String>,
        capabilities: impl IntoIterator<Item = S>,
    ) -> Result<Registration, Error> {
        let agent_id = agent_id.into();
        if !is_identifier(&agent_id) {
            return Err(Error::config("The id must be visible text of 1 to 256 characters in NFC."));
        }
        let capabilities = capabilities.into_iter().map(Into::into).collect();
        Ok(Registration { agent_id, public_key: self.public_key(), capabilities })
    }

    /// The private key as a JWK, as JSON. Secret.
    #[must_use]
    pub fn export_jwk(&self) -> String {
        let d = to_base64url(self.signing.as_bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": self.x(), "d": d, "kid": self.thumbprint() }).to_string()
    }

    /// The private key as a PKCS #8 PEM. Secret.
    #[must_use]
    pub fn export_pem(&self) -> String {
        let der = [&VERSION_ONE[..], self.signing.as_bytes()].concat();
        format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", to_base64(&der))
    }

    /// The 64 bytes that `TweetNaCl` calls `secretKey`. Secret.
    #[must_use]
    pub fn export_secret_key(&self) -> [u8; 64] {
        self.signing.to_keypair_bytes()
    }

    pub(crate) fn sign(&self, data: &[u8]) -> [u8; 64] {
        self.signing.sign(data).to_bytes()
    }

    fn x(&self) -> String {
        to_base64url(self.signing.verifying_key().as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({})", self.thumbprint)
    }
}
