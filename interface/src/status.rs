//! Response status codes: one list for the service, the client and both shims.

macro_rules! statuses {
    ($($name:ident = $code:literal $text:literal;)*) => {
        /// How a request ended (the header's `status` field).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum Status {
            $(#[doc = $text] $name = $code,)*
        }

        impl Status {
            /// Every status, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }

        impl TryFrom<u16> for Status {
            type Error = Self;

            /// An unknown number is [`Status::InvalidEncoding`].
            fn try_from(code: u16) -> Result<Self, Self> {
                match code {
                    $($code => Ok(Self::$name),)*
                    _ => Err(Self::InvalidEncoding),
                }
            }
        }
    };
}

statuses! {
    Success = 0 "success";
    WrongProviderId = 1 "the request reached a provider it was not meant for";
    ContentTypeNotSupported = 2 "the content type is not supported";
    AcceptTypeNotSupported = 3 "the accept type is not supported";
    WireProtocolVersionNotSupported = 4 "the wire protocol version is not supported";
    ProviderNotRegistered = 5 "the service has no such provider";
    ProviderDoesNotExist = 6 "there is no provider with this number";
    DeserializingBodyFailed = 7 "the request body could not be decoded";
    SerializingBodyFailed = 8 "the response body could not be encoded";
    OpcodeDoesNotExist = 9 "there is no operation with this number";
    ResponseTooLarge = 10 "the response would be larger than the service allows";
    AuthenticationError = 11 "authentication failed";
    AuthenticatorDoesNotExist = 12 "there is no authenticator with this number";
    AuthenticatorNotRegistered = 13 "the service does not use this authenticator";
    KeyInfoManagerError = 14 "the key store failed";
    ConnectionError = 15 "the connection broke or timed out";
    InvalidEncoding = 16 "a field holds an invalid value";
    InvalidHeader = 17 "the header is invalid";
    WrongProviderUuid = 18 "the provider UUID is invalid";
    NotAuthenticated = 19 "the operation needs an authenticated client";
    BodySizeExceedsLimit = 20 "the body is larger than the service allows";
    AdminOperation = 21 "the operation is for administrators";
    DeprecatedPrimitive = 22 "the key type or algorithm is deprecated";
    PsaErrorGenericError = 1132 "unspecified failure";
    PsaErrorNotPermitted = 1133 "the key's policy or a missing grant forbids this";
    PsaErrorNotSupported = 1134 "the provider does not support this";
    PsaErrorInvalidArgument = 1135 "an argument is invalid";
    PsaErrorInvalidHandle = 1136 "the key handle is invalid";
    PsaErrorBadState = 1137 "not possible in the current state";
    PsaErrorBufferTooSmall = 1138 "a buffer is too small";
    PsaErrorAlreadyExists = 1139 "a key of this name exists already";
    PsaErrorDoesNotExist = 1140 "there is no such key, or it was not granted to you";
    PsaErrorInsufficientMemory = 1141 "out of memory";
    PsaErrorInsufficientStorage = 1142 "out of storage";
    PsaErrorInsufficientData = 1143 "not enough data";
    PsaErrorCommunicationFailure = 1145 "the key hardware did not answer";
    PsaErrorStorageFailure = 1146 "the storage failed";
    PsaErrorHardwareFailure = 1147 "the key hardware failed";
    PsaErrorInsufficientEntropy = 1148 "not enough entropy";
    PsaErrorInvalidSignature = 1149 "the signature, MAC or hash does not match";
    PsaErrorInvalidPadding = 1150 "the padding is invalid";
    PsaErrorCorruptionDetected = 1151 "tampering was detected";
    PsaErrorDataCorrupt = 1152 "stored data is corrupt";
    PsaErrorDataInvalid = 1153 "stored data is invalid";
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Status {}
