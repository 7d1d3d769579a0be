//! Requests that must not run twice, when the answer is lost.

use super::Error;

/// A service that dies of the request would else be asked for ever.
const TRIES: u32 = 3;

/// Asks for what must not be done twice. Where the answer is lost, `look` looks for what this request has left, by something that nobody
/// else knows; where it finds nothing, nothing was done, and it is asked again.
///
/// Only an answer that is lost with its connection is settled so. The service that heard the request has ended then, and the next one is
/// asked only when it has settled what was begun; or it has broken the connection off before it began. Of an answer that takes too long
/// nobody can tell what will become of it.
///
/// # Errors
/// What `ask` says; [`Error::Unsure`] where `look` cannot tell.
pub fn settle<T>(ask: impl Fn() -> Result<T, Error>, look: impl Fn() -> Result<Option<T>, Error>) -> Result<T, Error> {
    for _ in 1..TRIES {
        let unsure = match ask() {
            Err(error @ Error::Unsure { .. }) if error.absent() => error,
            other => return other,
        };
        match look() {
            Ok(Some(done)) => return Ok(done),
            Ok(None) => {}
            Err(_) => return Err(unsure),
        }
    }
    ask()
}
