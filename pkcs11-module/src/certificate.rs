//! The fields of an X.509 certificate that are PKCS#11 attributes, as DER.

use der::{Decode, Header, Reader, SliceReader, Tag};

/// The parts of a certificate.
pub(crate) struct Certificate<'a> {
    /// DER of the INTEGER.
    pub(crate) serial: &'a [u8],
    /// DER of the Name.
    pub(crate) issuer: &'a [u8],
    /// DER of the Name.
    pub(crate) subject: &'a [u8],
    /// DER of the SubjectPublicKeyInfo.
    pub(crate) public_key: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a DER certificate (RFC 5280 §4.1); nothing is verified.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, der::Error> {
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
        Ok(Self {
            serial,
            issuer,
            subject,
            public_key,
        })
    }
}

/// A reader of what the next SEQUENCE holds.
fn enter<'a>(reader: &mut SliceReader<'a>) -> Result<SliceReader<'a>, der::Error> {
    let header = Header::decode(reader)?;
    header.tag().assert_eq(Tag::Sequence)?;
    SliceReader::new(reader.read_slice(header.length())?)
}
