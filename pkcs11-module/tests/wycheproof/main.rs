//! The vectors of project Wycheproof through the C functions: of those that are invalid none is accepted, and each valid one that is
//! refused stands with its reason in the list `refused`, one line for all that are refused for the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod agreement;
mod encryption;
mod names;
mod secrets;
mod signatures;
mod tally;
mod token;

use std::ptr::null_mut;

use cryptoki_sys::CKR_OK;
use parsec_pkcs11::{C_Finalize, C_Initialize};
use tests::Setup;

use tally::Tally;
use token::Token;

/// Runs the vectors of one kind of algorithm.
type Run = fn(&Token, &mut Tally);

const ALL: &[Run] = &[
    signatures::ecdsa,
    signatures::dsa,
    signatures::eddsa,
    signatures::rsa_pkcs1,
    signatures::rsa_pss,
    signatures::ml_dsa,
    signatures::ml_dsa_private,
    agreement::ecdh,
    agreement::montgomery,
    agreement::ml_kem,
    encryption::aead,
    encryption::cbc,
    encryption::key_wrap,
    encryption::rsa_oaep,
    encryption::rsa_pkcs1,
    secrets::mac,
    secrets::hkdf,
];

#[test]
fn no_invalid_vector_is_accepted_and_each_valid_one_that_is_refused_has_its_reason() {
    let service = Setup::default().allow_deprecated().start();
    // SAFETY: nothing else here reads the environment meanwhile.
    unsafe { std::env::set_var("PARSEC_SERVICE_ENDPOINT", service.endpoint()) };
    // SAFETY: without arguments.
    assert_eq!(unsafe { C_Initialize(null_mut()) }, CKR_OK);
    let run = |run: &Run| {
        let mut tally = Tally::default();
        run(&Token::open(), &mut tally);
        tally
    };
    let whole = std::thread::scope(|scope| {
        let threads: Vec<_> = ALL.iter().map(|one| scope.spawn(move || run(one))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold(Tally::default(), Tally::add)
    });
    // SAFETY: without arguments.
    assert_eq!(unsafe { C_Finalize(null_mut()) }, CKR_OK);
    whole.check(include_str!("refused"));
}
