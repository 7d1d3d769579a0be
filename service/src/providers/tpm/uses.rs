//! Using keys. The software provider hashes and pads, and the chip does the step with the private key. So every scheme, hash and
//! label works on every chip.

use super::failure::{Failure, odd, unfit};
use super::manage::{padded, point};
use super::{ReadyKey, Tpm};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::key::Key;
use crate::provider::Handle;
use crate::providers::software::{Unsigned, check_new};
use interface::Status;
use interface::algorithm::{Agreement, Encryption, Signature};
use interface::message::Empty;
use interface::operations::{
    Agreed, AsymmetricDecrypt, AsymmetricEncrypt, Decrypted, Encrypted, RawKeyAgreement, SignHash, SignMessage, Signed,
    VerifyHash, VerifyMessage,
};
use interface::spki;
use tss_esapi::Context;
use tss_esapi::constants::tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK};
use tss_esapi::handles::KeyHandle;
use tss_esapi::structures::{
    Data, Digest, HashScheme, HashcheckTicket, PublicKeyRsa, RsaDecryptionScheme, Signature as Answer, SignatureScheme,
};
use tss_esapi::tss2_esys::TPMT_TK_HASHCHECK;
use zeroize::Zeroizing;

impl Handle<SignHash> for Tpm {
    fn handle(&self, call: &Call<'_>, op: SignHash) -> Result<Signed> {
        let (held, algorithm) = signing(call)?;
        let unsigned = held.public()?.unsigned_hash(algorithm, &op.hash, &op.context)?;
        Ok(Signed { signature: self.sign(call, &held, unsigned)? })
    }
}

impl Handle<SignMessage> for Tpm {
    fn handle(&self, call: &Call<'_>, op: SignMessage) -> Result<Signed> {
        let (held, algorithm) = signing(call)?;
        let unsigned = held.public()?.unsigned_message(algorithm, &op.message, &op.context)?;
        Ok(Signed { signature: self.sign(call, &held, unsigned)? })
    }
}

impl Handle<VerifyHash> for Tpm {
    fn handle(&self, call: &Call<'_>, op: VerifyHash) -> Result<Empty> {
        let algorithm = call.algorithm()?.try_into()?;
        Self::held(call)?.public()?.verify_hash(algorithm, &op.hash, &op.signature, &op.context)?;
        Ok(Empty {})
    }
}

impl Handle<VerifyMessage> for Tpm {
    fn handle(&self, call: &Call<'_>, op: VerifyMessage) -> Result<Empty> {
        let algorithm = call.algorithm()?.try_into()?;
        Self::held(call)?.public()?.verify_message(algorithm, &op.message, &op.signature, &op.context)?;
        Ok(Empty {})
    }
}

impl Handle<AsymmetricEncrypt> for Tpm {
    fn handle(&self, call: &Call<'_>, op: AsymmetricEncrypt) -> Result<Encrypted> {
        let ciphertext = Self::held(call)?.public()?.encrypt(call.algorithm()?.try_into()?, &op.salt, &op.plaintext)?;
        Ok(Encrypted { ciphertext })
    }
}

impl Handle<AsymmetricDecrypt> for Tpm {
    fn handle(&self, call: &Call<'_>, op: AsymmetricDecrypt) -> Result<Decrypted> {
        let held = Self::held(call)?;
        let algorithm: Encryption = call.algorithm()?.try_into()?;
        let secret = held.blob.as_ref().map_or(&[][..], |blob| &blob.auth);
        let private = |ciphertext: &[u8]| self.private_rsa(call, &held, ciphertext);
        let mut plaintext = held.public()?.decrypt_with(algorithm, &op.salt, &op.ciphertext, secret, private)?;
        Ok(Decrypted { plaintext: std::mem::take(&mut *plaintext) })
    }
}

impl Handle<RawKeyAgreement> for Tpm {
    fn handle(&self, call: &Call<'_>, op: RawKeyAgreement) -> Result<Agreed> {
        let mut secret = self.agree(call, call.algorithm()?.try_into()?, &op.peer_key)?;
        Ok(Agreed { shared_secret: std::mem::take(&mut *secret) })
    }
}

fn signing(call: &Call<'_>) -> Result<(std::sync::Arc<ReadyKey>, Signature)> {
    let algorithm = call.algorithm()?.try_into()?;
    check_new(algorithm, call.allow_deprecated())?;
    Ok((Tpm::held(call)?, algorithm))
}

