//! What reads the bytes of others, for the fuzzer.

use crate::error::Result;
use crate::ffi::fuzz::{mechanism, template};
use crate::mechanism::parameters::Parameters;
use crate::mechanism::{Family, Mode};
use crate::objects::attributes::{self, Origin};
use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_OBJECT_CLASS, CKA_CLASS, CKM_AES_CBC};
use interface::algorithm::Cipher;

/// Templates of callers. The first byte is the class of the object, the others are attributes: the type in four little-endian bytes, the
/// length in two, the value. All of them together are also a mechanism's parameter.
pub fn templates(data: &[u8]) {
    let Some((class, data)) = data.split_first() else { return };
    drop(judge(CK_OBJECT_CLASS::from(*class), data));
}

fn judge(class: CK_OBJECT_CLASS, data: &[u8]) -> Result<()> {
    mechanism(CKM_AES_CBC, data, |mechanism| {
        drop((mechanism.pss(), mechanism.mac_len(), mechanism.handle()));
        for &cipher in Cipher::ALL {
            if let Ok(parameters) = Parameters::read(Mode::Cipher(Family::Aes, cipher), mechanism) {
                parameters.fit(true, data.len(), 128);
            }
        }
    })?;
    let template = template(&attributes(data))?;
    for (kind, value) in template.iter() {
        drop((template.flag(kind), template.number(kind), template.numbers(kind), template.text(kind)));
        attributes::indexed(Some(class), kind, value);
        if let Ok(attribute) = attributes::find(class, kind) {
            drop(attribute.check_change(value, false));
        }
    }
    let (rest, one) = template.split(CKA_CLASS);
    assert_eq!(rest.iter().count() + one.iter().count(), template.iter().count());
    for origin in [Origin::Generated, Origin::Brought] {
        drop(attributes::check(class, &template, origin, false));
    }
    assert!(attributes::kept(class, &template).all(|(kind, _)| attributes::find(class, kind).is_ok()));
    Ok(())
}

fn attributes(mut data: &[u8]) -> Vec<(CK_ATTRIBUTE_TYPE, &[u8])> {
    let mut all = Vec::new();
    while let Some(([a, b, c, d, len @ ..], rest)) = data.split_first_chunk::<6>() {
        let (value, rest) = rest.split_at(usize::from(u16::from_le_bytes(*len)).min(rest.len()));
        all.push((u32::from_le_bytes([*a, *b, *c, *d]).into(), value));
        data = rest;
    }
    all
}
