//! Fields of an X.509 certificate, as DER: those that programs look for.

use crate::spki::PublicKey;
use der::{Decode, Header, Reader, SliceReader, Tag};

/// The parts of a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// DER of the INTEGER.
    pub serial: &'a [u8],
    /// DER of the Name.
    pub issuer: &'a [u8],
    /// DER of the Name.
    pub subject: &'a [u8],
    /// DER of the SubjectPublicKeyInfo.
    pub public_key: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a DER certificate (RFC 5280 §4.1); nothing is verified.
    ///
    /// # Errors
    /// Where the bytes are no certificate.
    pub fn parse(der: &'a [u8]) -> Result<Self, der::Error> {
        let mut certificate = enter(&mut SliceReader::new(der)?)?;
        let mut tbs = enter(&mut certificate)?;
        if tbs.peek_byte() == Some(0xa0) {
            tbs.tlv_bytes()?; // version
        }
        let serial = tbs.tlv_bytes()?;
        tbs.tlv_bytes()?; // signature algorithm
        let issuer = tbs.tlv_bytes()?;
        tbs.tlv_bytes()?; // validity
        let subject = tbs.tlv_bytes()?;
        let public_key = tbs.tlv_bytes()?;
        Ok(Self { serial, issuer, subject, public_key })
    }
}

impl Certificate<'_> {
    /// The usual PKCS#11 `CKA_ID` of the certified key; `None` for a type of key that has no name here.
    pub fn key_id(&self) -> Option<Vec<u8>> {
        PublicKey::from_spki(self.public_key).map(|key| key.id())
    }
}

/// A reader of what the next SEQUENCE holds.
fn enter<'a>(reader: &mut SliceReader<'a>) -> Result<SliceReader<'a>, der::Error> {
    let header = Header::decode(reader)?;
    header.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(reader.read_slice(header.length())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_certificate() {
        // Certificate { TBS { [0] version, serial 5, algorithm, issuer, validity, subject, key } }
        let tbs = b"\xa0\x03\x02\x01\x02\x02\x01\x05\x30\x00\x30\x01\x01\x30\x00\x30\x01\x02\x30\x01\x03";
        let tbs = [&[0x30, u8::try_from(tbs.len()).unwrap()], &tbs[..]].concat();
        let der = [&[0x30, u8::try_from(tbs.len()).unwrap()], &tbs[..]].concat();
        let parsed = Certificate::parse(&der).unwrap();
        assert_eq!(parsed.serial, b"\x02\x01\x05");
        assert_eq!(parsed.issuer, b"\x30\x01\x01");
        assert_eq!(parsed.subject, b"\x30\x01\x02");
        assert_eq!(parsed.public_key, b"\x30\x01\x03");
        for end in 0..der.len() {
            assert!(Certificate::parse(&der[..end]).is_err());
        }
    }
}
