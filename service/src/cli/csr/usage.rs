//! The purposes that a certificate names for its key (RFC 5280 §4.2.1.3 and §4.2.1.12). It names no purpose that the key cannot
//! serve.

use super::super::error::{Error, Result};
use der::asn1::ObjectIdentifier;
use interface::attributes::{Attributes, KeyType, Usage as Uses};
use interface::policy::Purpose;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;

/// Both extensions.
pub(super) struct Usage {
    bits: KeyUsage,
    extended: Option<ObjectIdentifier>,
}

impl Usage {
    /// The usage of a key for a purpose and its name; without a purpose, everything that the key can do.
    pub(super) fn of(key: &Attributes, purpose: Option<(Purpose, &str)>) -> Result<Self> {
        let rsa = key.key_type.public() == KeyType::RsaPublicKey;
        let can = [
            (KeyUsages::DigitalSignature, Uses::SIGN_MESSAGE | Uses::SIGN_HASH),
            (KeyUsages::KeyEncipherment, if rsa { Uses::DECRYPT } else { Uses::NONE }),
            (KeyUsages::KeyAgreement, Uses::DERIVE),
        ];
        let wanted = |bit| match purpose {
            None | Some((Purpose::TlsServer, _)) => true,
            Some((Purpose::Encryption, _)) => bit != KeyUsages::DigitalSignature,
            Some(_) => bit == KeyUsages::DigitalSignature,
        };
        let mut bits = KeyUsage(None.into());
        for (bit, uses) in can {
            if wanted(bit) && !key.policy.usage.and(uses).is_empty() {
                bits.0 |= bit;
            }
        }
        match purpose {
            Some((_, name)) if bits.0.is_empty() => Err(Error::Usage(format!("the key's policy is not for {name}"))),
            _ => Ok(Self { bits, extended: purpose.and_then(|(purpose, _)| extended(purpose)) }),
        }
    }

    pub(super) fn extensions(&self, subject: &Name) -> Result<Vec<Extension>> {
        let mut extensions = Vec::new();
        if !self.bits.0.is_empty() {
            extensions.push((&self.bits).to_extension(subject, &[])?);
        }
        if let Some(extended) = self.extended {
            extensions.push((&ExtendedKeyUsage(vec![extended])).to_extension(subject, &[])?);
        }
        Ok(extensions)
    }
}

/// Where a certificate of the purpose is looked at, there this has to stand in it.
fn extended(purpose: Purpose) -> Option<ObjectIdentifier> {
    let oid = match purpose {
        Purpose::TlsServer => "1.3.6.1.5.5.7.3.1",
        Purpose::TlsClient => "1.3.6.1.5.5.7.3.2",
        Purpose::CodeSigning => "1.3.6.1.5.5.7.3.3",
        Purpose::Ssh | Purpose::Jwt | Purpose::Encryption => return None,
    };
    ObjectIdentifier::new(oid).ok()
}
