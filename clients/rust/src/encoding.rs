use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

pub fn to_base64(data: &[u8]) -> String {
    STANDARD.encode(data)
}

pub fn to_base64url(data: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(data)
}

/// Reads canonical base64: one spelling for each value.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Reads canonical base64url without padding.
pub fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

pub fn sha256(data: &[u8]) -> [u8; 32] {
    Sha256::digest(data).into()
}

/// Random bytes. Without them nothing can be signed safely, so that the program ends.
pub fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut data = [0; LENGTH];
    getrandom::fill(&mut data).expect("the operating system gives random numbers");
    data
}

/// A random UUID (RFC 9562 §5.4).
pub fn uuid() -> String {
    let mut data = random::<16>();
    data[6] = data[6] & 0x0f | 0x40;
    data[8] = data[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(data));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
