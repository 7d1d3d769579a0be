//! With all rules the search finds nothing. Without any one of them it finds an attack. A real service refuses that attack.

use super::replay::replay;
use super::search::search;
use super::state::KEYS;
use super::{Rule, Setting};
use std::io::Write;

/// Whether the search is fast.
const OPTIMISED: bool = option_env!("PARSEC_TESTS_OPTIMISED").is_some();
/// Steps beyond which nothing is looked at; fewer where the search is slow.
const DEPTH: usize = if OPTIMISED { 6 } else { 3 };
/// States that a search of that depth visits at least.
const STATES: usize = if OPTIMISED { 1_000_000 } else { 1000 };

fn nothing_is_found(setting: Setting) -> usize {
    let search = search(setting, None, DEPTH);
    assert_eq!(search.attack, None, "{setting:?}");
    // Past the test harness, which keeps what successful tests print.
    writeln!(std::io::stderr(), "{setting:?}: no attack in {} states, {DEPTH} steps, {KEYS} keys, 2 callers", search.states)
        .unwrap();
    search.states
}

#[test]
fn nobody_learns_the_value_of_a_sensitive_key() {
    assert!(nothing_is_found(Setting::Application) >= STATES);
}

#[test]
fn nobody_learns_more_than_was_granted() {
    assert!(nothing_is_found(Setting::Grant) >= 1000);
}

/// That a rule is needed, and that the service has it: it refuses the attack with these words.
fn needed(setting: Setting, rule: Rule, words: &str) {
    if rule == Rule::Reset && !OPTIMISED {
        return; // six steps, which take minutes
    }
    let attack = search(setting, Some(rule), 6).attack.unwrap();
    let refusal = replay(setting, rule, &attack).unwrap();
    assert!(refusal.contains(words), "{attack:?}: {refusal}");
}

macro_rules! needed {
    ($($name:ident: $setting:ident without $rule:ident refuses $words:literal;)*) => {
        $(
            #[test]
            fn $name() {
                needed(Setting::$setting, Rule::$rule, $words);
            }
        )*
    };
}

// a1 to a5: Bortolozzo, Centenaro, Focardi and Steel (CCS 2010).
needed! {
    a1_wrap_and_decrypt: Application without WrapDecrypt refuses "decrypts or can be read, or once could";
    a2_wrap_and_decrypt_with_a_pair: Application without WrapSign refuses "decrypts or can be read, or once could";
    a3_and_a4_read: Application without Export refuses "not for export";
    a5_become_readable: Application without Narrow refuses "not for export";
    wrap_and_read: Application without WrapExport refuses "decrypts or can be read, or once could";
    wrap_after_decrypting: Application without Past refuses "decrypts or can be read, or once could";
    wrap_with_a_known_key: Application without Local refuses "was not made here";
    wrap_with_a_known_key_that_one_trusts_oneself: Application without Trust refuses "only the SO marks keys";
    wrap_a_wrapping_key: Application without Protects refuses "wraps or unwraps other keys, so it leaves under none";
    unwrap_without_authentication: Application without Decision refuses "used in a mode that does not authenticate";
    unwrap_as_readable: Application without Unwrapped refuses "not for export";
    derive_other_roles: Application without ConcatenatedRoles refuses "no key with other uses is made of it";
    derive_a_readable_key: Application without Concatenated refuses "not for export";
    copy_as_readable: Application without Copied refuses "may do no more than the key itself";
    copy_without_the_past: Application without CopiedPast refuses "decrypts or can be read, or once could";
    copy_while_the_token_is_reset: Application without Reset refuses "has been destroyed";
    decrypt_by_encrypting: Grant without Entailed refuses "but not decrypt";
    read_by_deriving: Grant without Whole refuses "this algorithm comes to both";
    read_by_wrapping: Grant without Taken refuses "as good as read";
    decrypt_by_unwrapping: Grant without Granted refuses "only if it may decrypt too";
    copy_what_was_granted: Grant without Owner refuses "has no key";
}
