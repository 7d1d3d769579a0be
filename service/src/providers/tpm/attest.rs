//! Proves to others what this chip holds.
//!
//! The chip's maker certifies the endorsement key (EK). The EK only decrypts. So a verifier encrypts a challenge to it, and the
//! chip decrypts the challenge only if it also holds the key in question. The attestation key (AK) signs statements of the chip and
//! nothing else. Both are primaries of the endorsement hierarchy: they are the same each time they are made, even after the chip
//! was cleared. All clients share one AK, because it proves where a key is, not whose it is.

use super::chip::{Attestation, Chip, Id, Primary};
use super::failure::{Failure, odd, unfit};
use super::manage::EXPONENT;
use super::{ReadyKey, Tpm, invalid, template};
use crate::admission::Call;
use crate::error::{Error, Result};
use crate::provider::Handle;
use interface::algorithm::Hash;
use interface::operations::{
    ActivateCredentialParams, AttestKey, AttestationOutput, AttestationPrepared, Attested, Certified, CertifyKey, Credential,
    PrepareKeyAttestation, PreparedCredential, PreparedOutput, Quote, Quoted, Statement, attestation_output, attestation_params,
    prepare_params, prepared_output,
};
use interface::{Status, spki};
use tss_esapi::abstraction::{AsymmetricAlgorithmSelection, ek};
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::constants::{CapabilityType, SessionType};
use tss_esapi::handles::{AuthHandle, KeyHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Attest, CapabilityData, Data, Digest, EncryptedSecret, IdObject, Nonce, PcrSelectionList, PcrSelectionListBuilder, PcrSlot,
    Public, Signature, SignatureScheme, SymmetricDefinition,
};
use tss_esapi::traits::Marshall;
use tss_esapi::{Context, Result as TssResult};

/// Bytes of a nonce, at most: what every chip takes.
const NONCE: usize = 32;
/// How many PCRs a bank has (PC Client Platform TPM Profile §4.6.1).
const PCRS: u32 = 24;
/// The EK that every chip has.
const RSA: AsymmetricAlgorithmSelection = AsymmetricAlgorithmSelection::Rsa(RsaKeyBits::Rsa2048);
/// Where its certificate lies (EK Credential Profile 2.4 §2.2.1.4).
const CERTIFICATE: u32 = 0x01c0_0002;
/// One of the chip's own keys.
struct Own {
    id: &'static str,
    template: fn() -> TssResult<Public>,
    place: fn(&mut Attestation) -> &mut Option<Primary>,
}

const EK: Own = Own {
    id: "EK",
    template: || ek::create_ek_public_from_default_template_2(RSA, None),
    place: |attestation| &mut attestation.ek,
};
const AK: Own = Own { id: "AK", template: template::attestation, place: |attestation| &mut attestation.ak };

impl Handle<PrepareKeyAttestation> for Tpm {
    fn handle(&self, call: &Call<'_>, op: PrepareKeyAttestation) -> Result<AttestationPrepared> {
        let mechanism = op.parameters.and_then(|parameters| parameters.mechanism).ok_or(Status::InvalidEncoding)?;
        let prepare_params::Mechanism::ActivateCredential(names) = mechanism;
        endorsed(&names.attesting_key_name)?;
        let (name, public, ek) = self.about(call, |chip, key, public| {
            // Asked of the chip itself, in whose place there may be another by now.
            let (_, name, _) = chip.ask(|context| context.read_public(key))?;
            let (_, ek) = chip.own(&EK)?;
            Ok((name.value().to_vec(), public.marshall()?, ek))
        })?;
        let Public::Rsa { unique, .. } = ek else { return Err(odd()) };
        let attesting_key_pub = spki::rsa_key(&unique, EXPONENT).ok_or_else(odd)?;
        let prepared = PreparedCredential { name, public, attesting_key_pub };
        let mechanism = Some(prepared_output::Mechanism::ActivateCredential(prepared));
        Ok(AttestationPrepared { output: Some(PreparedOutput { mechanism }) })
    }
}

impl Handle<AttestKey> for Tpm {
    fn handle(&self, call: &Call<'_>, op: AttestKey) -> Result<Attested> {
        endorsed(&op.attesting_key_name)?;
        let mechanism = op.parameters.and_then(|parameters| parameters.mechanism).ok_or(Status::InvalidEncoding)?;
        let attestation_params::Mechanism::ActivateCredential(ActivateCredentialParams { credential_blob, secret }) = mechanism;
        let blob = IdObject::try_from(credential_blob).map_err(|_| unfounded())?;
        let secret = EncryptedSecret::try_from(secret).map_err(|_| unfounded())?;
        let credential = self.about(call, |chip, key, _| {
            let (ek, _) = chip.own(&EK)?;
            chip.activate(key, ek, &blob, &secret)
        })?;
        let mechanism = Some(attestation_output::Mechanism::ActivateCredential(Credential { credential: credential.to_vec() }));
        Ok(Attested { output: Some(AttestationOutput { mechanism }) })
    }
}

