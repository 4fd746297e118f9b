use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use crate::address::Address;
use crate::error::{Code, Error};
use crate::json::parse_object;
use crate::refusal::is_problem;
use crate::sign::unix_ms;
use crate::text::{QUOTE_LIMIT, quote};

/// Clocks that differ by less do not matter.
const CLOCK_SKEW_MS: u64 = 5000;
/// A signature for a later time could be kept by whoever answers, and used then.
const MAX_CLOCK_FORWARD_MS: i64 = 300_000;
/// An API asks for one second. The caller decides about a longer wait.
const LONGEST_RETRY: u64 = 5;
/// Longer than any refusal: more is not read ahead of the caller.
pub const MAX_SHORT_REFUSAL: usize = 4096;
/// A store that several processes share asks for it until its clock skew is over.
const MOST_RESTARTS: u32 = 3;

/// Why a request is signed anew and sent again.
#[derive(Debug, PartialEq, Eq)]
pub enum Anew {
    /// The API was restarted: after a wait.
    Restart(Duration),
    /// The clock of the API differs: it is ahead of ours by so many milliseconds.
    Clock(i64),
}

/// Says whether a refused request is signed anew. Only two refusals ask for that, and neither ran the request: one after a
/// restart, and a signature that is too old or from the future by the clock of the API.
pub fn decide(status: StatusCode, headers: &HeaderMap, body: &[u8], to: &Address, now_ms: i64, ahead_ms: i64) -> Option<Anew> {
    if !is_problem(headers) || body.len() > MAX_SHORT_REFUSAL {
        return None;
    }
    let problem = parse_object(body)?;
    match (status, problem.get("code").and_then(Value::as_str)?) {
        (StatusCode::SERVICE_UNAVAILABLE, "replay_unknown") => {
            let seconds = digits(text_of(headers, &header::RETRY_AFTER)?)?;
            (seconds <= LONGEST_RETRY).then(|| Anew::Restart(Duration::from_secs(seconds)))
        }
        (StatusCode::UNAUTHORIZED, "signature_expired" | "signature_not_yet_valid") => {
            // On plain http anybody could set our clock.
            let theirs = date_of(headers).filter(|_| to.is_private())? - now_ms;
            is_correction(theirs, ahead_ms).then_some(Anew::Clock(theirs))
        }
        _ => None,
    }
}

/// Whether a server may correct our clock so. Forwards, an answer gets signatures that count later.
pub fn is_correction(theirs_ms: i64, known_ms: i64) -> bool {
    theirs_ms.abs_diff(known_ms) > CLOCK_SKEW_MS && theirs_ms <= MAX_CLOCK_FORWARD_MS
}

/// How often one call was signed anew, and by which clock.
pub struct Attempts {
    restarts: u32,
    /// By how many milliseconds the clock of the API is ahead of ours, as far as this call knows.
    pub ahead_ms: i64,
    pub is_corrected: bool,
}

impl Attempts {
    pub fn new(ahead_ms: i64) -> Self {
        Self { restarts: 0, ahead_ms, is_corrected: false }
    }

    /// Counts one more, and gives the wait before it. None if it would be too many.
    pub fn count(&mut self, anew: &Anew) -> Option<Duration> {
        match anew {
            Anew::Clock(_) if self.is_corrected => None,
            Anew::Clock(ahead_ms) => {
                (self.ahead_ms, self.is_corrected) = (*ahead_ms, true);
                Some(Duration::ZERO)
            }
            Anew::Restart(wait) => {
                let wait = *wait * 2_u32.pow(self.restarts);
                self.restarts += 1;
                (self.restarts <= MOST_RESTARTS).then_some(wait)
            }
        }
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The time that an answer names, in milliseconds.
pub fn date_of(headers: &HeaderMap) -> Option<i64> {
    Some(unix_ms(httpdate::parse_http_date(text_of(headers, &header::DATE)?).ok()?))
}

fn digits(text: &str) -> Option<u64> {
    let is_number = text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

/// Refuses a redirect: a signature is for one URL, and a token for one API.
pub fn refuse_redirect(status: StatusCode, headers: &HeaderMap, origin: &str) -> Result<(), Error> {
    let Some(location) = headers.get(header::LOCATION).filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)) else {
        return Ok(());
    };
    let location = quote(&String::from_utf8_lossy(location.as_bytes()), QUOTE_LIMIT);
    let message = format!("{origin} redirected the call to {location}. A signature is for one URL: call that one yourself.");
    Err(Error::new(Code::RedirectRefused, message))
}
