use serde::Deserialize;
use serde_json::Value;

use super::{bytes_of, code_of, vectors};
use crate::encoding::to_base64;
use crate::{Code, Key};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyVector {
    name: String,
    seed: String,
    secret_key: String,
    pem: String,
    pem_with_public_key: String,
    jwk: Value,
    public_key: String,
    public_jwk: Value,
    thumbprint: String,
    signature: SignatureVector,
}

#[derive(Deserialize)]
struct SignatureVector {
    message: String,
    signature: String,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
    input: String,
}

#[derive(Deserialize)]
struct File {
    keys: Vec<KeyVector>,
    refused: Vec<Refused>,
}

#[test]
fn a_key_is_one_key_in_every_form() {
    for one in vectors::<File>("keys").keys {
        for form in [&one.seed, &one.secret_key, &one.pem, &one.pem_with_public_key, &one.jwk.to_string()] {
            let key: Key = form.parse().unwrap_or_else(|error| panic!("{}: {error}", one.name));
            let json = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");
            assert_eq!(key.thumbprint(), one.thumbprint);
            assert_eq!(key.public_key(), one.public_key);
            assert_eq!(json(key.public_jwk()), one.public_jwk);
            assert_eq!(json(key.export_jwk()), one.jwk);
            assert_eq!(key.export_pem(), one.pem);
            assert_eq!(to_base64(&key.export_secret_key()), one.secret_key);
            assert_eq!(to_base64(&key.sign(&bytes_of(&one.signature.message))), one.signature.signature);
        }
    }
}

#[test]
fn no_key_is_read_from_anything_else() {
    for one in vectors::<File>("keys").refused {
        let read = one.input.parse::<Key>();
        let shown = read.as_ref().err().map(ToString::to_string).unwrap_or_default();
        assert_eq!(code_of(read), Some(Code::KeyInvalid), "{}", one.name);
        assert!(one.input.len() <= 20 || !shown.contains(&one.input), "{shown}");
    }
}

#[test]
fn a_registration_names_an_agent() {
    let key = Key::generate();
    let entry = key.registration("agent-a", ["repo:read"]).expect("an entry");
    let expected = serde_json::json!({ "agent_id": "agent-a", "public_key": key.public_key(), "capabilities": ["repo:read"] });
    assert_eq!(serde_json::to_value(entry).ok(), Some(expected));
    assert_eq!(code_of(key.registration("agent\u{200b}", ["repo:read"])), Some(Code::ConfigInvalid));
}
