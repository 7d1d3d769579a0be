//! How a command shows that it may use a key, and hides on its way to the chip what nobody between is to see.
//!
//! Without parameter encryption that is the key's password, in the clear. With it, it is one HMAC session that is kept open, since
//! opening one costs more than a signature: passwords are proven and not sent, and the first parameter of each command and answer,
//! which is the secret one, is encrypted. The session's key is made of a salt that only the storage primary can read, the one whose
//! name every stored key has; so it takes the chip itself to use one of them through a session.

use super::chip::{clear_slots, kind};
use super::manage::unfit;
use crate::error::Error;
use crate::providers::software;
use aws_lc_rs::cipher::{AES_128, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::iv::FixedLength;
use interface::Status;
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::constants::tss::TPM2_LOADED_SESSION_FIRST;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Data, Private, Public, SymmetricDefinition};
use tss_esapi::traits::Marshall;
use tss_esapi::{Context, Result};
use zeroize::Zeroizing;

/// Bytes of a key that wraps an imported one.
const KEY: usize = 16;
/// What names begin with: the number of SHA-256 (TPM 2.0 Part 2 §6.3).
const NAME_ALGORITHM: [u8; 2] = [0, 0x0b];

/// Opens a session, whose salt this key reads.
pub(super) fn open(context: &mut Context, salted: Option<KeyHandle>) -> Result<Option<AuthSession>> {
    let cipher = SymmetricDefinition::AES_128_CFB;
    let start = |context: &mut Context| {
        context.start_auth_session(salted, None, None, SessionType::Hmac, cipher, HashingAlgorithm::Sha256)
    };
    let session = match start(context) {
        // A crashed service has left its own, in a chip that is ours alone.
        Err(error) if matches!(kind(error), Some(Kind::SessionMemory | Kind::SessionHandles)) => {
            clear_slots(context, TPM2_LOADED_SESSION_FIRST)?;
            start(context)
        }
        session => session,
    }?;
    let attributes = SessionAttributesBuilder::new().with_continue_session(true).with_decrypt(true).with_encrypt(true);
    let (attributes, mask) = attributes.build();
    if let Some(session) = session {
        context.tr_sess_set_attributes(session, attributes, mask)?;
    }
    Ok(session)
}

/// A key as TPM2_Import takes it (TPM 2.0 Part 1 §23.3.2.2): its sensitive area, marshalled, wrapped with a key, and that key, which is
/// the command's first parameter. The sensitive area itself is not, so no session encrypts it.
pub(super) fn wrap(public: &Public, sensitive: &[u8]) -> crate::error::Result<(Data, Private)> {
    let public = public.marshall().map_err(unfit)?;
    let name = [&NAME_ALGORITHM[..], digest(&SHA256, &public).as_ref()].concat();
    let seen = Zeroizing::new([sensitive, &name].concat());
    let integrity = digest(&SHA256, &seen);
    let len = u16::try_from(integrity.as_ref().len()).unwrap_or_default().to_be_bytes();
    let mut text = Zeroizing::new([&len, integrity.as_ref(), sensitive].concat());
    let key = software::random(KEY)?;
    let failed = |_| Error::from(Status::PsaErrorGenericError);
    let cipher = UnboundCipherKey::new(&AES_128, &key).and_then(EncryptingKey::cfb128).map_err(failed)?;
    let iv = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    cipher.less_safe_encrypt(&mut text, iv).map_err(failed)?;
    Ok((Data::try_from(key.as_slice()).map_err(unfit)?, Private::try_from(text.as_slice()).map_err(unfit)?))
}
