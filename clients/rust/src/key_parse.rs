use std::str::FromStr;

use serde_json::Value;

use crate::encoding::{from_base64, from_base64url};
use crate::error::{Code, Error};
use crate::json::parse_object;
use crate::key::{Key, PEM_BEGIN, PEM_END, VERSION_ONE};
use crate::text::quote;

/// RFC 8410 §7: the DER of the second version, which also has the public key.
const VERSION_TWO: [u8; 16] = [0x30, 0x51, 2, 1, 1, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
const PUBLIC_KEY_FIELD: [u8; 3] = [0x81, 0x21, 0];
/// The object identifier of Ed25519, with its tag.
const ED25519: [u8; 5] = [6, 3, 0x2b, 0x65, 0x70];
const FILE_ENDINGS: [&str; 5] = [".pem", ".key", ".jwk", ".json", ".txt"];

/// Reads a private key from text: a JWK, a PKCS #8 PEM, or base64 of the 64-byte `secretKey` of `TweetNaCl` or its 32-byte
/// seed. The error has [`Code::KeyInvalid`], and never repeats the text.
impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.contains("-----BEGIN") {
            return parse_pem(text);
        }
        if text.starts_with('{') {
            return parse_jwk(text);
        }
        let data = from_base64(text).unwrap_or_default();
        if let Ok(seed) = data.as_slice().try_into() {
            return Ok(Self::from_seed(seed));
        }
        if let Ok(secret) = data.as_slice().try_into() {
            return Self::from_secret_key(secret);
        }
        let lower = text.to_ascii_lowercase();
        if !text.contains(char::is_whitespace) && FILE_ENDINGS.iter().any(|ending| lower.ends_with(ending)) {
            return Err(bad_key("This is not a private key. It looks like a file name: pass what is in the file."));
        }
        Err(bad_key(
            "This is not a private key. Give a private JWK, a PKCS #8 PEM, or the secretKey of nacl.sign.keyPair() in base64.",
        ))
    }
}

fn parse_pem(text: &str) -> Result<Key, Error> {
    let label = text.split("-----BEGIN ").nth(1).and_then(|rest| rest.split("-----").next()).unwrap_or_default();
    match label {
        "PRIVATE KEY" => {}
        "ENCRYPTED PRIVATE KEY" => {
            return Err(bad_key("The PEM is encrypted. Decrypt it first: openssl pkey -in key.pem -out plain.pem"));
        }
        other => return Err(bad_key(&format!("The PEM holds a {}; a PKCS #8 PRIVATE KEY is needed.", quote(other, 40)))),
    }
    let body = text
        .split(PEM_BEGIN)
        .nth(1)
        .and_then(|rest| rest.split_once(PEM_END))
        .ok_or_else(|| bad_key("The PEM is incomplete."))?
        .0;
    let base64: String = body.split_ascii_whitespace().collect();
    let der = from_base64(&base64).ok_or_else(|| bad_key("The PEM cannot be read."))?;
    if let Some(seed) = der.strip_prefix(&VERSION_ONE).and_then(|seed| seed.try_into().ok()) {
        return Ok(Key::from_seed(seed));
    }
    if let Some((seed, rest)) = der.strip_prefix(&VERSION_TWO).and_then(|rest| rest.split_at_checked(32))
        && let Some(public) = rest.strip_prefix(&PUBLIC_KEY_FIELD)
    {
        return Key::from_parts(seed, public);
    }
    if der.windows(ED25519.len()).any(|part| part == ED25519) {
        return Err(bad_key("The PEM cannot be read."));
    }
    Err(bad_key("The PEM holds a private key, but not an Ed25519 one."))
}

fn parse_jwk(text: &str) -> Result<Key, Error> {
    let jwk = parse_object(text.as_bytes()).ok_or_else(|| bad_key("The key looks like a JWK, but is not JSON."))?;
    let member = |name: &str| jwk.get(name).filter(|value| !value.is_null());
    let is = |name: &str, expected: &str| member(name).and_then(Value::as_str) == Some(expected);
    if !is("kty", "OKP") || !is("crv", "Ed25519") {
        return Err(bad_key(r#"The JWK is not an Ed25519 key: it needs "kty":"OKP","crv":"Ed25519"."#));
    }
    if member("alg").is_some() && !is("alg", "EdDSA") && !is("alg", "Ed25519") {
        return Err(bad_key("The JWK is for another algorithm."));
    }
    if member("use").is_some() && !is("use", "sig") {
        return Err(bad_key(r#"The JWK is not for signing ("use" is not "sig")."#));
    }
    let part = |name: &str| {
        let data = member(name).and_then(Value::as_str).and_then(from_base64url).filter(|data| data.len() == 32);
        data.ok_or_else(|| {
            bad_key(&format!(r#"The JWK's "{name}" is not 32 bytes of unpadded base64url. A private key has it."#))
        })
    };
    Key::from_parts(&part("d")?, &part("x")?)
}

fn bad_key(message: &str) -> Error {
    Error::new(Code::KeyInvalid, message)
}
