//! Keys, certificates and references, as files and callers bring them.

use interface::certificate::Certificate;
use interface::group::Group;
use interface::pkcs8::{self, PrivateKey};
use interface::pss::Pss;
use interface::reference::{KeyUri, Reference};
use interface::spki::{self, PublicKey};
use interface::{ecdsa, pem};

/// Bytes in every format that `interface` reads.
pub fn formats(data: &[u8]) {
    files(data);
    public(data);
    private(data);
    reference(data);
    if let Ok(certificate) = Certificate::parse(data) {
        certificate.key_id();
    }
}

/// PEM, all at once and in two pieces.
fn files(data: &[u8]) {
    let whole: Vec<_> = pem::blocks(data).collect();
    for block in &whole {
        drop((block.der(), Reference::of_block(block)));
    }
    let (one, other) = data.split_at(data.len() / 2);
    let mut scanner = pem::blocks(one);
    let mut pieces: Vec<_> = scanner.by_ref().collect();
    scanner.feed(other);
    pieces.extend(scanner);
    let labels = |blocks: &[pem::Block]| blocks.iter().map(|block| (block.label.clone(), block.der())).collect::<Vec<_>>();
    assert_eq!(labels(&pieces), labels(&whole));
}

fn public(data: &[u8]) {
    if let Some(key) = PublicKey::from_spki(data) {
        key.id();
        let der = key.to_spki();
        let again = der.as_deref().and_then(PublicKey::from_spki);
        assert_eq!(again.map(|again| (again.key_type, again.bits, again.bytes)), Some((key.key_type, key.bits, key.bytes)));
    }
    let _ = (spki::is_pss(data), Pss::of_spki(data), spki::rsa_parts(data), spki::rsa_bits(data));
    for len in [0, 28, 32, 48, 66] {
        if let Some(signature) = ecdsa::from_der(data, len) {
            let again = ecdsa::to_der(&signature).and_then(|der| ecdsa::from_der(&der, len));
            assert_eq!(again, Some(signature));
        }
    }
    if let Some(group) = Group::from_der(data) {
        let _ = (group.bits(), group.key_type());
        assert_eq!(group.to_der().and_then(|der| Group::from_der(&der)), Some(group));
    }
}

fn private(data: &[u8]) {
    let keys = [PrivateKey::from_pkcs8(data), PrivateKey::from_sec1(data, None), PrivateKey::from_pkcs1(data)];
    for key in keys.into_iter().flatten() {
        let public = PublicKey { key_type: key.key_type.public(), bits: key.bits, bytes: data.to_vec() };
        pkcs8::to_pkcs8(&key.bytes, &public);
    }
}

/// A reference that was read can be written, and means the same then.
fn reference(data: &[u8]) {
    if let Some(Ok(uri)) = std::str::from_utf8(data).ok().map(str::parse::<KeyUri>) {
        assert_eq!(uri.to_string().parse(), Ok(uri));
    }
    let bare = Reference::from_der(data).ok();
    let wrapped = Reference::from_pkcs8(data).and_then(Result::ok);
    for reference in bare.into_iter().chain(wrapped) {
        if let Ok(der) = reference.to_der() {
            assert_eq!(Reference::from_der(&der).as_ref(), Ok(&reference));
        }
    }
    drop(Reference::from_pem(data));
}
