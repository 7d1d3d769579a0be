//! Elliptic curves.

use super::{Owned, Refused, Result, Secret, check, number, padded};
use aws_lc_sys as sys;
use std::ffi::c_int;
use std::ptr::{null, null_mut};
use zeroize::Zeroizing;

/// First byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;
/// First bytes of points, of which those that are not uncompressed have one coordinate and the parity of the other.
const FORMS: [u8; 3] = [2, 3, UNCOMPRESSED];

/// A short Weierstrass curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    nid: c_int,
    bits: u32,
}

impl Curve {
    /// P-192 (SEC 2 v1 §2.2.2).
    pub const P192: Self = Self { nid: sys::NID_X9_62_prime192v1, bits: 192 };
    /// P-224 (SP 800-186 §3.2.1.2).
    pub const P224: Self = Self { nid: sys::NID_secp224r1, bits: 224 };
    /// P-256 (SP 800-186 §3.2.1.3).
    pub const P256: Self = Self { nid: sys::NID_X9_62_prime256v1, bits: 256 };
    /// P-384 (SP 800-186 §3.2.1.4).
    pub const P384: Self = Self { nid: sys::NID_secp384r1, bits: 384 };
    /// P-521 (SP 800-186 §3.2.1.5).
    pub const P521: Self = Self { nid: sys::NID_secp521r1, bits: 521 };
    /// secp256k1 (SEC 2 §2.4.1).
    pub const SECP256K1: Self = Self { nid: sys::NID_secp256k1, bits: 256 };

    /// Size in bits, of the field and of the group's order.
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// Length of a point in bytes, in the form that its first byte tells (SEC 1 §2.3.3).
    pub fn point_len(self, point: &[u8]) -> usize {
        if point.first() == Some(&UNCOMPRESSED) { 1 + 2 * self.len() } else { 1 + self.len() }
    }

    /// Length of a scalar or coordinate in bytes.
    #[allow(clippy::len_without_is_empty, reason = "no scalar is empty")]
    pub const fn len(self) -> usize {
        self.bits.div_ceil(8) as usize
    }

    fn group(self) -> Result<Owned<sys::EC_GROUP>> {
        if self == Self::P192 {
            return p192();
        }
        // SAFETY: null is checked by `Owned::new`; freeing a group of the library does nothing.
        Owned::new(unsafe { sys::EC_GROUP_new_by_curve_name(self.nid) })
    }
}

/// P-192 (SEC 2 v1 §2.2.2), which the library does not know by its name.
fn p192() -> Result<Owned<sys::EC_GROUP>> {
    let p = number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff")?;
    let a = number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xfc")?;
    let b = number(b"\x64\x21\x05\x19\xe5\x9c\x80\xe7\x0f\xa7\xe9\xab\x72\x24\x30\x49\xfe\xb8\xde\xec\xc1\x46\xb9\xb1")?;
    let x = number(b"\x18\x8d\xa8\x0e\xb0\x30\x90\xf6\x7c\xbf\x20\xeb\x43\xa1\x88\x00\xf4\xff\x0a\xfd\x82\xff\x10\x12")?;
    let y = number(b"\x07\x19\x2b\x95\xff\xc8\xda\x78\x63\x10\x11\xed\x6b\x24\xcd\xd5\x73\xf9\x77\xa1\x1e\x79\x48\x11")?;
    let order = number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x99\xde\xf8\x36\x14\x6b\xc9\xb1\xb4\xd2\x28\x31")?;
    let cofactor = number(&[1])?;
    // SAFETY: all objects are live; null is checked by `Owned::new`; the setters copy.
    unsafe {
        let group = Owned::new(sys::EC_GROUP_new_curve_GFp(p.0, a.0, b.0, null_mut()))?;
        let generator = Owned::new(sys::EC_POINT_new(group.0))?;
        check(sys::EC_POINT_set_affine_coordinates_GFp(group.0, generator.0, x.0, y.0, null_mut()))?;
        check(sys::EC_GROUP_set_generator(group.0, generator.0, order.0, cofactor.0))?;
        Ok(group)
    }
}

/// A key on a short Weierstrass curve: public, or a pair.
pub struct Ec {
    key: Owned<sys::EC_KEY>,
    curve: Curve,
}

// SAFETY: "an EC_KEY object may be used concurrently by several threads as long as none changes it" (openssl/ec_key.h); nothing here
// changes one after it was made.
unsafe impl Send for Ec {}
// SAFETY: as above.
unsafe impl Sync for Ec {}

impl Ec {
    /// A new pair.
    pub fn generate(curve: Curve) -> Result<Self> {
        let new = Self::new(curve)?;
        // SAFETY: the object is live and has its curve.
        check(unsafe { sys::EC_KEY_generate_key(new.key.0) })?;
        Ok(new)
    }

    /// The pair of a big-endian scalar of the curve's length; refused unless it is in 1..order.
    pub fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self> {
        if scalar.len() != curve.len() {
            return Err(Refused);
        }
        let new = Self::new(curve)?;
        let scalar = number(scalar)?;
        let public = new.point()?;
        // SAFETY: all objects are live and on one curve; the setters copy.
        unsafe {
            check(sys::EC_KEY_set_private_key(new.key.0, scalar.0))?;
            check(sys::EC_POINT_mul(sys::EC_KEY_get0_group(new.key.0), public.0, scalar.0, null(), null(), null_mut()))?;
            check(sys::EC_KEY_set_public_key(new.key.0, public.0))?;
        }
        Ok(new)
    }

