//! Templates of PKCS#11 and parameters of OpenSSL.

use crate::seed;

fn template(class: u8, attributes: &[(u32, &[u8])]) -> Vec<u8> {
    let mut all = vec![class];
    for (kind, value) in attributes {
        all.extend_from_slice(&kind.to_le_bytes());
        all.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        all.extend_from_slice(value);
    }
    all
}

/// Parameters for the kind of key in this place. Each is the place of a name, a type and a value.
fn parameters(kind: u8, values: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut all = vec![kind];
    for (name, kind, value) in values {
        all.extend_from_slice(&[*name, *kind]);
        all.extend_from_slice(&u16::try_from(value.len()).unwrap().to_le_bytes());
        all.extend_from_slice(value);
    }
    all
}

pub(crate) fn write() {
    let number = |number: u64| number.to_ne_bytes();
    // CKA_CLASS, CKA_TOKEN, CKA_LABEL, CKA_KEY_TYPE, CKA_ID, CKA_SENSITIVE, CKA_SIGN, CKA_START_DATE, CKA_MODULUS_BITS,
    // CKA_VALUE_LEN, CKA_ALLOWED_MECHANISMS
    let private: &[(u32, &[u8])] = &[
        (0, &number(3)),
        (1, &[1]),
        (3, b"web"),
        (0x100, &number(3)),
        (0x102, &[1, 2]),
        (0x103, &[1]),
        (0x108, &[1]),
        (0x110, b"20260101"),
        (0x4000_0600, &number(0x1041)),
    ];
    seed("templates", "private", template(3, private));
    seed("templates", "public", template(2, &[(0, &number(2)), (0x10a, &[1]), (0x121, &number(2048)), (0x122, &[1, 0, 1])]));
    seed("templates", "secret", template(4, &[(0, &number(4)), (0x161, &number(32)), (0x104, &[1]), (0x162, &[0])]));
    // CKA_SUBJECT, CKA_VALUE, CKA_CERTIFICATE_TYPE
    seed(
        "templates",
        "certificate",
        template(1, &[(0, &number(1)), (0x101, &[0x30, 0]), (0x11, &[0x30; 9]), (0x80, &number(0))]),
    );
    // CKA_APPLICATION, CKA_OBJECT_ID
    seed("templates", "data", template(0, &[(0, &number(0)), (0x10, b"program"), (0x12, &[6, 1, 1]), (0x11, b"value")]));
    // the parameters of counter mode and of PSS, and an initialisation vector
    seed("templates", "counter", [&[3][..], &number(64), &[9; 16]].concat());
    seed("templates", "pss", [&[3][..], &number(0x250), &number(2), &number(32)].concat());
    seed("templates", "iv", [3; 17]);

    let (number, text, bytes, text_at) = (2, 4, 5, 6);
    for kind in 0..8 {
        let texts: Vec<_> = (0..12).map(|name| (name, text, &b"prime256v1"[..])).collect();
        seed("parameters", &format!("texts-{kind}"), parameters(kind, &texts));
    }
    let three = [0xff; 128];
    seed("parameters", "rsa", parameters(0, &[(0, number, &three), (1, number, &[1, 0, 1]), (5, number, &[0; 8])]));
    seed("parameters", "pss", parameters(1, &[(0, number, &three), (1, number, &[3]), (8, text_at, b"SHA2-256")]));
    let generator = [
        0x04, 0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc, 0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d,
        0x81, 0x2d, 0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96, 0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f,
        0x9b, 0x8e, 0xe7, 0xeb, 0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31, 0x5e, 0xce, 0xcb, 0xb6, 0x40,
        0x68, 0x37, 0xbf, 0x51, 0xf5,
    ];
    seed("parameters", "ec", parameters(2, &[(0, text, b"prime256v1"), (1, bytes, &generator)]));
    seed("parameters", "ed25519", parameters(3, &[(0, bytes, &[0x58; 32])]));
    seed("parameters", "x25519", parameters(4, &[(0, bytes, &[9; 32])]));
    seed("parameters", "ml-dsa-44", parameters(5, &[(0, bytes, &[7; 1312])]));
}