impl Tpm {
    /// The secret shared with a peer, whose public key is in the wire's format.
    pub(super) fn agree(&self, call: &Call<'_>, algorithm: Agreement, peer: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let held = Self::held(call)?;
        let peer = held.public()?.peer(algorithm, peer)?;
        let (len, peer) = (peer.len() / 2, point(&peer)?);
        let shared = self.with(call, &held, |context, key| context.ecdh_z_gen(key, peer.clone()))?;
        padded(shared.x(), len)
    }

    fn sign(&self, call: &Call<'_>, held: &ReadyKey, unsigned: Unsigned<'_>) -> Result<Vec<u8>> {
        match unsigned {
            Unsigned::Rsa(block) => self.private_rsa(call, held, &block).map(|mut signature| std::mem::take(&mut *signature)),
            Unsigned::Ecdsa(digest) => self.ecdsa(call, held, &digest),
        }
    }

    fn ecdsa(&self, call: &Call<'_>, held: &ReadyKey, digest: &[u8]) -> Result<Vec<u8>> {
        let (public, len) = (held.public()?, call.key()?.attributes.bits.div_ceil(8) as usize);
        let (hash, input) = self.ability.ecdsa(len, digest)?;
        let input = Digest::try_from(input).map_err(unfit)?;
        let scheme = SignatureScheme::EcDsa { hash_scheme: HashScheme::new(hash) };
        let ticket = unhashed()?;
        let sign = |context: &mut Context, key| context.sign(key, input.clone(), scheme, ticket.clone());
        self.checked(call, held, sign, |answer| {
            let Answer::EcDsa(answer) = answer else { return None };
            let (r, s) = (padded(answer.signature_r(), len).ok()?, padded(answer.signature_s(), len).ok()?);
            let signature = [r.as_slice(), &s].concat();
            let right =
                !self.chip_owner.settings.bus() || public.verify_hash(Signature::EcdsaAny, digest, &signature, &[]).is_ok();
            right.then_some(signature)
        })
    }

    /// RSASP1 and RSADP (RFC 8017 §5), which are the same: of a number as long as the modulus and smaller.
    fn private_rsa(&self, call: &Call<'_>, held: &ReadyKey, number: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        if number >= modulus(call.key()?)? {
            return Err(Error::refused(Status::PsaErrorInvalidArgument, "the data is not in the range of the key"));
        }
        let (public, input) = (held.public()?, PublicKeyRsa::try_from(number).map_err(unfit)?);
        let decrypt =
            |context: &mut Context, key| context.rsa_decrypt(key, input.clone(), RsaDecryptionScheme::Null, Data::default());
        self.checked(call, held, decrypt, |answer| {
            let output = padded(&answer, number.len()).ok()?;
            public.encrypt(Encryption::RsaRaw, &[], &output).is_ok_and(|back| back == number).then_some(output)
        })
    }

    /// Runs a command with the key of the request, whose answer `check` recognises as the key's. The bus to a chip has no checksum, and
    /// one wrong RSA signature can give the key away (Boneh, DeMillo and Lipton, EUROCRYPT '97).
    fn checked<T, R>(
        &self,
        call: &Call<'_>,
        held: &ReadyKey,
        command: impl Fn(&mut Context, KeyHandle) -> tss_esapi::Result<T>,
        check: impl Fn(T) -> Option<R>,
    ) -> Result<R> {
        self.holding(call, held, |chip, key| {
            let answer = chip.authorised(|context| command(context, key))?;
            check(answer).ok_or(Failure::Wrong)
        })
    }
}

/// Big-endian, without leading zeros.
fn modulus(key: &Key) -> Result<&[u8]> {
    spki::rsa_parts(&key.public_key).map(|(modulus, _)| modulus).ok_or_else(odd)
}

/// The ticket that says: the chip has not made the digest, which an unrestricted key may sign (TPM 2.0 Part 2 §10.6.5).
fn unhashed() -> Result<HashcheckTicket> {
    let ticket = TPMT_TK_HASHCHECK { tag: TPM2_ST_HASHCHECK, hierarchy: TPM2_RH_NULL, ..TPMT_TK_HASHCHECK::default() };
    ticket.try_into().map_err(unfit)
}