    /// A public key from a point, uncompressed or compressed (SEC 1 §2.3.3); refused unless it is on the curve.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self> {
        if point.len() != curve.point_len(point) || !FORMS.contains(&point[0]) {
            return Err(Refused);
        }
        let new = Self::new(curve)?;
        let public = new.point()?;
        // SAFETY: all objects are live and on one curve; the setter copies.
        unsafe {
            check(sys::EC_POINT_oct2point(sys::EC_KEY_get0_group(new.key.0), public.0, point.as_ptr(), point.len(), null_mut()))?;
            check(sys::EC_KEY_set_public_key(new.key.0, public.0))?;
        }
        Ok(new)
    }

    /// The curve that the key is on.
    pub const fn curve(&self) -> Curve {
        self.curve
    }

    /// The private scalar, big-endian; refused for a public key.
    pub fn scalar(&self) -> Result<Secret> {
        // SAFETY: the number lives as long as the key; `padded` checks for null.
        unsafe { padded(sys::EC_KEY_get0_private_key(self.key.0), self.curve.len()) }
    }

    /// The public point, uncompressed.
    pub fn public(&self) -> Result<Vec<u8>> {
        let mut out = vec![0; 1 + 2 * self.curve.len()];
        let form = sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
        // SAFETY: group and point live as long as the key; `out` is valid for its length.
        let len = unsafe {
            let (group, point) = (sys::EC_KEY_get0_group(self.key.0), sys::EC_KEY_get0_public_key(self.key.0));
            sys::EC_POINT_point2oct(group, point, form, out.as_mut_ptr(), out.len(), null_mut())
        };
        check(c_int::from(len == out.len()))?;
        Ok(out)
    }

    /// ECDSA: r ‖ s, each of the curve's length.
    pub fn sign(&self, digest: &[u8]) -> Result<Vec<u8>> {
        // SAFETY: the key is live, the digest valid for its length; null is checked by `Owned::new`.
        let signature = Owned::new(unsafe { sys::ECDSA_do_sign(digest.as_ptr(), digest.len(), self.key.0) })?;
        let (len, mut r, mut s) = (self.curve.len(), null(), null());
        let mut out = vec![0; 2 * len];
        // SAFETY: r and s live as long as the signature; each half of `out` has the length that is named.
        unsafe {
            sys::ECDSA_SIG_get0(signature.0, &raw mut r, &raw mut s);
            check(sys::BN_bn2bin_padded(out.as_mut_ptr(), len, r))?;
            check(sys::BN_bn2bin_padded(out.as_mut_ptr().add(len), len, s))?;
        }
        Ok(out)
    }

    /// Verifies r ‖ s.
    pub fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<()> {
        if signature.len() != 2 * self.curve.len() {
            return Err(Refused);
        }
        let (r, s) = signature.split_at(self.curve.len());
        let (r, s) = (number(r)?, number(s)?);
        // SAFETY: allocates; null is checked by `Owned::new`.
        let parsed = Owned::new(unsafe { sys::ECDSA_SIG_new() })?;
        // SAFETY: all objects are live; on success the signature owns both numbers, so they are forgotten.
        check(unsafe { sys::ECDSA_SIG_set0(parsed.0, r.0, s.0) })?;
        std::mem::forget((r, s));
        // SAFETY: key and signature are live, the digest valid for its length.
        check(unsafe { sys::ECDSA_do_verify(digest.as_ptr(), digest.len(), parsed.0, self.key.0) })
    }

    /// ECDH: the x coordinate of the shared point.
    pub fn agree(&self, peer: &Self) -> Result<Secret> {
        let mut out = Zeroizing::new(vec![0; self.curve.len()]);
        // SAFETY: both keys are live; `out` is valid for its length; the library checks that both are on one curve.
        let len = unsafe {
            sys::ECDH_compute_key(out.as_mut_ptr().cast(), out.len(), sys::EC_KEY_get0_public_key(peer.key.0), self.key.0, None)
        };
        check(c_int::from(usize::try_from(len).is_ok_and(|len| len == out.len())))?;
        Ok(out)
    }

    fn new(curve: Curve) -> Result<Self> {
        let group = curve.group()?;
        // SAFETY: allocates; null is checked by `Owned::new`.
        let key = Owned::new(unsafe { sys::EC_KEY_new() })?;
        // SAFETY: both objects are live; the setter takes a reference of its own.
        check(unsafe { sys::EC_KEY_set_group(key.0, group.0) })?;
        Ok(Self { key, curve })
    }

    fn point(&self) -> Result<Owned<sys::EC_POINT>> {
        // SAFETY: the group lives as long as the key; null is checked by `Owned::new`.
        Owned::new(unsafe { sys::EC_POINT_new(sys::EC_KEY_get0_group(self.key.0)) })
    }
}

/// The public value of an X25519 private key (RFC 7748 §6.1).
pub fn x25519_public(private: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    // SAFETY: both arrays have the 32 bytes that the function reads and writes.
    unsafe { sys::X25519_public_from_private(public.as_mut_ptr(), private.as_ptr()) };
    public
}

/// X25519; refused when the shared secret is all zeros (RFC 7748 §6.1).
pub fn x25519(private: &[u8; 32], peer: &[u8; 32]) -> Result<Secret> {
    let mut shared = Zeroizing::new(vec![0; 32]);
    // SAFETY: all three have the 32 bytes that the function reads and writes.
    check(unsafe { sys::X25519(shared.as_mut_ptr(), private.as_ptr(), peer.as_ptr()) })?;
    Ok(shared)
}
