//! The table. A row quotes the clause that it stands for. Of functions that differ in the name of the operation alone, the clause of one is
//! quoted: §5.10 (decryption), §5.12 (digests), §5.13 (signatures) and §5.15 (verification) say the same as §5.8.

use cryptoki_sys::*;

use super::*;

pub(super) const BEGIN: &[&str] = &[
    "C_EncryptInit",
    "C_DecryptInit",
    "C_DigestInit",
    "C_SignInit",
    "C_VerifyInit",
    "C_SignRecoverInit",
    "C_VerifyRecoverInit",
    "C_VerifySignatureInit",
];
pub(super) const WHOLE: &[&str] = &["C_Encrypt", "C_Decrypt", "C_Digest", "C_Sign", "C_SignRecover", "C_VerifyRecover"];
pub(super) const VERIFY: &[&str] = &["C_Verify", "C_VerifySignature"];
/// Those that give something out.
pub(super) const CRYPT: &[&str] = &[
    "C_EncryptUpdate",
    "C_DecryptUpdate",
    "C_DigestEncryptUpdate",
    "C_DecryptDigestUpdate",
    "C_SignEncryptUpdate",
    "C_DecryptVerifyUpdate",
];
pub(super) const UPDATE: &[&str] =
    &["C_DigestUpdate", "C_DigestKey", "C_SignUpdate", "C_VerifyUpdate", "C_VerifySignatureUpdate"];
pub(super) const FINAL: &[&str] = &["C_EncryptFinal", "C_DecryptFinal", "C_DigestFinal", "C_SignFinal"];
pub(super) const VERIFY_FINAL: &[&str] = &["C_VerifyFinal", "C_VerifySignatureFinal"];

pub(super) const ANY: &[State] = &[Nothing, Begun, Updated];
pub(super) const ACTIVE: &[State] = &[Begun, Updated];

