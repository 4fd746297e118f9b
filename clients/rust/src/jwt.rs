use serde::Serialize;
use serde_json::{Map, Value};

use crate::encoding::{from_base64url, to_base64url};
use crate::json::parse_object;
use crate::key::Key;

/// The header of what a key signs.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    typ: Option<&'a str>,
    alg: &'static str,
    kid: &'a str,
}

/// Makes a JWT in compact form. None if the payload is no JSON.
pub fn sign_jwt(key: &Key, typ: Option<&str>, payload: &impl Serialize) -> Option<String> {
    let header = Header { typ, alg: "EdDSA", kid: key.thumbprint() };
    let part = |json: serde_json::Result<Vec<u8>>| json.ok().map(|json| to_base64url(&json));
    let text = format!("{}.{}", part(serde_json::to_vec(&header))?, part(serde_json::to_vec(payload))?);
    let signature = to_base64url(&key.sign(text.as_bytes()));
    Some(format!("{text}.{signature}"))
}

/// The payload of a JWT, unverified: for checks of a credential that we hold, never a proof.
pub fn payload_of(jwt: &str) -> Option<Map<String, Value>> {
    parse_object(&from_base64url(jwt.split('.').nth(1)?)?)
}
