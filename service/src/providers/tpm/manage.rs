//! Making, storing and destroying keys.

use super::blob::Blob;
use super::duplicate;
use super::failure::{odd, unfit};
use super::template::{self, Parameters, Unique};
use super::{ReadyKey, Tpm};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use crate::providers::software::{self, Private};
use crate::store::Material;
use interface::Status;
use interface::algorithm::Hash;
use interface::attributes::{Attributes, Usage};
use interface::message::Empty;
use interface::operations::{CopyKey, DestroyKey, GenerateKey, ImportKey, Tier};
use interface::spki;
use tss_esapi::handles::ObjectHandle;
use tss_esapi::structures::{
    Auth, Digest, EccParameter, EccPoint, EncryptedSecret, PrivateKeyRsa, Public, PublicKeyRsa, Sensitive, SensitiveBuffer,
    SensitiveData, SymmetricDefinitionObject, SymmetricKey,
};
use tss_esapi::traits::Marshall;
use zeroize::Zeroizing;

/// Bytes of the password that the chip wants for the use of a key.
const PASSWORD: usize = 32;
/// Length in bytes of the value that blinds a secret key's public digest.
const SEED: usize = 32;
/// The public exponent of the chip's RSA keys, big-endian.
pub(super) const EXPONENT: &[u8] = &[1, 0, 1];

/// Bits of the HMAC keys that the chip makes: as many as the hash of its name has.
const HMAC_BITS: u32 = 256;

impl Handle<GenerateKey> for Tpm {
    fn handle(&self, call: &Call<'_>, _: GenerateKey) -> Result<Empty> {
        let attributes = call.attributes()?;
        let parameters = self.ability.parameters(attributes.key_type, attributes.bits)?;
        if matches!(parameters, Parameters::Hmac) && attributes.bits != HMAC_BITS {
            return self.take(call, attributes.clone(), &software::ParsedKey::generate(attributes, &[])?, true);
        }
        call.check_name()?;
        let auth = password()?;
        let made = self.run(call.store(), |chip| {
            let template = template::key(parameters, Unique::default(), true)?;
            let made =
                chip.with_primary(|context, primary| context.create(primary, template, Some(auth.clone()), None, None, None))?;
            chip.proven(Blob::new(chip.name.clone(), auth.clone(), made.out_private, made.out_public))
        });
        let blob = made.map_err(|failure| failure.explain(&self.chip_owner.settings))?;
        let data = public_key(&blob.public, attributes.bits)?;
        // Refuses a key that the chip has made badly: see CVE-2017-15361.
        let import = |data: &Vec<u8>| software::ParsedKey::import(&attributes.public(), data);
        let public = Some(&data).filter(|data| !data.is_empty()).map(import).transpose()?.map(|(_, public)| public);
        let material = Material {
            private: blob.encode()?,
            public_key: data,
            attributes: attributes.clone(),
            tier: Tier::Hardware,
            local: true,
            past: Usage::NONE,
        };
        call.commit(call.reserve()?, material, ReadyKey { public, blob: Some(blob) })?;
        Ok(Empty {})
    }
}

impl Handle<ImportKey> for Tpm {
    fn handle(&self, call: &Call<'_>, op: ImportKey) -> Result<Empty> {
        let (attributes, key) = software::ParsedKey::import(call.attributes()?, &op.data)?;
        if attributes.key_type.is_public() {
            let material = Material {
                private: Vec::new().into(),
                public_key: key.public()?,
                attributes,
                tier: Tier::Software,
                local: false,
                past: Usage::NONE,
            };
            call.reserve()?.commit(material)?;
            return Ok(Empty {});
        }
        self.take(call, attributes, &key, false)
    }
}

impl Tpm {
    /// Puts a private or secret key into the chip.
    pub(super) fn take(&self, call: &Call<'_>, attributes: Attributes, key: &software::ParsedKey, local: bool) -> Result<Empty> {
        let parameters = self.ability.parameters(attributes.key_type, attributes.bits)?;
        call.check_name()?;
        let auth = password()?;
        let (public, plain) = transferable(parameters, key, &auth)?;
        let (wrapping, wrapped) = duplicate::wrap(&public, &plain)?;
        let imported = self.run(call.store(), |chip| {
            let private = chip.with_primary(|context, primary| {
                let (wrapping, wrapped) = (Some(wrapping.clone()), wrapped.clone());
                let (primary, cipher) = (ObjectHandle::from(primary), SymmetricDefinitionObject::AES_128_CFB);
                context.import(primary, wrapping, public.clone(), wrapped, EncryptedSecret::default(), cipher)
            })?;
            chip.proven(Blob::new(chip.name.clone(), auth.clone(), private, public.clone()))
        });
        let blob = imported.map_err(|failure| failure.explain(&self.chip_owner.settings))?;
        call.reserve()?.commit(Material {
            private: blob.encode()?,
            public_key: if attributes.key_type.is_pair() { key.public()? } else { Vec::new() },
            attributes,
            tier: Tier::Hardware,
            local,
            past: Usage::NONE,
        })?;
        Ok(Empty {})
    }
}

