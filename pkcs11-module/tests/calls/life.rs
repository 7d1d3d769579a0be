//! The life of an operation as the text of PKCS#11 v3.1 has it: every function that begins, continues or ends one, in every state, well
//! called and called wrongly; here and in SoftHSM.

use super::other::{Other, at, ours};
use super::*;
use clauses::*;
use place::{Kind, Place, of, ways};

mod clauses;
mod place;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No operation.
    None,
    Begun,
    /// Some of the data has come.
    Updated,
}

/// How a function is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Right,
    /// With NULL in the place of the result.
    AskLength,
    /// With no room for the result.
    Short,
    /// With NULL in the place of the result's length.
    NoLength,
    /// With NULL in the place of the data.
    NoData,
    /// With data that the mechanism does not take, a signature that does not match, or a key that is none.
    Unfit,
    /// With a signature that is a byte too short.
    CutSignature,
    NoSignature,
    /// `C_*Init` without a mechanism.
    NoMechanism,
    /// `C_*Init` with a mechanism that nobody has.
    UnknownMechanism,
}

#[derive(Clone, Copy, Debug)]
enum Code {
    Is(CK_RV),
    /// Any failure but CKR_BUFFER_TOO_SMALL: where several things are wrong, the standard leaves the choice open.
    Fails,
    /// What the standard does not say.
    Open,
}

/// The state afterwards.
#[derive(Clone, Copy, Debug)]
enum Then {
    Is(State),
    Same,
    /// What the standard does not say.
    Open,
}

struct Row {
    functions: &'static [&'static str],
    states: &'static [State],
    calls: &'static [Call],
    code: Code,
    then: Then,
    clause: &'static str,
}

use Call::{AskLength, CutSignature, NoData, NoLength, NoMechanism, NoSignature, Right, Short, Unfit, UnknownMechanism};
use State::{Begun, None as Nothing, Updated};

impl Row {
    fn covers(&self, function: &str, state: State, call: Call) -> bool {
        self.functions.contains(&function) && self.states.contains(&state) && self.calls.contains(&call)
    }

    /// Whether a call in a state was answered so, and left such a state.
    fn holds(&self, place: &Place, kind: &Kind, state: State, (code, after): (CK_RV, State)) -> bool {
        let right = match self.code {
            Code::Is(expected) => code == expected,
            Code::Fails => code != CKR_OK && code != CKR_BUFFER_TOO_SMALL,
            Code::Open => true,
        };
        let same = |expected| after == expected || place.forgets(kind) && after != Nothing && expected != Nothing;
        right
            && match self.then {
                Then::Is(expected) => same(expected),
                Then::Same => same(state),
                Then::Open => true,
            }
    }
}

