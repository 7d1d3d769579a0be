//! The domain parameters of the curves (FIPS 186-4, appendix D.1.2), for programs that ask a key for them instead of the curve's name.

/// y² = x³ - 3x + b over a prime field, with the cofactor 1. Numbers are big-endian.
pub(super) struct Domain {
    pub(super) prime: &'static [u8],
    pub(super) b: &'static [u8],
    /// Uncompressed.
    pub(super) generator: &'static [u8],
    pub(super) order: &'static [u8],
    /// What b was made from.
    pub(super) seed: &'static [u8],
}

impl Domain {
    /// -3 in the field. The last byte of each prime is large enough.
    pub(super) fn a(&self) -> Vec<u8> {
        let mut a = self.prime.to_vec();
        if let Some(last) = a.last_mut() {
            *last -= 3;
        }
        a
    }
}

pub(super) static P256: Domain = Domain {
    prime: &bytes::<32>("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
    b: &bytes::<32>("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"),
    generator: &bytes::<65>(concat!(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e",
        "162bce33576b315ececbb6406837bf51f5"
    )),
    order: &bytes::<32>("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
    seed: &bytes::<20>("c49d360886e704936a6678e1139d26b7819f7e90"),
};

pub(super) static P384: Domain = Domain {
    prime: &bytes::<48>("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff"),
    b: &bytes::<48>("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"),
    generator: &bytes::<97>(concat!(
        "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760a",
        "b73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e",
        "5f"
    )),
    order: &bytes::<48>("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973"),
    seed: &bytes::<20>("a335926aa319a27a1d00896a6773a4827acdac73"),
};

pub(super) static P521: Domain = Domain {
    prime: &bytes::<66>(concat!(
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffff"
    )),
    b: &bytes::<66>(concat!(
        "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1",
        "bf073573df883d2c34f1ef451fd46b503f00"
    )),
    generator: &bytes::<133>(concat!(
        "0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2",
        "ffa8de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd",
        "17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650"
    )),
    order: &bytes::<66>(concat!(
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709",
        "a5d03bb5c9b8899c47aebb6fb71e91386409"
    )),
    seed: &bytes::<20>("d09e8800291cb85396cc6717393284aaa0da64ba"),
};

/// Bytes from hexadecimal digits.
const fn bytes<const N: usize>(digits: &str) -> [u8; N] {
    assert!(digits.len() == 2 * N, "two digits a byte");
    let mut bytes = [0; N];
    let mut i = 0;
    while i < N {
        bytes[i] = digit(digits.as_bytes()[2 * i]) << 4 | digit(digits.as_bytes()[2 * i + 1]);
        i += 1;
    }
    bytes
}

const fn digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'a' + 10,
    }
}