#[rustfmt::skip]
pub(super) const TABLE: &[Row] = &[
    row(BEGIN, &[Nothing], &[Right], Code::Is(CKR_OK), Then::Is(Begun),
        "§5.8.1: C_EncryptInit initializes an encryption operation"),
    row(BEGIN, ACTIVE, &[Right], Code::Is(CKR_OPERATION_ACTIVE), Then::Same,
        "§5.1.6, CKR_OPERATION_ACTIVE: there is already an active operation which prevents Cryptoki from activating the specified one"),
    row(BEGIN, ACTIVE, &[NoMechanism], Code::Is(CKR_OK), Then::Is(Nothing),
        "§5.8.1: can be called with pMechanism set to NULL_PTR to terminate an active encryption operation"),
    row(BEGIN, &[Nothing], &[NoMechanism], Code::Open, Then::Is(Nothing),
        "§5.8.1: likewise; what it returns where there is nothing to terminate is not said"),
    row(BEGIN, ANY, &[UnknownMechanism, Unfit], Code::Fails, Then::Same,
        "§5: if a function does not execute successfully, the token is in the same state as it was in prior to the call"),

    row(WHOLE, &[Nothing], &[Right, AskLength], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.8.2: the encryption operation must have been initialized with C_EncryptInit"),
    row(WHOLE, &[Nothing], &[Short, NoLength, NoData, Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.2: likewise"),
    row(WHOLE, &[Begun], &[Right], Code::Is(CKR_OK), Then::Is(Nothing),
        "§5.8.2: a call to C_Encrypt always terminates the active encryption operation"),
    row(WHOLE, &[Begun], &[AskLength], Code::Is(CKR_OK), Then::Same,
        "§5.8.2: unless it is a successful call to determine the length of the buffer needed"),
    row(WHOLE, &[Begun], &[Short], Code::Is(CKR_BUFFER_TOO_SMALL), Then::Same,
        "§5.8.2: unless it returns CKR_BUFFER_TOO_SMALL"),
    row(WHOLE, &[Begun], &[NoLength, NoData], Code::Is(CKR_ARGUMENTS_BAD), Then::Is(Nothing),
        "§5.8.2: always terminates, and §5.1.6, CKR_ARGUMENTS_BAD: the arguments were in some way not appropriate"),
    row(WHOLE, &[Begun], &[Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.2: always terminates"),
    row(WHOLE, &[Updated], &[Right, AskLength], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.8.2: cannot be used to terminate a multi-part operation, and must be called without intervening C_EncryptUpdate calls"),
    row(WHOLE, &[Updated], &[Short, NoLength, NoData, Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.2: likewise"),

    row(VERIFY, &[Nothing], &[Right], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.15.2: the verification operation must have been initialized with C_VerifyInit"),
    row(VERIFY, &[Nothing], &[NoData, Unfit, CutSignature, NoSignature], Code::Fails, Then::Is(Nothing),
        "§5.15.2: likewise"),
    row(VERIFY, &[Begun], &[Right], Code::Is(CKR_OK), Then::Is(Nothing),
        "§5.15.2: a successful call should return either CKR_OK,"),
    row(VERIFY, &[Begun], &[Unfit], Code::Is(CKR_SIGNATURE_INVALID), Then::Is(Nothing),
        "§5.15.2: or CKR_SIGNATURE_INVALID, indicating that the supplied signature is invalid;"),
    row(VERIFY, &[Begun], &[CutSignature], Code::Is(CKR_SIGNATURE_LEN_RANGE), Then::Is(Nothing),
        "§5.15.2: if it can be seen to be invalid purely on the basis of its length, CKR_SIGNATURE_LEN_RANGE should be returned"),
    row(VERIFY, &[Begun], &[NoData, NoSignature], Code::Is(CKR_ARGUMENTS_BAD), Then::Is(Nothing),
        "§5.15.2: a call to C_Verify always terminates the active verification operation"),
    row(VERIFY, &[Updated], &[Right], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.15.2: cannot be used to terminate a multi-part operation, and must be called without intervening C_VerifyUpdate calls"),
    row(VERIFY, &[Updated], &[NoData, Unfit, CutSignature, NoSignature], Code::Fails, Then::Is(Nothing),
        "§5.15.2: likewise"),

    row(CRYPT, &[Nothing], &[Right, AskLength], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.8.3: the encryption operation must have been initialized with C_EncryptInit"),
    row(CRYPT, &[Nothing], &[Short, NoLength, NoData, Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.3: likewise"),
    row(CRYPT, ACTIVE, &[Right], Code::Is(CKR_OK), Then::Is(Updated),
        "§5.8.3: this function may be called any number of times in succession"),
    row(CRYPT, ACTIVE, &[AskLength], Code::Is(CKR_OK), Then::Same,
        "§5.2: if pBuf is NULL_PTR, all that the function does is return the number of bytes which would suffice"),
    row(CRYPT, ACTIVE, &[Short], Code::Is(CKR_BUFFER_TOO_SMALL), Then::Same,
        "§5.8.3: an error other than CKR_BUFFER_TOO_SMALL terminates the current encryption operation"),
    row(CRYPT, ACTIVE, &[NoLength, NoData], Code::Is(CKR_ARGUMENTS_BAD), Then::Is(Nothing),
        "§5.8.3: a call which results in an error other than CKR_BUFFER_TOO_SMALL terminates the current encryption operation"),
    row(CRYPT, ACTIVE, &[Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.3: likewise"),

    row(UPDATE, &[Nothing], &[Right], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.12.3: the message-digesting operation must have been initialized with C_DigestInit"),
    row(UPDATE, &[Nothing], &[NoData, Unfit], Code::Fails, Then::Is(Nothing),
        "§5.12.3: likewise"),
    row(UPDATE, ACTIVE, &[Right], Code::Is(CKR_OK), Then::Is(Updated),
        "§5.12.3: calls to this function and C_DigestKey may be interspersed any number of times in any order"),
    row(UPDATE, ACTIVE, &[NoData], Code::Is(CKR_ARGUMENTS_BAD), Then::Is(Nothing),
        "§5.12.3: a call to C_DigestUpdate which results in an error terminates the current digest operation"),
    row(UPDATE, ACTIVE, &[Unfit], Code::Fails, Then::Is(Nothing),
        "§5.12.3: likewise"),

    row(FINAL, &[Nothing], &[Right, AskLength], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.8.4: the encryption operation must have been initialized with C_EncryptInit"),
    row(FINAL, &[Nothing], &[Short, NoLength, Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.4: likewise"),
    row(FINAL, &[Updated], &[Right], Code::Is(CKR_OK), Then::Is(Nothing),
        "§5.8.4: a call to C_EncryptFinal always terminates the active encryption operation"),
    row(&["C_EncryptFinal", "C_DigestFinal"], &[Begun], &[Right], Code::Is(CKR_OK), Then::Is(Nothing),
        "§5.8.1: or call C_EncryptUpdate zero or more times, followed by C_EncryptFinal"),
    row(&["C_DecryptFinal"], &[Begun], &[Right], Code::Fails, Then::Is(Nothing),
        "§5.10.4: always terminates; no ciphertext of this mechanism is empty"),
    row(&["C_SignFinal"], &[Begun], &[Right], Code::Open, Then::Is(Nothing),
        "§5.13.1: or call C_SignUpdate one or more times, followed by C_SignFinal; of none, the code is not said"),
    row(FINAL, &[Updated], &[AskLength], Code::Is(CKR_OK), Then::Same,
        "§5.8.4: unless it is a successful call to determine the length of the buffer needed"),
    row(FINAL, &[Updated], &[Short], Code::Is(CKR_BUFFER_TOO_SMALL), Then::Same,
        "§5.8.4: unless it returns CKR_BUFFER_TOO_SMALL"),
    row(FINAL, &[Begun], &[AskLength, Short], Code::Open, Then::Open,
        "§5.8.4: likewise, but how much comes of no data is the mechanism's matter"),
    row(FINAL, ACTIVE, &[NoLength], Code::Is(CKR_ARGUMENTS_BAD), Then::Is(Nothing),
        "§5.8.4: always terminates"),
    row(FINAL, ACTIVE, &[Unfit], Code::Fails, Then::Is(Nothing),
        "§5.8.4: always terminates"),

    row(VERIFY_FINAL, &[Nothing], &[Right], Code::Is(CKR_OPERATION_NOT_INITIALIZED), Then::Is(Nothing),
        "§5.15.4: the verification operation must have been initialized with C_VerifyInit"),
    row(VERIFY_FINAL, &[Nothing], &[Unfit, CutSignature, NoSignature], Code::Fails, Then::Is(Nothing),
        "§5.15.4: likewise"),
    row(VERIFY_FINAL, &[Updated], &[Right], Code::Is(CKR_OK), Then::Is(Nothing),
        "§5.15.4: a call to C_VerifyFinal always terminates the active verification operation"),
    row(VERIFY_FINAL, &[Begun], &[Right], Code::Open, Then::Is(Nothing),
        "§5.15.1: or call C_VerifyUpdate one or more times, followed by C_VerifyFinal; of none, the code is not said"),
    row(VERIFY_FINAL, ACTIVE, &[Unfit], Code::Is(CKR_SIGNATURE_INVALID), Then::Is(Nothing),
        "§5.15.4: or CKR_SIGNATURE_INVALID, indicating that the supplied signature is invalid"),
    row(VERIFY_FINAL, ACTIVE, &[CutSignature], Code::Is(CKR_SIGNATURE_LEN_RANGE), Then::Is(Nothing),
        "§5.15.4: if it can be seen to be invalid purely on the basis of its length, CKR_SIGNATURE_LEN_RANGE should be returned"),
    row(VERIFY_FINAL, ACTIVE, &[NoSignature], Code::Is(CKR_ARGUMENTS_BAD), Then::Is(Nothing),
        "§5.15.4: always terminates"),
];

pub(super) const fn row(
    functions: &'static [&'static str],
    states: &'static [State],
    calls: &'static [Call],
    code: Code,
    then: Then,
    clause: &'static str,
) -> Row {
    Row { functions, states, calls, code, then, clause }
}
