//! Encodings of ECDSA signatures. The protocol and PKCS#11 have two numbers side by side. OpenSSL and certificates have
//! `Ecdsa-Sig-Value` (RFC 3279 §2.2.3).

use der::asn1::UintRef;
use der::{Decode, Encode, Sequence};

#[derive(Sequence)]
struct Signature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The DER of r and s side by side; `None` if they are no halves of one length.
pub fn to_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(signature.len() / 2).filter(|(r, s)| r.len() == s.len())?;
    Signature { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

/// r and s side by side, each of `len` bytes; `None` for what is no such DER.
pub fn from_der(der: &[u8], len: usize) -> Option<Vec<u8>> {
    let signature = Signature::from_der(der).ok()?;
    let mut both = Vec::with_capacity(2 * len);
    for number in [signature.r, signature.s] {
        both.resize(both.len() + len.checked_sub(number.as_bytes().len())?, 0);
        both.extend_from_slice(number.as_bytes());
    }
    Some(both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_come_back() {
        let both = [[0, 0x80, 3], [0, 0, 7]].concat();
        let der = to_der(&both).unwrap();
        assert_eq!(der, b"\x30\x08\x02\x03\0\x80\x03\x02\x01\x07");
        assert_eq!(from_der(&der, 3), Some(both.clone()));
        assert_eq!(from_der(&der, 1), None, "a number is longer");
        assert_eq!(from_der(&der[..der.len() - 1], 3), None);
        assert_eq!(to_der(&both[1..]), None);
    }
}