impl Handle<CertifyKey> for Tpm {
    fn handle(&self, call: &Call<'_>, op: CertifyKey) -> Result<Certified> {
        let nonce = nonce(&op.nonce)?;
        let (statement, public) = self.about(call, |chip, key, public| {
            let statement = chip.state(|chip, ak| {
                chip.authorised_both(AuthSession::Password, |context| {
                    context.certify(key.into(), ak, nonce.clone(), SignatureScheme::Null)
                })
            })?;
            Ok((statement, public.marshall()?))
        })?;
        Ok(Certified { statement: Some(statement), public })
    }
}

impl Handle<Quote> for Tpm {
    fn handle(&self, call: &Call<'_>, op: Quote) -> Result<Quoted> {
        let nonce = nonce(&op.nonce)?;
        let (bank, slots) = (Hash::try_from(op.bank)?, pcrs(&op.pcrs)?);
        let none = || Error::refused(Status::PsaErrorNotSupported, format!("this TPM has no {bank:?} bank with these PCRs"));
        let algorithm = self.ability.hash(bank)?;
        let selection = PcrSelectionListBuilder::new().with_selection(algorithm, &slots).build().map_err(unfit)?;
        let quoted = self.run(call.store(), |chip| {
            let values = values(chip, &selection)?;
            if values.len() != slots.len() {
                return Err(none().into());
            }
            let statement = chip.state(|chip, ak| {
                chip.authorised(|context| context.quote(ak, nonce.clone(), SignatureScheme::Null, selection.clone()))
            })?;
            Ok(Quoted { statement: Some(statement), values })
        });
        quoted.map_err(|failure| failure.explain(&self.chip_owner.settings))
    }
}

impl Tpm {
    /// Runs commands while the key of the request is loaded, or the AK where it names none.
    fn about<T>(&self, call: &Call<'_>, work: impl Fn(&mut Chip, KeyHandle, &Public) -> Result<T, Failure>) -> Result<T> {
        if call.key().is_err() {
            let done = self.run(call.store(), |chip| {
                let (ak, public) = chip.own(&AK)?;
                work(chip, ak, &public)
            });
            return done.map_err(|failure| failure.explain(&self.chip_owner.settings));
        }
        let held: std::sync::Arc<ReadyKey> = Self::held(call)?;
        let public = &held.blob()?.public;
        self.holding(call, &held, |chip, key| work(chip, key, public))
    }
}

impl Chip {
    /// One of the chip's own keys, loaded.
    fn own(&mut self, own: &Own) -> Result<(KeyHandle, Public), Failure> {
        let handle = self.hold(Id::Own(own.id), |chip| {
            chip.make_room(1)?;
            if let Some(primary) = (own.place)(&mut chip.attestation).clone() {
                return Ok(chip.ask(|context| context.context_load(primary.saved))?.into());
            }
            let template = (own.template)()?;
            let made =
                chip.authorised(|context| context.create_primary(Hierarchy::Endorsement, template, None, None, None, None));
            let made = made.map_err(refused_password)?;
            let saved = chip.ask(|context| context.context_save(made.key_handle.into()))?;
            *(own.place)(&mut chip.attestation) = Some(Primary { saved, public: made.out_public });
            Ok(made.key_handle)
        })?;
        let public = (own.place)(&mut self.attestation).as_ref().map(|primary| primary.public.clone());
        Ok((handle, public.ok_or_else(odd)?))
    }

    /// Signs something with the AK.
    fn state(
        &mut self,
        sign: impl FnOnce(&mut Self, KeyHandle) -> Result<(Attest, Signature), Failure>,
    ) -> Result<Statement, Failure> {
        let (ak, public) = self.own(&AK)?;
        let (attest, signature) = sign(self, ak)?;
        Ok(Statement {
            attest: attest.marshall()?,
            signature: signature.marshall()?,
            attesting_key: public.marshall()?,
            endorsement_certificate: self.certificate()?,
        })
    }

