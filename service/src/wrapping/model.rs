//! A bounded search for sequences of permitted operations that reveal a secret.
//!
//! The attacker sees every blob and ciphertext, and knows everything that can be computed from them (Dolev and Yao 1983). A mode
//! that does not authenticate counts as one that decrypts anything (Vaudenay 2002). The model asks the product's own rules what is
//! permitted, once for each different question. The search visits every state within two bounds: the number of keys that are ever
//! made, and the number of steps. An operation that only teaches the attacker something is no step. It happens at once, because
//! knowing more forbids nothing.
//!
//! [`steps`] says which policies the search tries, and why no others matter. To leave out a [`Rule`], the model asks the product
//! about a key to which the rule does not apply. So no rule is written twice, and the product itself cannot run without one.

mod attacks;
mod kinds;
mod knowledge;
mod replay;
mod rules;
mod search;
mod state;
mod steps;

use interface::attributes::Usage;

/// The two callers: who owns the keys at the beginning, and who may be granted their use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Caller {
    Owner,
    Grantee,
}

impl Caller {
    const BOTH: [Self; 2] = [Self::Owner, Self::Grantee];

    fn principal(self) -> crate::auth::Principal {
        crate::auth::Principal::App(format!("{self:?}"))
    }
}

/// Who attacks whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    /// A program uses sensitive keys of its own, and must not learn their values, whoever helps it.
    Application,
    /// Somebody was granted the use of keys, and must learn no more than was granted.
    Grant,
}

impl Setting {
    fn hostile(self, caller: Caller) -> bool {
        self == Self::Application || caller == Caller::Grantee
    }
}

/// A rule that a search may leave out, to show what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// Sensitive keys are not read.
    Export,
    /// A policy never permits more than before.
    Narrow,
    /// What a policy has permitted is not forgotten when it becomes narrower.
    Past,
    /// A key that decrypts, or did, wraps no sensitive key.
    WrapDecrypt,
    /// A key that can be read, or could, wraps no sensitive key.
    WrapExport,
    /// A key that signs whatever it is given wraps no sensitive key.
    WrapSign,
    /// A key that was not made here wraps no sensitive key.
    Local,
    /// Keys that wrap or unwrap do not leave.
    Protects,
    /// The first use decides.
    Decision,
    /// What a key brings in that does not decrypt is sensitive.
    Unwrapped,
    /// No key is made of a key that wraps or unwraps, and something beside it.
    ConcatenatedRoles,
    /// What is made of a sensitive key and something beside it does not leave.
    Concatenated,
    /// A copy may do no more than its original.
    Copied,
    /// A copy remembers what its original was permitted.
    CopiedPast,
    /// A use that is another one needs the grant of both.
    Entailed,
    /// Whoever makes a key of another one, and nothing beside it, needs the grant of all its uses.
    Whole,
    /// Whoever takes a readable key away under another one needs the grant of reading it.
    Taken,
    /// A grant of unwrapping without authentication needs one of decrypting.
    Granted,
    /// Copies are for the owner.
    Owner,
    /// Only the security officer says that a key is trusted.
    Trust,
    /// What was begun before a reset of the token does not come to be.
    Reset,
}

/// The roles whose holder does nothing that another rule takes amiss: a policy with them permits all that one without them permits.
const HARMLESS: Usage = Usage::COPY.or(Usage::ENCRYPT).or(Usage::DERIVE).or(Usage::SIGN_HASH);
/// The roles that conflict with others.
const CONFLICTING: [Usage; 4] = [Usage::WRAP, Usage::UNWRAP, Usage::DECRYPT, Usage::EXPORT];
