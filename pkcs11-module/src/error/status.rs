//! What it means to a program that the service refuses a call: one table of statuses and kinds of calls. The codes are those that the
//! function may return (PKCS#11 v3.1 §5). The service hears of an operation at its end, so what C_SignInit would say comes out of C_Sign.

use interface::Status;
use interface::client;

use super::{Error, Result};

macro_rules! calls {
    ($($name:ident $text:literal;)*) => {
        /// A kind of call, as far as refusals mean different things.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Call {
            $(#[doc = $text] $name,)*
        }

        #[cfg(test)]
        const CALLS: &[Call] = &[$(Call::$name),*];
    };
}

calls! {
    Initialize "Learns where the service is.";
    Ask "What there is, and random numbers.";
    Login "Checks or sets a PIN.";
    Create "Brings an object.";
    CreateTwice "Brings a key by its seed and by its value.";
    Generate "Makes a key of one of several sizes.";
    GenerateSized "Makes a key of a type that has one size.";
    Derive "Makes a key by derivation.";
    Encapsulate "Makes a key of a shared secret.";
    Unwrap "Makes a key of a wrapped one.";
    Wrap "Wraps a key.";
    Copy "Copies an object.";
    Change "Changes an object.";
    Destroy "Destroys an object.";
    Read "Reads the value of a key, for a digest.";
    Sign "Makes a signature.";
    Verify "Checks a signature.";
    Mac "Makes a MAC.";
    VerifyMac "Checks a MAC.";
    Encrypt "Encrypts, by message too.";
    Decrypt "Decrypts.";
    Open "Decrypts a message of a message-based operation.";
}

/// Names the kind of call that has failed.
pub(crate) trait During<T> {
    fn during(self, call: Call) -> Result<T>;
}

impl<T> During<T> for Result<T, client::Error> {
    fn during(self, call: Call) -> Result<T> {
        self.map_err(|error| Error::Service(call, error))
    }
}

impl<T> During<T> for Result<T> {
    fn during(self, call: Call) -> Self {
        self.map_err(|error| match error {
            Error::Service(_, error) => Error::Service(call, error),
            other => other,
        })
    }
}

/// What a failure of the service, or on the way to it, means.
pub(super) fn meaning(call: Call, error: &client::Error) -> Error {
    match error {
        client::Error::Refused { status, .. } => refusal(call, *status),
        client::Error::Upstream(_) | client::Error::Older(_) => Error::FunctionNotSupported,
        // §5.1.3: C_Initialize uses no token
        _ if call == Call::Initialize => Error::FunctionFailed,
        _ => Error::DeviceFailed,
    }
}

/// Kinds of faults. Several statuses of the service are one kind.
enum Fault {
    NotPermitted,
    NotOfficer,
    Unsupported,
    NoSuchOperation,
    Deprecated,
    Mismatch,
    Invalid,
    BadState,
    TooLong,
    Full,
    Gone,
    Exists,
    Unknown,
    Failed,
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        match status {
            Status::PsaErrorNotPermitted => Self::NotPermitted,
            Status::AdminOperation => Self::NotOfficer,
            Status::PsaErrorNotSupported => Self::Unsupported,
            Status::OpcodeDoesNotExist => Self::NoSuchOperation,
            Status::DeprecatedPrimitive => Self::Deprecated,
            Status::PsaErrorInvalidSignature => Self::Mismatch,
            Status::PsaErrorInvalidArgument | Status::PsaErrorInvalidPadding | Status::InvalidEncoding => Self::Invalid,
            Status::PsaErrorBadState => Self::BadState,
            Status::BodySizeExceedsLimit | Status::ResponseTooLarge => Self::TooLong,
            Status::PsaErrorInsufficientMemory | Status::PsaErrorInsufficientStorage => Self::Full,
            Status::PsaErrorDoesNotExist | Status::PsaErrorInvalidHandle => Self::Gone,
            Status::PsaErrorAlreadyExists => Self::Exists,
            Status::ProviderNotRegistered
            | Status::ProviderDoesNotExist
            | Status::NotAuthenticated
            | Status::AuthenticationError
            | Status::AuthenticatorNotRegistered => Self::Unknown,
            _ => Self::Failed,
        }
    }
}