    /// Decrypts a credential that was made for a key with the EK of its chip.
    fn activate(&mut self, key: KeyHandle, ek: KeyHandle, blob: &IdObject, secret: &EncryptedSecret) -> Result<Digest, Failure> {
        let session = self.ask(|context| {
            let (symmetric, hash) = (SymmetricDefinition::AES_128_CFB, HashingAlgorithm::Sha256);
            context.start_auth_session(None, None, None, SessionType::Policy, symmetric, hash)
        })?;
        let policy = session.ok_or_else(odd)?;
        let activated = self.authorise_ek(policy).and_then(|()| {
            let activate = |context: &mut Context| context.activate_credential(key, ek, blob.clone(), secret.clone());
            self.authorised_both(policy, activate).map_err(|failure| match failure.kind() {
                // The last one is libtpms's answer to what does not decrypt.
                Some(Kind::Integrity | Kind::Value | Kind::Size | Kind::Insufficient | Kind::Failure) => unfounded().into(),
                _ => failure,
            })
        });
        self.flush(SessionHandle::from(policy).into())?;
        activated
    }

    /// Lets a session use the EK: its policy is the password of the hierarchy (EK Credential Profile 2.4 §B.6.2).
    fn authorise_ek(&mut self, session: AuthSession) -> Result<(), Failure> {
        let policy = PolicySession::try_from(session)?;
        let authorised = self.authorised(|context| {
            context.policy_secret(policy, AuthHandle::Endorsement, Nonce::default(), Digest::default(), Nonce::default(), None)
        });
        authorised.map(drop).map_err(refused_password)
    }

    /// The certificate of the EK, in DER; empty where there is none.
    fn certificate(&mut self) -> Result<Vec<u8>, Failure> {
        if let Some(certificate) = &self.attestation.certificate {
            return Ok(certificate.clone());
        }
        let (there, _) = self.ask(|context| context.get_capability(CapabilityType::Handles, CERTIFICATE, 1))?;
        let there = matches!(there, CapabilityData::Handles(handles) if handles.first().is_some_and(|&found| u32::from(found) == CERTIFICATE));
        let certificate = if there { self.ask(|context| ek::retrieve_ek_pubcert(context, RSA))? } else { Vec::new() };
        Ok(self.attestation.certificate.insert(unpadded(certificate)).clone())
    }
}

/// The values of PCRs. A chip may return fewer PCRs than asked, so this asks again for the rest. Returns fewer if the chip lacks some.
fn values(chip: &mut Chip, selection: &PcrSelectionList) -> Result<Vec<Vec<u8>>, Failure> {
    let (mut values, mut rest) = (Vec::new(), selection.clone());
    while !rest.is_empty() {
        let (_, read, digests) = chip.ask(|context| context.pcr_read(rest.clone()))?;
        if digests.is_empty() {
            break;
        }
        values.extend(digests.value().iter().map(|digest| digest.to_vec()));
        rest.subtract(&read)?;
    }
    Ok(values)
}

/// The PCRs with these numbers, each once, in order.
fn pcrs(numbers: &[u32]) -> Result<Vec<PcrSlot>> {
    let mut numbers = numbers.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    if numbers.is_empty() {
        return Err(invalid("a quote is of at least one PCR"));
    }
    let bit = |number: u32| Some(number).filter(|&number| number < PCRS).and_then(|number| PcrSlot::try_from(1 << number).ok());
    numbers.into_iter().map(|number| bit(number).ok_or_else(|| invalid(format!("there is no PCR {number}")))).collect()
}

fn nonce(bytes: &[u8]) -> Result<Data> {
    if bytes.len() > NONCE {
        return Err(invalid(format!("the nonce has {} bytes; TPMs take up to {NONCE}", bytes.len())));
    }
    Data::try_from(bytes).map_err(unfit)
}

/// Only the EK attests.
fn endorsed(attesting_key: &str) -> Result<()> {
    if attesting_key.is_empty() {
        return Ok(());
    }
    Err(Error::refused(
        Status::PsaErrorNotSupported,
        "the TPM provider attests with the TPM's endorsement key alone: name no other",
    ))
}

/// A DER structure without what stands behind it: some makers fill the whole index.
fn unpadded(mut der: Vec<u8>) -> Vec<u8> {
    use der::{Reader, SliceReader};
    let len = SliceReader::new(&der).and_then(|mut reader| reader.tlv_bytes().map(<[u8]>::len));
    der.truncate(len.unwrap_or_default());
    der
}

fn unfounded() -> Error {
    invalid("the credential was not made for this key and the endorsement key of this TPM")
}

fn refused_password(failure: Failure) -> Failure {
    match failure.kind() {
        Some(Kind::AuthFail | Kind::BadAuth) => Failure::Other(Error::refused(
            Status::PsaErrorHardwareFailure,
            "the TPM refuses the password of its endorsement hierarchy: see endorsement_hierarchy_auth in the configuration",
        )),
        _ => failure,
    }
}
