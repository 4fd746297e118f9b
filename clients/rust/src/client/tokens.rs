use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::sign::{Clock, unix_ms};

/// A token is not used in its last seconds: it must still count when the API reads it.
pub const TOKEN_MARGIN: Duration = Duration::from_secs(5);
/// After a failure the old token is used at least so long, before the authority is asked again.
const RENEWAL_PAUSE_MS: i64 = 5000;

/// A token, and until when it is used, by our clock.
#[derive(Clone)]
pub struct IssuedToken {
    pub token: Arc<str>,
    pub expires_ms: i64,
}

pub type Getting = Pin<Box<dyn Future<Output = Result<IssuedToken, Error>> + Send>>;
pub type Get = Box<dyn Fn() -> Getting + Send + Sync>;

/// A token that is got when it is first needed, and again before it expires, by one task at a time.
pub struct HeldToken {
    get: Get,
    clock: Clock,
    /// Whoever holds it asks the authority.
    turn: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    issued: Option<IssuedToken>,
    renew_at_ms: i64,
}

enum Now {
    Fresh(Arc<str>),
    /// It still counts, but is to be renewed.
    Due(Arc<str>),
    Over,
}

impl HeldToken {
    pub fn new(get: Get, clock: Clock) -> Self {
        Self { get, clock, turn: tokio::sync::Mutex::default(), state: Mutex::default() }
    }

    pub async fn current(&self) -> Result<Arc<str>, Error> {
        let _turn = match self.read() {
            Now::Fresh(token) => return Ok(token),
            Now::Due(token) => match self.turn.try_lock() {
                Ok(turn) => turn,
                // Another task renews it, and it still counts.
                Err(_) => return Ok(token),
            },
            Now::Over => self.turn.lock().await,
        };
        // Another task may have been first.
        let old = match self.read() {
            Now::Fresh(token) => return Ok(token),
            Now::Due(token) => Some(token),
            Now::Over => None,
        };
        let asked = self.now_ms();
        let got = (self.get)().await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match (got, old) {
            (Ok(issued), _) => {
                // After three quarters of its life it is replaced.
                state.renew_at_ms = asked + (issued.expires_ms - asked) / 4 * 3;
                let token = issued.token.clone();
                state.issued = Some(issued);
                Ok(token)
            }
            (Err(_), Some(token)) => {
                // The old token still counts. What is wrong is said once it does not.
                state.renew_at_ms = self.now_ms() + RENEWAL_PAUSE_MS;
                Ok(token)
            }
            (Err(error), None) => Err(error),
        }
    }

    fn read(&self) -> Now {
        let now = self.now_ms();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.issued {
            Some(issued) if now >= issued.expires_ms => Now::Over,
            Some(issued) if now >= state.renew_at_ms => Now::Due(issued.token.clone()),
            Some(issued) => Now::Fresh(issued.token.clone()),
            None => Now::Over,
        }
    }

    fn now_ms(&self) -> i64 {
        unix_ms((self.clock)())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::error::Code;

    #[tokio::test]
    async fn a_token_is_kept_while_it_counts() {
        let now = Arc::new(AtomicU64::new(0));
        let failing = Arc::new(AtomicBool::new(false));
        let asked = Arc::new(AtomicU64::new(0));
        let clock: Clock = {
            let now = now.clone();
            Arc::new(move || UNIX_EPOCH + Duration::from_secs(now.load(Ordering::SeqCst)))
        };
        let get: Get = {
            let (clock, failing) = (clock.clone(), failing.clone());
            Box::new(move || {
                let answer = if failing.load(Ordering::SeqCst) {
                    Err(Error::new(Code::AuthorityUnavailable, "down"))
                } else {
                    let token = format!("token-{}", asked.fetch_add(1, Ordering::SeqCst) + 1).into();
                    Ok(IssuedToken { token, expires_ms: unix_ms(clock()) + 100_000 })
                };
                Box::pin(async { answer })
            })
        };
        let held = HeldToken::new(get, clock);
        let steps = [
            (1000, false, Some("token-1")),
            (1074, false, Some("token-1")),
            (1076, true, Some("token-1")),
            (1078, false, Some("token-1")),
            (1082, false, Some("token-2")),
            (1500, true, None),
        ];
        for (at, fails, expected) in steps {
            now.store(at, Ordering::SeqCst);
            failing.store(fails, Ordering::SeqCst);
            assert_eq!(held.current().await.ok().as_deref(), expected, "at {at}");
        }
    }
}
