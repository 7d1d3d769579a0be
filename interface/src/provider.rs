//! Providers and authenticators: the numbers of the header.
//!
//! Numbers of providers from 0x80 up are extensions, which show only on a connection that has said [`Hello`].
//!
//! [`Hello`]: crate::operations::Hello

use crate::Status;
use crate::operations::Tier;

/// The first number that is not upstream's.
const EXTENSIONS: u8 = 0x80;

/// The provider that a request is for (the header's `provider` field).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProviderId(u8);

/// A kind of provider: what the protocol says of it.
#[derive(Debug)]
pub struct ProviderKind {
    /// Its number.
    pub id: ProviderId,
    /// Short name, as key references and the command line write it.
    pub name: &'static str,
    /// Name of its type in the configuration.
    pub config: &'static str,
    /// Where its private keys are when they work.
    pub tier: Tier,
    /// Its fixed UUID.
    pub uuid: &'static str,
}

macro_rules! providers {
    ($($const:ident = $id:literal $name:literal $config:literal $tier:ident $uuid:literal;)*) => {
        impl ProviderId {
            $(#[doc = concat!("The ", $name, " provider.")] pub const $const: Self = Self($id);)*
        }

        /// Every kind that the protocol knows.
        pub const PROVIDERS: &[ProviderKind] =
            &[$(ProviderKind { id: ProviderId($id), name: $name, config: $config, tier: Tier::$tier, uuid: $uuid }),*];
    };
}

providers! {
    CORE = 0 "core" "Core" Software "47049873-2a43-4845-9d72-831eab668784";
    SOFTWARE = 1 "software" "MbedCrypto" Software "1c1139dc-ad7c-47dc-ad6b-db6fdb466552";
    PKCS11 = 2 "pkcs11" "Pkcs11" Hsm "30e39502-eba6-4d60-a4af-c518b7f5e38f";
    TPM = 3 "tpm" "Tpm" Hardware "1e4954a4-ff21-46d3-ab0c-661eeb667e1d";
    TRUSTED_SERVICE = 4 "trusted-service" "TrustedService" Hardware "71129441-508a-4da6-b6e8-7b98a777e4c0";
    CRYPTO_AUTH_LIB = 5 "cryptoauthlib" "CryptoAuthLib" Hardware "b8ba81e2-e9f7-4bdd-b096-a29d0019960c";
    TPM_SEALED = 0x80 "tpm-sealed" "TpmSealed" Sealed "5b03151a-62fe-4289-a4dc-74758fa9338f";
}

impl ProviderId {
    /// The number as the wire has it.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its kind.
    pub fn kind(self) -> &'static ProviderKind {
        PROVIDERS.iter().find(|kind| kind.id == self).unwrap_or(&PROVIDERS[0])
    }

    /// Whether upstream's clients may hear of it.
    pub const fn upstream(self) -> bool {
        self.0 < EXTENSIONS
    }

    /// Its short name.
    pub fn name(self) -> &'static str {
        self.kind().name
    }
}

impl TryFrom<u32> for ProviderId {
    type Error = Status;

    fn try_from(number: u32) -> Result<Self, Status> {
        PROVIDERS.iter().map(|kind| kind.id).find(|id| u32::from(id.0) == number).ok_or(Status::ProviderDoesNotExist)
    }
}

impl std::str::FromStr for ProviderId {
    type Err = Status;

    /// Reads the short name or the number.
    fn from_str(text: &str) -> Result<Self, Status> {
        let named = PROVIDERS.iter().find(|kind| kind.name == text).map(|kind| kind.id);
        named.or_else(|| Self::try_from(text.parse::<u32>().ok()?).ok()).ok_or(Status::ProviderDoesNotExist)
    }
}

impl std::fmt::Display for ProviderId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How a client proves who it is (the header's `auth type` field).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum AuthType {
    /// It does not.
    None = 0,
    /// It says its name, and is believed.
    Direct = 1,
    /// Reserved; never defined.
    Jwt = 2,
    /// The kernel tells the socket peer's user id, which the client repeats as a little-endian `u32`.
    UnixPeerCredentials = 3,
    /// A SPIFFE JWT-SVID.
    JwtSvid = 4,
}

impl AuthType {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::None, Self::Direct, Self::Jwt, Self::UnixPeerCredentials, Self::JwtSvid];
}

impl TryFrom<u32> for AuthType {
    type Error = Status;

    fn try_from(number: u32) -> Result<Self, Status> {
        Self::ALL.iter().copied().find(|auth| *auth as u32 == number).ok_or(Status::AuthenticatorDoesNotExist)
    }
}