fn refusal(call: Call, status: Status) -> Error {
    use Call::*;
    use Fault::*;
    match (Fault::from(status), call) {
        (_, Initialize) => Error::FunctionFailed,

        // §5.1.6: the attributes of the object, or the policy of the token, forbid it
        (NotPermitted | NotOfficer, Destroy) | (NotPermitted, Copy | Change) => Error::ActionProhibited,
        (NotPermitted, Wrap) => Error::KeyNotWrappable,
        (NotPermitted, Read) => Error::KeyIndigestible,
        // §4.1.1: the token cannot support the precise template
        (NotPermitted, Create | CreateTwice | Generate | GenerateSized) => Error::TemplateInconsistent,
        (NotPermitted | NotOfficer, Ask) => Error::FunctionFailed,
        // a restart of the service logs the security officer out
        (NotPermitted, Login) | (NotOfficer, _) => Error::UserNotLoggedIn,
        (NotPermitted, _) => Error::KeyFunctionNotPermitted,

        // the call was made because the provider has the mechanism: what it does not have is the size
        (Unsupported, Create | CreateTwice | Generate | GenerateSized | Derive | Encapsulate | Unwrap) => Error::KeySizeRange,
        (Unsupported, Copy | Change | Destroy) => Error::ActionProhibited,
        (Unsupported | NoSuchOperation, Ask | Login | Create | CreateTwice | Copy | Change | Destroy | Read) => {
            Error::FunctionNotSupported
        }
        (Unsupported | NoSuchOperation, _) => Error::MechanismInvalid,

        (Deprecated, GenerateSized) => Error::MechanismInvalid,
        (Deprecated, Copy | Change | Destroy) => Error::ActionProhibited,
        (Deprecated, Ask | Login) => Error::FunctionFailed,
        (Deprecated, _) => Error::KeySizeRange,

        (Mismatch, Login) => Error::PinIncorrect,
        (Mismatch, Verify | VerifyMac) => Error::SignatureInvalid,
        (Invalid, Login) => Error::PinLenRange,
        (BadState, Login) => Error::PinLocked,
        (Gone, Login) => Error::UserPinNotInitialized,

        (Mismatch | Invalid, Decrypt) => Error::EncryptedDataInvalid,
        (Mismatch | Invalid, Open) => Error::AeadDecryptFailed,
        (Mismatch | Invalid, Unwrap) => Error::WrappedKeyInvalid,
        // §4.1.1: the seed is of another key
        (Invalid, CreateTwice) => Error::TemplateInconsistent,
        (Invalid, Create | Generate | GenerateSized | Copy | Change) => Error::AttributeValueInvalid,
        // the template was checked: only the parameters can still be wrong
        (Invalid, Derive) => Error::MechanismParamInvalid,
        // the secret has 32 bytes: of other lengths and for other types no key is made of it
        (Invalid, Encapsulate) => Error::KeySizeRange,
        // §5.18.3: it cannot be wrapped because of its length
        (Invalid, Wrap) => Error::KeySizeRange,
        // nothing but its length can be wrong: a TPM takes none that is longer than its buffer
        (Invalid, Mac | VerifyMac) => Error::DataLenRange,
        (Invalid, Sign | Verify | Encrypt) => Error::DataInvalid,
        (Invalid, Ask | Destroy | Read) => Error::FunctionFailed,

        (TooLong, Sign | Verify | Mac | VerifyMac | Encrypt) => Error::DataLenRange,
        (TooLong, Decrypt | Open) => Error::EncryptedDataLenRange,
        (TooLong | Full, _) => Error::DeviceMemory,

        // a key that was there when the operation began may be gone at its end
        (Gone, Copy | Change | Destroy) => Error::ObjectHandleInvalid,
        (Gone, Wrap) => Error::WrappingKeyHandleInvalid,
        (Gone, Unwrap) => Error::UnwrappingKeyHandleInvalid,
        (Gone, Derive | Encapsulate | Read) => Error::KeyHandleInvalid,
        (Gone, Sign | Verify | Mac | VerifyMac | Encrypt | Decrypt | Open) => Error::KeyHandleInvalid,

        (Exists, Create | CreateTwice | Generate | GenerateSized | Derive | Encapsulate | Unwrap | Copy) => {
            Error::TemplateInconsistent
        }
        // §5.1.4: any function that uses a token
        (Unknown, _) => Error::TokenNotPresent,
        (Mismatch | BadState | Gone | Exists | Failed, _) => Error::DeviceFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptoki_sys::*;
    use interface::Opcode;

    /// §5.1.1, §5.1.3 and §5.1.6: of any function, and of those that use a token.
    const ANY: &[CK_RV] = &[CKR_FUNCTION_FAILED, CKR_FUNCTION_NOT_SUPPORTED];
    const TOKEN: &[CK_RV] = &[CKR_DEVICE_ERROR, CKR_DEVICE_MEMORY, CKR_TOKEN_NOT_PRESENT];

    const NEW: &[CK_RV] = &[CKR_ATTRIBUTE_VALUE_INVALID, CKR_TEMPLATE_INCONSISTENT, CKR_USER_NOT_LOGGED_IN];
    const MECHANISM: &[CK_RV] = &[CKR_MECHANISM_INVALID, CKR_MECHANISM_PARAM_INVALID];
    /// Of what begins an operation.
    const KEY: &[CK_RV] = &[CKR_KEY_FUNCTION_NOT_PERMITTED, CKR_KEY_HANDLE_INVALID, CKR_KEY_SIZE_RANGE, CKR_USER_NOT_LOGGED_IN];
    const DATA: &[CK_RV] = &[CKR_DATA_INVALID, CKR_DATA_LEN_RANGE];
    /// No list has it, and §5.1.6 describes it as what a key of such a size, or without such a right, is told.
    const SIZE: &[CK_RV] = &[CKR_KEY_SIZE_RANGE];
    const RIGHT: &[CK_RV] = &[CKR_KEY_FUNCTION_NOT_PERMITTED];

    /// The return values of the functions that make such calls.
    fn may(call: Call) -> Vec<&'static [CK_RV]> {
        match call {
            Call::Initialize => vec![],
            Call::Ask => vec![TOKEN],
            // C_Login, C_InitPIN, C_SetPIN: §5.6.8, §5.5.7, §5.5.8
            Call::Login => vec![
                TOKEN,
                &[CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_PIN_LEN_RANGE, CKR_USER_PIN_NOT_INITIALIZED, CKR_USER_NOT_LOGGED_IN],
            ],
            Call::Create | Call::CreateTwice => vec![TOKEN, NEW, SIZE],
            Call::Generate | Call::GenerateSized => vec![TOKEN, NEW, MECHANISM, SIZE],
            Call::Derive | Call::Encapsulate => vec![TOKEN, NEW, MECHANISM, KEY],
            Call::Unwrap => {
                vec![TOKEN, NEW, MECHANISM, &[CKR_UNWRAPPING_KEY_HANDLE_INVALID, CKR_WRAPPED_KEY_INVALID], SIZE, RIGHT]
            }
            Call::Wrap => vec![
                TOKEN,
                MECHANISM,
                &[CKR_KEY_NOT_WRAPPABLE, CKR_KEY_SIZE_RANGE, CKR_USER_NOT_LOGGED_IN, CKR_WRAPPING_KEY_HANDLE_INVALID],
            ],
            Call::Copy | Call::Change => vec![TOKEN, NEW, &[CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID]],
            Call::Destroy => vec![TOKEN, &[CKR_ACTION_PROHIBITED, CKR_OBJECT_HANDLE_INVALID]],
            Call::Read => {
                vec![TOKEN, &[CKR_KEY_HANDLE_INVALID, CKR_KEY_INDIGESTIBLE, CKR_KEY_SIZE_RANGE, CKR_USER_NOT_LOGGED_IN]]
            }
            Call::Sign | Call::Mac => vec![TOKEN, MECHANISM, KEY, DATA],
            Call::Verify | Call::VerifyMac => vec![TOKEN, MECHANISM, KEY, DATA, &[CKR_SIGNATURE_INVALID]],
            Call::Encrypt => vec![TOKEN, MECHANISM, KEY, DATA],
            Call::Decrypt => {
                vec![TOKEN, MECHANISM, KEY, &[CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE]]
            }
            Call::Open => vec![TOKEN, MECHANISM, KEY, &[CKR_AEAD_DECRYPT_FAILED, CKR_ENCRYPTED_DATA_LEN_RANGE]],
        }
    }

    #[test]
    fn a_refusal_is_told_by_a_code_that_the_function_may_return() {
        let refused = Status::ALL.iter().map(|status| client::Error::refused(*status, ""));
        let errors: Vec<_> = refused.chain([client::Error::Upstream(Opcode::Find), client::Error::Closed]).collect();
        for (&call, error) in CALLS.iter().flat_map(|call| errors.iter().map(move |error| (call, error))) {
            let (code, name) = (meaning(call, error).rv(), meaning(call, error).name());
            let listed = may(call).into_iter().chain([ANY]).flatten().any(|may| *may == code);
            assert!(listed, "{call:?}: {error:?} is {name}");
        }
    }

    /// What makes objects differs in nothing that all of them can meet.
    #[test]
    fn kinds_of_making_agree_on_what_they_share() {
        use Call::{Copy, Create, CreateTwice, Derive, Encapsulate, Generate, GenerateSized, Unwrap};
        for (status, code) in [
            (Status::BodySizeExceedsLimit, CKR_DEVICE_MEMORY),
            (Status::PsaErrorInsufficientStorage, CKR_DEVICE_MEMORY),
            (Status::PsaErrorAlreadyExists, CKR_TEMPLATE_INCONSISTENT),
            (Status::AdminOperation, CKR_USER_NOT_LOGGED_IN),
            (Status::NotAuthenticated, CKR_TOKEN_NOT_PRESENT),
            (Status::PsaErrorHardwareFailure, CKR_DEVICE_ERROR),
        ] {
            for call in [Create, CreateTwice, Generate, GenerateSized, Derive, Encapsulate, Unwrap, Copy] {
                assert_eq!(refusal(call, status).rv(), code, "{call:?} {status:?}");
            }
        }
    }
}
