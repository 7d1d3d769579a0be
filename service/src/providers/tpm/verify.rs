//! Judges statements of a distant TPM.
//!
//! All proofs rest on the attestation key (AK). Such a key signs only statements of its TPM. So a caller who knows that the AK
//! belongs to a TPM can believe the rest.

use super::ability;
use super::blob::Blob;
use super::manage::{padded, public_key};
use crate::error::{Error, Result};
use crate::providers::software;
use interface::Status;
use interface::algorithm::Hash;
use interface::attributes::KeyType;
use interface::operations::{Certified, Quoted, Statement};
use interface::spki::PublicKey;
use lc::{Curve, Ec, sha256};
use tss_esapi::constants::tss::TPM2_GENERATED_VALUE;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::structures::{Attest, AttestInfo, EccScheme, HashScheme, Public, Signature};
use tss_esapi::traits::UnMarshall;

/// The claims of a statement, proven if its AK belongs to a TPM.
pub struct Proof<T> {
    /// The statement.
    pub says: T,
    /// The AK.
    pub attesting_key: PublicKey,
    /// How often the TPM was switched on.
    pub resets: u32,
    /// Version of its firmware, as its maker counts.
    pub firmware: u64,
}

/// A key that a TPM holds.
pub struct HeldKey {
    /// Hash algorithm and hash of the public area (TPM 2.0 Part 1 §16).
    pub name: Vec<u8>,
    /// Its type.
    pub key_type: KeyType,
    /// Its size; 0 for HMAC keys, whose size the public area does not tell.
    pub bits: u32,
    /// Its public half; `None` of secret keys.
    pub public: Option<PublicKey>,
    /// The TPM made it and never lets it go. Others were imported: somebody else has had them, and may still.
    pub local: bool,
}

/// The values of PCRs.
pub struct Measured {
    /// The bank.
    pub bank: Hash,
    /// Number and value of each.
    pub values: Vec<(u32, Vec<u8>)>,
}

/// Verifies an answer of [`CertifyKey`](interface::operations::CertifyKey) with this nonce.
///
/// # Errors
/// [`Status::PsaErrorInvalidSignature`] with the first thing that is not as it should be.
pub fn key(certified: &Certified, nonce: &[u8]) -> Result<Proof<HeldKey>> {
    let Certified { statement, public: area } = certified;
    let (attest, attesting_key) = signed(statement.as_ref(), nonce)?;
    Ok(proof(held(&attest, area)?, &attest, attesting_key))
}

/// Verifies an answer of [`Quote`](interface::operations::Quote) with this nonce.
///
/// # Errors
/// As of [`key`].
pub fn quote(quoted: &Quoted, nonce: &[u8]) -> Result<Proof<Measured>> {
    let (attest, attesting_key) = signed(quoted.statement.as_ref(), nonce)?;
    Ok(proof(measured(&attest, &quoted.values)?, &attest, attesting_key))
}

fn proof<T>(says: T, attest: &Attest, attesting_key: PublicKey) -> Proof<T> {
    Proof { says, attesting_key, resets: attest.clock_info().reset_count(), firmware: attest.firmware_version() }
}

/// The claim of a statement about the key with this public area.
fn held(attest: &Attest, area: &[u8]) -> Result<HeldKey> {
    let AttestInfo::Certify { info } = attest.attested() else {
        return Err(wrong("the statement is not about a key but of another type (TPM_ST_ATTEST_CERTIFY is missing)"));
    };
    let public = Public::unmarshall(area).map_err(|_| wrong("the key's public area is none that a TPM writes"))?;
    if name(&public, area)? != info.name().value() {
        return Err(wrong("the statement is about another key: its name is not the hash of this public area"));
    }
    let (key_type, bits) = ability::kind(&public).ok_or_else(|| wrong("the key is of a type that is not known here"))?;
    let attributes = public.object_attributes();
    Ok(HeldKey {
        name: info.name().value().to_vec(),
        key_type,
        bits,
        public: spki(&public, key_type, bits)?,
        local: attributes.fixed_tpm() && attributes.fixed_parent() && attributes.sensitive_data_origin(),
    })
}