impl Handle<CopyKey> for Tpm {
    fn handle(&self, call: &Call<'_>, _: CopyKey) -> Result<Empty> {
        let original = call.key()?;
        call.reserve()?.commit(Material {
            private: call.store().material(original)?,
            public_key: original.public_key.clone(),
            attributes: Attributes { bits: original.attributes.bits, ..call.attributes()?.clone() },
            tier: original.tier,
            local: original.local,
            past: original.past,
        })?;
        Ok(Empty {})
    }
}

impl Handle<DestroyKey> for Tpm {
    fn handle(&self, call: &Call<'_>, _: DestroyKey) -> Result<Empty> {
        call.store().destroy(call.key()?)?.commit();
        Ok(Empty {})
    }
}

pub(super) fn password() -> Result<Auth> {
    let bytes = software::random(PASSWORD)?;
    Auth::try_from(bytes.as_slice()).map_err(unfit)
}

/// A key as TPM2_Import takes it (TPM 2.0 Part 3 §13.3): public area and sensitive area, marshalled.
fn transferable(parameters: Parameters, key: &software::ParsedKey, auth: &Auth) -> Result<(Public, Zeroizing<Vec<u8>>)> {
    let (auth_value, seed_value) = (auth.clone(), Digest::default());
    let (unique, sensitive) = match key.private()? {
        Private::Prime(prime) => {
            let public = key.public()?;
            let (modulus, exponent) = spki::rsa_parts(&public).ok_or(Status::PsaErrorInvalidArgument)?;
            if exponent != EXPONENT {
                let detail = "the TPM provider takes only RSA keys with the public exponent 65537";
                return Err(Error::refused(Status::PsaErrorNotSupported, detail));
            }
            let unique = Unique { modulus: PublicKeyRsa::try_from(modulus).map_err(unfit)?, ..Unique::default() };
            let sensitive = PrivateKeyRsa::try_from(prime.as_slice()).map_err(unfit)?;
            (unique, Sensitive::Rsa { auth_value, seed_value, sensitive })
        }
        Private::Scalar(scalar) => {
            let unique = Unique { point: point(&key.public()?)?, ..Unique::default() };
            let sensitive = EccParameter::try_from(scalar.as_slice()).map_err(unfit)?;
            (unique, Sensitive::Ecc { auth_value, seed_value, sensitive })
        }
        Private::Bytes(bytes) => {
            // The public area has a digest of the key, which the seed hides it behind (TPM 2.0 Part 1 §27.5.3).
            let seed = software::random(SEED)?;
            let digest = software::digest(Hash::Sha256, &Zeroizing::new([&seed[..], bytes].concat()))?;
            let unique = Unique { digest: Digest::try_from(digest).map_err(unfit)?, ..Unique::default() };
            let seed_value = Digest::try_from(seed.as_slice()).map_err(unfit)?;
            let sensitive = match parameters {
                Parameters::Hmac => {
                    Sensitive::Bits { auth_value, seed_value, sensitive: SensitiveData::try_from(bytes).map_err(unfit)? }
                }
                _ => Sensitive::Symmetric { auth_value, seed_value, sensitive: SymmetricKey::try_from(bytes).map_err(unfit)? },
            };
            (unique, sensitive)
        }
    };
    let plain = Zeroizing::new(SensitiveBuffer::try_from(sensitive).and_then(|buffer| buffer.marshall()).map_err(unfit)?);
    Ok((template::key(parameters, unique, false).map_err(unfit)?, plain))
}

/// A point from its uncompressed form.
pub(super) fn point(bytes: &[u8]) -> Result<EccPoint> {
    let (x, y) = bytes[1..].split_at(bytes.len() / 2);
    Ok(EccPoint::new(EccParameter::try_from(x).map_err(unfit)?, EccParameter::try_from(y).map_err(unfit)?))
}

/// The public key as on the wire; empty of a secret key.
pub(super) fn public_key(public: &Public, bits: u32) -> Result<Vec<u8>> {
    match public {
        Public::Rsa { unique, .. } => spki::rsa_key(unique, EXPONENT).ok_or_else(odd),
        Public::Ecc { unique, .. } => {
            let len = bits.div_ceil(8) as usize;
            Ok([&[4][..], &padded(unique.x(), len)?, &padded(unique.y(), len)?].concat())
        }
        Public::KeyedHash { .. } | Public::SymCipher { .. } => Ok(Vec::new()),
    }
}

/// A big-endian number in this length: chips leave leading zeros out.
pub(super) fn padded(number: &[u8], len: usize) -> Result<Zeroizing<Vec<u8>>> {
    let zeros = len.checked_sub(number.len()).ok_or_else(odd)?;
    let mut bytes = Zeroizing::new(vec![0; len]);
    bytes[zeros..].copy_from_slice(number);
    Ok(bytes)
}
