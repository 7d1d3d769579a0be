//! Signatures per second of a TPM whose one key stays loaded, with no service between: what no service can be faster than.
//!
//! usage: tpm-floor TCTI ecdsa|rsa SECONDS

use std::error::Error;
use std::time::{Duration, Instant};

use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::StartupType;
use tss_esapi::constants::tss::{TPM2_RH_NULL, TPM2_ST_HASHCHECK};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Digest, EccPoint, EccScheme, HashScheme, HashcheckTicket, KeyDerivationFunctionScheme, Public, PublicBuilder,
    PublicEccParameters, PublicKeyRsa, PublicRsaParameters, RsaExponent, RsaScheme, SignatureScheme, SymmetricDefinitionObject,
};
use tss_esapi::tss2_esys::TPMT_TK_HASHCHECK;
use tss_esapi::{Context, TctiNameConf};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tcti, kind, seconds] = arguments.as_slice() else {
        return Err("usage: tpm-floor TCTI ecdsa|rsa SECONDS".into());
    };
    let hash_scheme = HashScheme::new(HashingAlgorithm::Sha256);
    let (template, scheme) = match kind.as_str() {
        "ecdsa" => (ecc(), SignatureScheme::EcDsa { hash_scheme }),
        "rsa" => (rsa(), SignatureScheme::RsaSsa { hash_scheme }),
        _ => return Err(format!("unknown kind of key {kind}").into()),
    };
    let mut context = Context::new(tcti.parse::<TctiNameConf>()?)?;
    context.startup(StartupType::Clear)?;
    context.set_sessions((Some(AuthSession::Password), None, None));
    // A primary key signs as any other does.
    let key = context.create_primary(Hierarchy::Owner, template?, None, None, None, None)?.key_handle;
    let digest = Digest::try_from(&[0x5a; 32][..])?;
    let ticket = TPMT_TK_HASHCHECK { tag: TPM2_ST_HASHCHECK, hierarchy: TPM2_RH_NULL, ..TPMT_TK_HASHCHECK::default() };
    let ticket = HashcheckTicket::try_from(ticket)?;
    measure(seconds.parse()?, || context.sign(key, digest.clone(), scheme, ticket.clone()).map(drop))?;
    Ok(context.flush_context(key.into())?)
}

fn ecc() -> tss_esapi::Result<Public> {
    let none = (SymmetricDefinitionObject::Null, EccScheme::Null, KeyDerivationFunctionScheme::Null);
    let parameters = PublicEccParameters::new(none.0, none.1, EccCurve::NistP256, none.2);
    public(PublicAlgorithm::Ecc)?.with_ecc_parameters(parameters).with_ecc_unique_identifier(EccPoint::default()).build()
}

fn rsa() -> tss_esapi::Result<Public> {
    let none = (SymmetricDefinitionObject::Null, RsaScheme::Null, RsaExponent::default());
    let parameters = PublicRsaParameters::new(none.0, none.1, RsaKeyBits::Rsa2048, none.2);
    public(PublicAlgorithm::Rsa)?.with_rsa_parameters(parameters).with_rsa_unique_identifier(PublicKeyRsa::default()).build()
}

/// A key that signs.
fn public(algorithm: PublicAlgorithm) -> tss_esapi::Result<PublicBuilder> {
    let attributes = ObjectAttributesBuilder::new()
        .with_sign_encrypt(true)
        .with_user_with_auth(true)
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .build()?;
    Ok(PublicBuilder::new()
        .with_public_algorithm(algorithm)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes))
}

#[allow(clippy::print_stdout, reason = "the result")]
fn measure(seconds: f64, mut sign: impl FnMut() -> tss_esapi::Result<()>) -> tss_esapi::Result<()> {
    let time = Duration::from_secs_f64(seconds);
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < time {
        sign()?;
        count += 1;
    }
    println!("ops_per_s={:.1}", f64::from(count) / start.elapsed().as_secs_f64());
    Ok(())
}
