//! C_EncapsulateKey and C_DecapsulateKey (PKCS#11 v3.2 §5.18.8 and §5.18.9): the shared secret becomes a key.

use std::cell::RefCell;

use cryptoki_sys::*;
use interface::Filing;
use interface::algorithm::Algorithm;
use interface::attributes::Usage;
use interface::kind::Parameters;
use interface::operations::{Decapsulate, Encapsulate};

use super::destination::Destination;
use super::wrap::secret;
use super::{change, object_management};
use crate::error::{Call, Error, Result};
use crate::ffi::{Mechanism, Out, Output, Template};
use crate::mechanism::{self, Work};
use crate::objects::{attributes::Origin, object::KeyObject};
use crate::state;

/// C_EncapsulateKey. A length query makes nothing.
pub(crate) fn encapsulate(
    handle: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    public_key: CK_OBJECT_HANDLE,
    template: &Template,
    ciphertext: &Output<u8>,
    new: Option<&Out<CK_OBJECT_HANDLE>>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    module.slots.check(session.provider, mechanism.kind(), CKF_ENCAPSULATE)?;
    let with = object_management::key_for(&module, mechanism, public_key, CKO_PUBLIC_KEY)?;
    let with = with.key().ok_or(Error::KeyHandleInvalid)?;
    let algorithm = algorithm(mechanism, with, Usage::ENCRYPT)?;
    if !ciphertext.takes(ciphertext_len(with))? {
        return Ok(());
    }
    let new = new.ok_or(Error::ArgumentsBad)?;
    let destination = Destination::new(handle, CKO_SECRET_KEY, template, Origin::Generated)?;
    let attributes = secret(template)?;
    let op = Encapsulate {
        attributes: Some((&attributes).into()),
        with_name: with.name.clone(),
        with_owner: with.owner(),
        alg: Some(algorithm.into()),
        ..Encapsulate::default()
    };
    let made = RefCell::new(None);
    let key = destination.new_key(
        Call::Encapsulate,
        CKO_SECRET_KEY,
        template,
        &attributes,
        |Filing { name, label, id, volatile, pkcs11 }| {
            let op = Encapsulate { key_name: name, label, id, volatile, pkcs11, ..op.clone() };
            let encapsulated = module.call(session.provider, &op)?;
            made.replace(Some(encapsulated.ciphertext.clone()));
            Ok(())
        },
    );
    let key = key?;
    let Some(made) = made.take() else {
        // It is lost with an answer, and nobody has any use for the key.
        change::destroy(handle, key)?;
        return Err(Error::DeviceFailed);
    };
    new.set(key);
    ciphertext.write(&made)
}

/// C_DecapsulateKey. A ciphertext that was made for another key gives a key that nobody else has (FIPS 203 §6.3).
pub(crate) fn decapsulate(
    handle: CK_SESSION_HANDLE,
    mechanism: &Mechanism,
    private_key: CK_OBJECT_HANDLE,
    template: &Template,
    ciphertext: &[u8],
    new: &Out<CK_OBJECT_HANDLE>,
) -> Result<()> {
    let module = state::current()?;
    let session = module.session(handle)?;
    module.slots.check(session.provider, mechanism.kind(), CKF_DECAPSULATE)?;
    let with = object_management::key_for(&module, mechanism, private_key, CKO_PRIVATE_KEY)?;
    let with = with.key().ok_or(Error::KeyHandleInvalid)?;
    let algorithm = algorithm(mechanism, with, Usage::DECRYPT)?;
    if ciphertext.len() != ciphertext_len(with) {
        return Err(Error::WrappedKeyLenRange);
    }
    let destination = Destination::new(handle, CKO_SECRET_KEY, template, Origin::Generated)?;
    let attributes = secret(template)?;
    let op = Decapsulate {
        attributes: Some((&attributes).into()),
        with_name: with.name.clone(),
        with_owner: with.owner(),
        alg: Some(algorithm.into()),
        ciphertext: ciphertext.to_vec(),
        ..Decapsulate::default()
    };
    let key = destination.new_key(
        Call::Encapsulate,
        CKO_SECRET_KEY,
        template,
        &attributes,
        |Filing { name, label, id, volatile, pkcs11 }| {
            module.call(session.provider, &Decapsulate { key_name: name, label, id, volatile, pkcs11, ..op.clone() })
        },
    );
    new.set(key?);
    Ok(())
}

/// What the mechanism comes down to, if the key is for it.
fn algorithm(mechanism: &Mechanism, with: &KeyObject, usage: Usage) -> Result<Algorithm> {
    let kem = mechanism::find(mechanism.kind(), |work| match work {
        Work::Encapsulate(kem) => Some(kem),
        _ => None,
    })?;
    with.check_work(Work::Encapsulate(kem), usage)?;
    if mechanism.has_parameter() { Err(Error::MechanismParamInvalid) } else { Ok(kem.into()) }
}

/// In bytes.
fn ciphertext_len(with: &KeyObject) -> usize {
    Parameters::of(with.attributes.key_type, with.attributes.bits).map_or(0, |set| set.output_len)
}