/// The claim of a statement about PCRs with these values.
fn measured(attest: &Attest, values: &[Vec<u8>]) -> Result<Measured> {
    let AttestInfo::Quote { info } = attest.attested() else {
        return Err(wrong("the statement is not about PCRs but of another type (TPM_ST_ATTEST_QUOTE is missing)"));
    };
    let [selection] = info.pcr_selection().get_selections() else {
        return Err(wrong("the quote is of more than one bank"));
    };
    let mut numbers: Vec<_> = selection.selected().into_iter().map(|slot| u32::from(slot).trailing_zeros()).collect();
    numbers.sort_unstable();
    if software::digest(Hash::Sha256, &values.concat())? != info.pcr_digest().value() || numbers.len() != values.len() {
        return Err(wrong("the values are not those that were quoted; if a PCR changed just then, ask again"));
    }
    let bank = ability::hash(selection.hashing_algorithm()).ok_or_else(|| wrong("the bank's hash is not known here"))?;
    Ok(Measured { bank, values: numbers.into_iter().zip(values.iter().cloned()).collect() })
}

/// A statement of a TPM with this nonce, and the AK that has signed it.
fn signed(statement: Option<&Statement>, nonce: &[u8]) -> Result<(Attest, PublicKey)> {
    let Statement { attest, signature, attesting_key, .. } = statement.ok_or(Status::InvalidEncoding)?;
    if !attest.starts_with(&TPM2_GENERATED_VALUE.to_be_bytes()) {
        return Err(wrong("the statement does not begin as what TPMs say (TPM_GENERATED_VALUE is missing)"));
    }
    let ak = Public::unmarshall(attesting_key).map_err(|_| wrong("the attestation key is none that a TPM writes"))?;
    let attributes = ak.object_attributes();
    let bound = attributes.fixed_tpm() && attributes.fixed_parent() && attributes.sensitive_data_origin();
    if !(bound && attributes.restricted() && attributes.sign_encrypt() && !attributes.decrypt()) {
        return Err(wrong("the attestation key is not one that signs only what its TPM says"));
    }
    let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
    let public = match (ability::kind(&ak), &ak) {
        (Some((key_type, bits @ 256)), Public::Ecc { parameters, .. }) if parameters.ecc_scheme() == scheme => {
            spki(&ak, key_type, bits)?
        }
        _ => None,
    };
    let public = public.ok_or_else(|| wrong("the attestation key is none of P-256 for ECDSA with SHA-256"))?;
    let Ok(Signature::EcDsa(parts)) = Signature::unmarshall(signature) else {
        return Err(wrong("the signature is none of ECDSA"));
    };
    let parts = [padded(parts.signature_r(), 32)?, padded(parts.signature_s(), 32)?].map(|number| number.to_vec()).concat();
    Ec::from_point(Curve::P256, &public.bytes)
        .and_then(|key| key.verify(&sha256(attest), &parts))
        .map_err(|_| wrong("the signature is not the attestation key's, or the statement was changed"))?;
    let attest = Attest::unmarshall(attest).map_err(|_| wrong("the statement is of a type that is not known here"))?;
    if attest.extra_data().value() != nonce {
        return Err(wrong("the statement is not about this nonce: it may be an old one"));
    }
    Ok((attest, public))
}

/// The name of the key with this public area.
pub(super) fn name_of(area: &[u8]) -> Result<Vec<u8>> {
    name(&Public::unmarshall(area).map_err(|_| wrong("the public area is none that a TPM writes"))?, area)
}

