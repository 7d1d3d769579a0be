//! Every error, each with its `CK_RV` in the same row. Return codes follow the standard (PKCS#11 3.1 §5.1). `status` maps refusals
//! of the service.

mod status;

use cryptoki_sys::*;
use interface::{Status, client};

pub(crate) use self::status::{Call, During};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

macro_rules! errors {
    ($($name:ident = $code:ident $text:literal;)*) => {
        /// Why a call failed.
        #[derive(Debug, thiserror::Error)]
        pub(crate) enum Error {
            $(#[error($text)] $name,)*
            /// The service refused a call, or did not answer.
            #[error("{1}")]
            Service(Call, client::Error),
        }

        impl Error {
            /// The return value that tells the caller.
            pub(crate) fn rv(&self) -> CK_RV {
                match self {
                    $(Self::$name => $code,)*
                    Self::Service(call, error) => status::meaning(*call, error).rv(),
                }
            }

            /// Whether the service refused with this status.
            pub(crate) fn is(&self, status: Status) -> bool {
                matches!(self, Self::Service(_, error) if error.status() == Some(status))
            }

            /// The name of the return value.
            pub(crate) fn name(&self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($code),)*
                    Self::Service(call, error) => status::meaning(*call, error).name(),
                }
            }
        }
    };
}

