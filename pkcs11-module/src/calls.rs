//! The bodies of the `C_*` functions, safe and in plain terms; the rows of [`crate::functions`] name them.

pub(crate) mod change;
pub(crate) mod create;
pub(crate) mod crypt;
pub(crate) mod derive;
mod destination;
pub(crate) mod digest;
pub(crate) mod dual;
pub(crate) mod encapsulate;
pub(crate) mod find;
pub(crate) mod general;
pub(crate) mod generate;
pub(crate) mod login;
pub(crate) mod message;
pub(crate) mod message_sign;
pub(crate) mod object_management;
mod policy;
pub(crate) mod random;
pub(crate) mod recover;
pub(crate) mod session;
pub(crate) mod sign;
pub(crate) mod slot;
mod ssh;
pub(crate) mod token;
pub(crate) mod verify;
pub(crate) mod wrap;

use cryptoki_sys::CK_SESSION_HANDLE;

use crate::error::Result;
use crate::operations::Operations;
use crate::operations::active::{Active, Keyed, Progress, Step};
use crate::state::{self, module::Module};

/// Takes a step of the operation that `of` picks in a session. `body` does the work; it checks the arguments too, because those that are
/// wrong end the operation like any other failure.
fn step<T: Keyed>(
    handle: CK_SESSION_HANDLE,
    of: impl FnOnce(&mut Operations) -> &mut Active<T>,
    step: Step,
    body: impl FnOnce(&Module, &mut Active<T>) -> Result<Progress>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    let mut operations = session.operations();
    of(&mut operations).step(step, |active| body(&module, active))
}

/// Text in a fixed field of the standard's structures: UTF-8 padded with blanks, cut between characters.
fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [b' '; N];
    let fit = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= N);
    let end = fit.last().unwrap_or(0);
    field[..end].copy_from_slice(&text.as_bytes()[..end]);
    field
}

#[cfg(test)]
mod tests {
    #[test]
    fn padding_cuts_between_characters() {
        assert_eq!(super::padded::<4>("ab"), *b"ab  ");
        assert_eq!(super::padded::<4>("abcdef"), *b"abcd");
        assert_eq!(super::padded::<4>("abc\u{e9}"), *b"abc ");
    }
}