fn name(public: &Public, area: &[u8]) -> Result<Vec<u8>> {
    let algorithm = public.name_hashing_algorithm();
    let hash = ability::hash(algorithm).ok_or_else(|| wrong("the hash of the key's name is not known here"))?;
    let digest = software::digest(hash, area)?;
    Ok([&u16::from(algorithm).to_be_bytes()[..], &digest].concat())
}

/// The public half of a pair.
fn spki(public: &Public, key_type: KeyType, bits: u32) -> Result<Option<PublicKey>> {
    let bytes = public_key(public, bits)?;
    Ok(key_type.is_pair().then(|| PublicKey { key_type: key_type.public(), bits, bytes }))
}

fn wrong(detail: &str) -> Error {
    Error::refused(Status::PsaErrorInvalidSignature, detail)
}

/// Reads bytes as each of the structures that a TPM writes, and as what the store keeps of its keys.
#[doc(hidden)]
pub fn fuzz(data: &[u8]) {
    let (bytes, values) = (data.to_vec(), vec![data.to_vec()]);
    let statement =
        Some(Statement { attest: bytes.clone(), signature: bytes.clone(), attesting_key: bytes.clone(), ..Statement::default() });
    drop(key(&Certified { statement: statement.clone(), public: bytes }, &[]));
    drop(quote(&Quoted { statement, values: values.clone() }, &[]));
    if let Ok(attest) = Attest::unmarshall(data) {
        drop((held(&attest, data), measured(&attest, &values)));
    }
    if let Ok(public) = Public::unmarshall(data) {
        drop(name(&public, data));
        if let Some((key_type, bits)) = ability::kind(&public) {
            drop(spki(&public, key_type, bits));
        }
    }
    drop((Signature::unmarshall(data), Blob::parent(data)));
    if let Ok(blob) = Blob::decode(data) {
        drop(blob.encode());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: &[u8] = &[0x00, 0x11, 0x22, 0x33];

    /// What a TPM has said: the blocks of a PEM file, in their order.
    fn blocks(pem: &str) -> Vec<Vec<u8>> {
        const BEGIN: &str = "-----BEGIN ";
        let decode = |block| der::pem::decode_vec(format!("{BEGIN}{block}").as_bytes()).unwrap().1;
        pem.split(BEGIN).skip(1).map(decode).collect()
    }

    fn statement(blocks: &[Vec<u8>]) -> Option<Statement> {
        let [attest, signature, attesting_key] = [0, 1, 2].map(|at| blocks[at].clone());
        Some(Statement { attest, signature, attesting_key, endorsement_certificate: Vec::new() })
    }

    fn judge_key(blocks: &[Vec<u8>]) -> bool {
        key(&Certified { statement: statement(blocks), public: blocks[3].clone() }, NONCE).is_ok()
    }

    fn judge_quote(blocks: &[Vec<u8>]) -> bool {
        quote(&Quoted { statement: statement(blocks), values: blocks[3..].to_vec() }, NONCE).is_ok()
    }

    #[test]
    fn every_changed_or_missing_byte_of_what_was_said_is_noticed() {
        const ATTESTING_KEY: usize = 2;
        for (judge, said) in [
            (judge_key as fn(&[Vec<u8>]) -> bool, blocks(include_str!("verify/web.attest"))),
            (judge_quote, blocks(include_str!("verify/boot.quote"))),
        ] {
            assert!(judge(&said));
            for (block, bytes) in said.iter().enumerate() {
                for at in 0..bytes.len() {
                    let mut changed = said.clone();
                    changed[block].truncate(at);
                    assert!(!judge(&changed), "block {block} without its bytes from {at} on");
                    for bit in 0..8 {
                        let mut changed = said.clone();
                        changed[block][at] ^= 1 << bit;
                        let noticed = !judge(&changed);
                        // Of the attestation key only what the caller relies on counts, and of the signature its hash is known.
                        assert!(
                            noticed || block == ATTESTING_KEY || (block, at) == (1, 3),
                            "block {block}, byte {at}, bit {bit}"
                        );
                    }
                }
            }
        }
    }
}