errors! {
    ActionProhibited = CKR_ACTION_PROHIBITED "the object does not permit this";
    AeadDecryptFailed = CKR_AEAD_DECRYPT_FAILED "the message or its additional data was changed, or the tag is of another message";
    AlreadyInitialized = CKR_CRYPTOKI_ALREADY_INITIALIZED "C_Initialize was called before";
    ArgumentsBad = CKR_ARGUMENTS_BAD "an argument is NULL, too large or contradictory";
    AttributeReadOnly = CKR_ATTRIBUTE_READ_ONLY "the attribute cannot be set";
    AttributeSensitive = CKR_ATTRIBUTE_SENSITIVE "the value never leaves the token";
    AttributeTypeInvalid = CKR_ATTRIBUTE_TYPE_INVALID "the object has no such attribute";
    AttributeValueInvalid = CKR_ATTRIBUTE_VALUE_INVALID "an attribute has an impossible value";
    BufferTooSmall = CKR_BUFFER_TOO_SMALL "the buffer is too small";
    CurveNotSupported = CKR_CURVE_NOT_SUPPORTED "the curve is not one of those the module knows";
    DataInvalid = CKR_DATA_INVALID "the service does not accept the data";
    DataLenRange = CKR_DATA_LEN_RANGE "the data has the wrong length for the mechanism";
    DeviceFailed = CKR_DEVICE_ERROR "the service or its key hardware failed";
    DeviceMemory = CKR_DEVICE_MEMORY "the service has no room left";
    EncryptedDataInvalid = CKR_ENCRYPTED_DATA_INVALID "the data was not encrypted with this key and mechanism, or was changed";
    EncryptedDataLenRange = CKR_ENCRYPTED_DATA_LEN_RANGE "the encrypted data has the wrong length for the mechanism";
    FunctionFailed = CKR_FUNCTION_FAILED "nothing matches what was asked for";
    FunctionNotParallel = CKR_FUNCTION_NOT_PARALLEL "functions do not run in parallel";
    FunctionNotSupported = CKR_FUNCTION_NOT_SUPPORTED "the function is not supported";
    HostMemory = CKR_HOST_MEMORY "the process has no memory left";
    KeyFunctionNotPermitted = CKR_KEY_FUNCTION_NOT_PERMITTED "the key's policy, or the grant under which it is used, forbids this: what it permits tells parsec key show";
    KeyNotWrappable = CKR_KEY_NOT_WRAPPABLE "the key does not leave under this one, which could give it away";
    KeyUnextractable = CKR_KEY_UNEXTRACTABLE "the key never leaves the token";
    KeyHandleInvalid = CKR_KEY_HANDLE_INVALID "there is no such key any more";
    KeyIndigestible = CKR_KEY_INDIGESTIBLE "the value of the key never leaves the token, not for a digest either";
    KeyNotNeeded = CKR_KEY_NOT_NEEDED "the state of a digest needs no key";
    KeySizeRange = CKR_KEY_SIZE_RANGE "the token does not have keys of this size";
    KeyTypeInconsistent = CKR_KEY_TYPE_INCONSISTENT "the mechanism is for another type of key";
    MechanismInvalid = CKR_MECHANISM_INVALID "the token does not have this mechanism for this use";
    MechanismParamInvalid = CKR_MECHANISM_PARAM_INVALID "the mechanism's parameter is missing, malformed or not supported";
    NoEvent = CKR_NO_EVENT "no slot has changed";
    NotInitialized = CKR_CRYPTOKI_NOT_INITIALIZED "C_Initialize was not called in this process";
    ObjectHandleInvalid = CKR_OBJECT_HANDLE_INVALID "there is no such object any more";
    OperationActive = CKR_OPERATION_ACTIVE "the session has an operation of this kind under way";
    OperationNotInitialized = CKR_OPERATION_NOT_INITIALIZED "the session has no operation of this kind under way";
    Panic = CKR_GENERAL_ERROR "a defect of the module";
    ParameterSetNotSupported = CKR_PARAMETER_SET_NOT_SUPPORTED "the parameter set is not known";
    PinIncorrect = CKR_PIN_INCORRECT "the PIN is wrong";
    PinInvalid = CKR_PIN_INVALID "the PIN is not valid UTF-8";
    PinLenRange = CKR_PIN_LEN_RANGE "the PIN is too short or too long";
    PinLocked = CKR_PIN_LOCKED "after wrong PINs, no other is heard for a while or for good";
    SavedStateInvalid = CKR_SAVED_STATE_INVALID "the state was not saved by this version of the module";
    SessionExists = CKR_SESSION_EXISTS "a session with the token is open";
    SessionHandleInvalid = CKR_SESSION_HANDLE_INVALID "there is no such session";
    SessionParallel = CKR_SESSION_PARALLEL_NOT_SUPPORTED "CKF_SERIAL_SESSION is missing";
    SessionReadOnly = CKR_SESSION_READ_ONLY "the session is read-only; open it with CKF_RW_SESSION";
    SessionReadOnlyExists = CKR_SESSION_READ_ONLY_EXISTS "a read-only session forbids the security officer's login";
    SessionReadWriteSo = CKR_SESSION_READ_WRITE_SO_EXISTS "the security officer is logged in, which forbids read-only sessions";
    SignatureInvalid = CKR_SIGNATURE_INVALID "the signature does not match";
    SignatureLenRange = CKR_SIGNATURE_LEN_RANGE "the signature has the wrong length";
    SlotIdInvalid = CKR_SLOT_ID_INVALID "there is no such slot";
    StateUnsaveable = CKR_STATE_UNSAVEABLE "only the state of a digest can be saved";
    TemplateIncomplete = CKR_TEMPLATE_INCOMPLETE "the template lacks a mandatory attribute";
    TemplateInconsistent = CKR_TEMPLATE_INCONSISTENT "the template contradicts itself, the mechanism or what the token can store";
    TokenNotPresent = CKR_TOKEN_NOT_PRESENT "the service does not run, or does not know this client: parsec ping tells which";
    UnwrappingKeyHandleInvalid = CKR_UNWRAPPING_KEY_HANDLE_INVALID "there is no such unwrapping key any more";
    UnwrappingKeyTypeInconsistent = CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT "the mechanism unwraps with another type of key";
    UserAlreadyLoggedIn = CKR_USER_ALREADY_LOGGED_IN "this user is logged in already";
    UserAnotherLoggedIn = CKR_USER_ANOTHER_ALREADY_LOGGED_IN "another user is logged in";
    UserNotLoggedIn = CKR_USER_NOT_LOGGED_IN "no user is logged in, or the key wants the PIN for each use";
    UserPinNotInitialized = CKR_USER_PIN_NOT_INITIALIZED "the user has no PIN yet: the security officer sets one";
    UserTypeInvalid = CKR_USER_TYPE_INVALID "there is no such type of user";
    WrappedKeyInvalid = CKR_WRAPPED_KEY_INVALID "the data was not wrapped with this key and mechanism, or holds another kind of key";
    WrappedKeyLenRange = CKR_WRAPPED_KEY_LEN_RANGE "wrapped keys of this mechanism do not have this length";
    WrappingKeyHandleInvalid = CKR_WRAPPING_KEY_HANDLE_INVALID "there is no such wrapping key any more";
    WrappingKeyTypeInconsistent = CKR_WRAPPING_KEY_TYPE_INCONSISTENT "the mechanism wraps with another type of key";
}