/// Runs the whole table in a place. Where it is known to differ, the rows of `differences` hold instead, each cell of which must differ.
fn check(place: &Place, functions: impl Fn(&str) -> bool, differences: &[Row]) {
    let (mut wrong, mut count) = (vec![], 0);
    for row in TABLE {
        for &function in row.functions.iter().filter(|function| functions(function)) {
            let cells = row.states.iter().flat_map(|state| row.calls.iter().map(move |call| (*state, *call)));
            for (state, call) in cells.filter(|(state, call)| place.applies(function, *state, *call)) {
                let (kind, mut differs) = (of(function), false);
                let difference = differences.iter().find(|row| row.covers(function, state, call));
                for way in ways(kind, state).iter().filter(|way| !way.iter().any(|call| place.ends_at.contains(call))) {
                    let found = place.run(function, state, way, call);
                    count += 1;
                    differs |= !row.holds(place, kind, state, found);
                    let Row { code, then, clause, .. } = difference.unwrap_or(row);
                    if !difference.unwrap_or(row).holds(place, kind, state, found) {
                        wrong
                            .push(format!("{function} {state:?} {call:?} {way:?}: {found:x?}, not {code:x?} {then:?}: {clause}"));
                    }
                }
                if difference.is_some() && !differs {
                    wrong.push(format!("{function} {state:?} {call:?}: no difference"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", place.name, wrong.join("\n"));
    assert!(count > 100, "{count}");
}

#[test]
fn every_function_in_every_state_does_what_the_standard_says() {
    let _fixture = Fixture::new();
    let mut interface: CK_INTERFACE_PTR = null_mut();
    // SAFETY: the place outlives the call, and the newest interface has the newest list.
    let newest = unsafe {
        assert_eq!(
            parsec_pkcs11::C_GetInterface(null_mut(), &mut CK_VERSION { major: 3, minor: 2 }, &raw mut interface, 0),
            CKR_OK
        );
        (*interface).pFunctionList.cast::<CK_FUNCTION_LIST_3_2>()
    };
    let session = open(CKF_RW_SESSION);
    for signing in [CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS] {
        check(&Place::new("ours", ours(), newest, session, signing), |_| true, &[]);
    }
}

/// Each way of calling a function in a state has one row.
#[test]
fn no_row_is_missing_and_none_contradicts_another() {
    let mut seen = vec![];
    for row in TABLE {
        for &function in row.functions {
            for &state in row.states {
                seen.extend(row.calls.iter().map(|&call| (function, state, call)));
            }
        }
    }
    let all = [BEGIN, WHOLE, VERIFY, CRYPT, UPDATE, FINAL, VERIFY_FINAL].concat();
    for &function in &all {
        let calls: Vec<_> = seen.iter().filter(|(have, ..)| *have == function).map(|(_, _, call)| *call).collect();
        for &state in ANY {
            for &call in &calls {
                let rows = seen.iter().filter(|row| **row == (function, state, call)).count();
                assert_eq!(rows, 1, "{function} {state:?} {call:?}");
            }
        }
    }
}

#[test]
fn softhsm_differs_where_it_is_known_to() {
    let _fixture = Fixture::new();
    let Some(softhsm) = Other::softhsm() else { return };
    let mut place = Place::new("SoftHSM", softhsm.list, std::ptr::null(), softhsm.session, CKM_SHA256_RSA_PKCS);
    // which keeps nothing of counter mode
    place.ends_at = &[("C_EncryptFinal", Short)];
    place.remembers = Some(&["C_SignInit", "C_VerifyInit"]);
    // it has none of these
    let there = |function: &str| !function.contains("Recover") && !DUAL.contains(&function);
    check(&place, there, SOFTHSM);
}

#[test]
fn kryoptic_differs_where_it_is_known_to() {
    let _fixture = Fixture::new();
    let kryoptic = Other::kryoptic();
    let mut place = Place::new("kryoptic", kryoptic.list, std::ptr::null(), kryoptic.session, CKM_SHA256_RSA_PKCS);
    // it keeps nothing of counter mode, checks the padding before the room, and does its work before it looks at the room
    place.ends_at = &[("C_EncryptFinal", Short), ("C_DecryptFinal", Short), ("C_Encrypt", Short), ("C_Decrypt", Short)];
    place.remembers = Some(&["C_VerifyInit"]);
    check(&place, |function| !function.contains("Recover"), KRYOPTIC);
}

const DUAL: &[&str] = &["C_DigestEncryptUpdate", "C_DecryptDigestUpdate", "C_SignEncryptUpdate", "C_DecryptVerifyUpdate"];

/// What SoftHSM 2.6 does otherwise, with the clause of the standard that it departs from.
#[rustfmt::skip]
const SOFTHSM: &[Row] = &[
    row(BEGIN, ACTIVE, &[NoMechanism], Code::Is(CKR_ARGUMENTS_BAD), Then::Same,
        "it is of version 2.40, which has no cancellation; against v3.1 §5.8.1"),
    row(&["C_DigestInit"], &[Nothing], &[Unfit], Code::Is(CKR_OK), Then::Is(Begun),
        "it reads no parameter; against §5.1.6, CKR_MECHANISM_PARAM_INVALID"),
    row(&["C_Encrypt", "C_Decrypt", "C_Digest", "C_Sign", "C_Verify"], ACTIVE, &[NoData, NoLength, NoSignature],
        Code::Is(CKR_ARGUMENTS_BAD), Then::Same,
        "a wrong pointer leaves the operation alone; against §5.8.2 and its siblings: always terminates"),
    row(&["C_EncryptUpdate", "C_DecryptUpdate", "C_DigestUpdate", "C_SignUpdate", "C_VerifyUpdate"], ACTIVE, &[NoData, NoLength],
        Code::Is(CKR_ARGUMENTS_BAD), Then::Same,
        "likewise; against §5.8.3 and its siblings: an error terminates"),
    row(&["C_DigestFinal", "C_SignFinal", "C_VerifyFinal"], ACTIVE, &[NoLength, NoSignature], Code::Is(CKR_ARGUMENTS_BAD), Then::Same,
        "likewise; against §5.12.5 and its siblings: always terminates"),
    row(&["C_DigestKey"], ACTIVE, &[Unfit], Code::Is(CKR_KEY_HANDLE_INVALID), Then::Same,
        "a key that is none leaves the operation alone; §5.12.4 does not say, we read §5.12.3 for it too"),
    row(&["C_Encrypt", "C_Decrypt", "C_Digest"], &[Updated], &[Right], Code::Is(CKR_OK), Then::Is(Nothing),
        "the single-part function ends what came in parts; against §5.8.2: must be called without intervening C_EncryptUpdate calls"),
    row(&["C_Encrypt", "C_Decrypt", "C_Digest"], &[Updated], &[AskLength], Code::Is(CKR_OK), Then::Same,
        "likewise"),
    row(&["C_Encrypt", "C_Decrypt", "C_Digest"], &[Updated], &[Short], Code::Is(CKR_BUFFER_TOO_SMALL), Then::Same,
        "likewise"),
    row(&["C_DecryptFinal"], &[Begun], &[Right], Code::Is(CKR_BUFFER_TOO_SMALL), Then::Same,
        "of no ciphertext it wants more room than there can be; against §5.2"),
];

/// What kryoptic 1.5 does otherwise.
#[rustfmt::skip]
const KRYOPTIC: &[Row] = &[
    row(&["C_DigestInit"], &[Nothing], &[Unfit], Code::Is(CKR_OK), Then::Is(Begun),
        "it reads no parameter; against §5.1.6, CKR_MECHANISM_PARAM_INVALID"),
    row(&["C_Encrypt", "C_Decrypt", "C_Digest", "C_Sign"], &[Updated], &[AskLength], Code::Is(CKR_OK), Then::Same,
        "it tells the length also after parts; against §5.8.2: must be called without intervening C_EncryptUpdate calls"),
    row(&["C_Digest", "C_Sign"], &[Updated], &[Short], Code::Is(CKR_BUFFER_TOO_SMALL), Then::Same,
        "likewise"),
    row(&["C_EncryptUpdate", "C_DigestEncryptUpdate", "C_SignEncryptUpdate"], &[Updated], &[Right, Short],
        Code::Is(CKR_DATA_LEN_RANGE), Then::Is(Nothing),
        "of each part it counts the last block as a whole one, so that four blocks are too many; against §5.8.3: any number of times"),
    row(&["C_EncryptFinal"], &[Begun], &[Right], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "without data it ends nothing; against §5.8.1: call C_EncryptUpdate zero or more times"),
    row(&["C_DecryptFinal"], &[Updated], &[Short], Code::Is(CKR_ENCRYPTED_DATA_INVALID), Then::Is(Nothing),
        "it takes the lack of room for wrong padding; against §5.8.4: unless it returns CKR_BUFFER_TOO_SMALL"),
    row(&["C_VerifyFinal"], &[Begun], &[Unfit], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "without data it ends nothing; §5.15.1 wants C_VerifyUpdate one or more times, we read §5.15.4 for none too"),
];
