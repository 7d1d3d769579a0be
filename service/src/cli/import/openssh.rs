//! Private keys in OpenSSH's own format (PROTOCOL.key of OpenSSH).

use der::asn1::UintRef;
use der::{Encode, Header, Tag};
use interface::attributes::KeyType;
use interface::kind::KeyKind;
use interface::pkcs8::PrivateKey;
use rsa::BoxedUint;
use rsa::traits::{PrivateKeyParts, PublicKeyParts};
use ssh_key::EcdsaCurve;
use ssh_key::private::{EcdsaKeypair, KeypairData, RsaKeypair};
use zeroize::Zeroizing;

/// What the label of its PEM block is.
pub(super) const LABEL: &str = "OPENSSH PRIVATE KEY";

/// OpenSSH leaves out leading zeros of ECDSA's numbers, and the library that reads the format wants them.
const CONVERT: &str = "ssh-keygen -p -m PEM -f COPY";

/// Reads a key. `passphrase` is asked for if it is encrypted.
pub(super) fn parse(file: &[u8], passphrase: impl FnOnce() -> Result<Zeroizing<String>, String>) -> Result<PrivateKey, String> {
    let wrong =
        |error: ssh_key::Error| format!("it is damaged, or of a form that is not read ({error}); convert a copy: {CONVERT}");
    let mut key = ssh_key::PrivateKey::from_openssh(file).map_err(wrong)?;
    if key.is_encrypted() {
        key = key.decrypt(passphrase()?.as_bytes()).map_err(|error| match error {
            ssh_key::Error::Crypto => super::OTHER.to_owned(),
            error => wrong(error),
        })?;
    }
    match key.key_data() {
        KeypairData::Ed25519(pair) => bare("ed25519", pair.private.as_ref()),
        KeypairData::Ecdsa(pair) => ecdsa(pair),
        KeypairData::Rsa(pair) => rsa(pair).ok_or_else(|| "the numbers of the RSA key do not fit together".to_owned()),
        KeypairData::SkEcdsaSha2NistP256(_) | KeypairData::SkEd25519(_) => {
            Err("the key is in a security token, and the file only names it: make one here with parsec key new NAME --for ssh"
                .to_owned())
        }
        _ => Err(format!(
            "keys of the type {} are not imported: make one here with parsec key new NAME --for ssh",
            key.algorithm()
        )),
    }
}

fn bare(kind: &str, bytes: &[u8]) -> Result<PrivateKey, String> {
    let kind = KeyKind::named(kind).ok_or_else(|| format!("{kind} keys are not known here"))?;
    Ok(PrivateKey { key_type: kind.key_type, bits: kind.bits, bytes: Zeroizing::new(bytes.to_vec()), pss: None })
}

fn ecdsa(pair: &EcdsaKeypair) -> Result<PrivateKey, String> {
    let kind = match pair.curve() {
        EcdsaCurve::NistP256 => "p256",
        EcdsaCurve::NistP384 => "p384",
        EcdsaCurve::NistP521 => "p521",
    };
    bare(kind, pair.private_key_bytes())
}

/// OpenSSH leaves out what follows from the primes (RFC 8017 §A.1.2).
fn rsa(pair: &RsaKeypair) -> Option<PrivateKey> {
    let number = |number: &ssh_key::Mpint| number.as_positive_bytes().map(BoxedUint::from_be_slice_vartime);
    let primes = vec![number(&pair.private.p)?, number(&pair.private.q)?];
    let (modulus, exponents) = (number(&pair.public.n)?, [number(&pair.public.e)?, number(&pair.private.d)?]);
    let [public, private] = exponents;
    let key = rsa::PrivateKey::from_components(modulus, public, private, primes).ok()?;
    let [p, q] = key.primes() else { return None };
    let inverse = key.crt_coefficient()?;
    let numbers = [key.n().as_ref(), key.e(), key.d(), p.as_ref(), q.as_ref(), key.dp()?, key.dq()?, &inverse];
    let mut body = Zeroizing::new(Vec::new());
    0_u8.encode_to_vec(&mut body).ok()?;
    for number in numbers {
        let bytes = Zeroizing::new(number.to_be_bytes());
        UintRef::new(&bytes).ok()?.encode_to_vec(&mut body).ok()?;
    }
    let header = Header::new(Tag::Sequence, body.len().try_into().ok()?).to_der().ok()?;
    let bytes = Zeroizing::new([&header, body.as_slice()].concat());
    Some(PrivateKey { key_type: KeyType::RsaKeyPair, bits: 0, bytes, pss: None })
}
