//! Hashes, MACs, ciphers and AEADs.

use super::{Owned, Refused, Result, Secret, check, filled, filled_secret, int};
use aws_lc_sys as sys;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use zeroize::Zeroizing;

/// EVP_MAX_MD_SIZE.
const MAX_DIGEST: usize = sys::EVP_MAX_MD_SIZE as usize;
/// The largest block of the ciphers above, in bytes.
const MAX_BLOCK: usize = 16;

/// Constants that stand for functions of the library, one or several each.
macro_rules! functions {
    ($($doc:literal $name:ident = $function:ident;)*) => { $(#[doc = $doc] pub const $name: Self = Self(sys::$function);)* };
    ($($doc:literal $name:ident = [$($function:ident),+];)*) => {
        $(#[doc = $doc] pub const $name: [Self; [$(stringify!($function)),+].len()] = [$(Self(sys::$function)),+];)*
    };
}

/// A hash function.
#[derive(Clone, Copy, Debug)]
pub struct Md(unsafe extern "C" fn() -> *const sys::EVP_MD);

impl Md {
    functions! {
        "MD4 (RFC 1320)." MD4 = EVP_md4;
        "MD5 (RFC 1321)." MD5 = EVP_md5;
        "RIPEMD-160." RIPEMD160 = EVP_ripemd160;
        "SHA-1 (FIPS 180-4)." SHA1 = EVP_sha1;
        "SHA-224 (FIPS 180-4)." SHA224 = EVP_sha224;
        "SHA-256 (FIPS 180-4)." SHA256 = EVP_sha256;
        "SHA-384 (FIPS 180-4)." SHA384 = EVP_sha384;
        "SHA-512 (FIPS 180-4)." SHA512 = EVP_sha512;
        "SHA-512/224 (FIPS 180-4)." SHA512_224 = EVP_sha512_224;
        "SHA-512/256 (FIPS 180-4)." SHA512_256 = EVP_sha512_256;
        "SHA3-224 (FIPS 202)." SHA3_224 = EVP_sha3_224;
        "SHA3-256 (FIPS 202)." SHA3_256 = EVP_sha3_256;
        "SHA3-384 (FIPS 202)." SHA3_384 = EVP_sha3_384;
        "SHA3-512 (FIPS 202)." SHA3_512 = EVP_sha3_512;
    }

    pub(crate) fn ptr(self) -> *const sys::EVP_MD {
        // SAFETY: these functions take nothing and return static tables (openssl/digest.h).
        unsafe { (self.0)() }
    }

    /// The digest of some bytes.
    pub fn digest(self, data: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; MAX_DIGEST];
        let mut len = 0;
        // SAFETY: `out` holds EVP_MAX_MD_SIZE bytes, the most that EVP_Digest writes; `data` is valid for its length.
        check(unsafe {
            sys::EVP_Digest(data.as_ptr().cast(), data.len(), out.as_mut_ptr(), &raw mut len, self.ptr(), null_mut())
        })?;
        out.truncate(len as usize);
        Ok(out)
    }

    /// Length of the digest in bytes.
    #[allow(clippy::len_without_is_empty, reason = "no digest is empty")]
    pub fn len(self) -> usize {
        // SAFETY: the pointer is one of the library's static tables.
        unsafe { sys::EVP_MD_size(self.ptr()) }
    }

    /// MGF1 (RFC 8017 §B.2.1).
    pub fn mgf1(self, seed: &[u8], len: usize) -> Result<Secret> {
        let mut mask = Zeroizing::new(vec![0; len]);
        // SAFETY: mask and seed are valid for their lengths.
        check(unsafe { sys::PKCS1_MGF1(mask.as_mut_ptr(), len, seed.as_ptr(), seed.len(), self.ptr()) })?;
        Ok(mask)
    }

    /// SHAKE256 with 64 bytes of output (FIPS 202 §6.2).
    pub fn shake256(data: &[u8]) -> Result<[u8; 64]> {
        let mut out = [0; 64];
        let mut len = 64;
        // SAFETY: the function returns a static table; `out` has the `len` bytes that EVP_Digest fills for an extendable function.
        check(unsafe {
            sys::EVP_Digest(data.as_ptr().cast(), data.len(), out.as_mut_ptr(), &raw mut len, sys::EVP_shake256(), null_mut())
        })?;
        Ok(out)
    }

    /// HMAC; refused for a hash that the library has no HMAC with.
    pub fn hmac(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; MAX_DIGEST];
        let mut len = 0;
        // SAFETY: `out` holds EVP_MAX_MD_SIZE bytes, the most that HMAC writes; the inputs are valid for their lengths.
        let done = unsafe {
            sys::HMAC(self.ptr(), key.as_ptr().cast(), key.len(), data.as_ptr(), data.len(), out.as_mut_ptr(), &raw mut len)
        };
        check(c_int::from(!done.is_null()))?;
        out.truncate(len as usize);
        Ok(out)
    }
}

impl Md {
    /// The first step of HKDF (RFC 5869 §2.2).
    pub fn hkdf_extract(self, salt: &[u8], secret: &[u8]) -> Result<Secret> {
        filled_secret(MAX_DIGEST, |out, len| {
            // SAFETY: `out` holds EVP_MAX_MD_SIZE bytes, the most that is written; the inputs are valid for their lengths.
            unsafe { sys::HKDF_extract(out, len, self.ptr(), secret.as_ptr(), secret.len(), salt.as_ptr(), salt.len()) }
        })
    }

    /// The second step of HKDF (RFC 5869 §2.3); refused for more than 255 digests.
    pub fn hkdf_expand(self, key: &[u8], info: &[u8], len: usize) -> Result<Secret> {
        filled_secret(len, |out, len| {
            // SAFETY: `filled_secret` hands out room for `*len` bytes; the inputs are valid for their lengths.
            unsafe { sys::HKDF_expand(out, *len, self.ptr(), key.as_ptr(), key.len(), info.as_ptr(), info.len()) }
        })
    }
}

/// SHA-256 (FIPS 180-4) of some bytes, which never fails.
pub fn sha256(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    // SAFETY: `data` is valid for its length, and `out` has the 32 bytes that are written.
    unsafe { sys::SHA256(data.as_ptr(), data.len(), out.as_mut_ptr()) };
    out
}

/// A block cipher in one mode, with one key size. The constants list one mode in all its key sizes.
#[derive(Clone, Copy)]
pub struct Cipher(unsafe extern "C" fn() -> *const sys::EVP_CIPHER);

/// Which way a cipher runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From plaintext to ciphertext.
    Encrypt,
    /// From ciphertext to plaintext.
    Decrypt,
}

impl Cipher {
    functions! {
        "AES in counter mode (SP 800-38A §6.5)." AES_CTR = [EVP_aes_128_ctr, EVP_aes_192_ctr, EVP_aes_256_ctr];
        "AES in CFB mode with segments of 128 bits (SP 800-38A §6.3)." AES_CFB = [EVP_aes_128_cfb128, EVP_aes_192_cfb128, EVP_aes_256_cfb128];
        "AES in OFB mode (SP 800-38A §6.4)." AES_OFB = [EVP_aes_128_ofb, EVP_aes_192_ofb, EVP_aes_256_ofb];
        "AES in ECB mode (SP 800-38A §6.1)." AES_ECB = [EVP_aes_128_ecb, EVP_aes_192_ecb, EVP_aes_256_ecb];
        "AES in CBC mode (SP 800-38A §6.2)." AES_CBC = [EVP_aes_128_cbc, EVP_aes_192_cbc, EVP_aes_256_cbc];
        "Triple DES with two and three keys, in ECB mode." DES_ECB = [EVP_des_ede, EVP_des_ede3_ecb];
        "Triple DES with two and three keys, in CBC mode." DES_CBC = [EVP_des_ede_cbc, EVP_des_ede3_cbc];
    }

    fn ptr(self) -> *const sys::EVP_CIPHER {
        // SAFETY: these functions take nothing and return static tables (openssl/cipher.h).
        unsafe { (self.0)() }
    }

    /// Length of the key in bytes.
    pub fn key_len(self) -> usize {
        // SAFETY: the pointer is one of the library's static tables.
        unsafe { sys::EVP_CIPHER_key_length(self.ptr()) as usize }
    }

    /// Length of a block in bytes; 1 for the modes that are streams.
    pub fn block_len(self) -> usize {
        // SAFETY: the pointer is one of the library's static tables.
        unsafe { sys::EVP_CIPHER_block_size(self.ptr()) as usize }
    }

    /// Length of the initialisation vector in bytes.
    pub fn iv_len(self) -> usize {
        // SAFETY: the pointer is one of the library's static tables.
        unsafe { sys::EVP_CIPHER_iv_length(self.ptr()) as usize }
    }

    /// Runs the mode over `data`. Refused: a wrong length without `padding`, bad padding with it.
    pub fn run(self, direction: Direction, padding: bool, key: &[u8], iv: &[u8], data: &[u8]) -> Result<Secret> {
        if key.len() != self.key_len() || iv.len() != self.iv_len() {
            return Err(Refused);
        }
        let ctx = Owned::new(
            // SAFETY: allocates; null is checked by `Owned::new`.
            unsafe { sys::EVP_CIPHER_CTX_new() },
        )?;
        let enc = c_int::from(direction == Direction::Encrypt);
        let len = c_int::try_from(data.len()).map_err(|_| Refused)?;
        let mut out = Zeroizing::new(vec![0; data.len() + MAX_BLOCK]);
        let (mut body, mut tail) = (0, 0);
        // SAFETY: key and IV have the lengths that the cipher reads (checked above); `out` has room for the input and one block more, the
        // most that update and final write together.
        unsafe {
            check(sys::EVP_CipherInit_ex(ctx.0, self.ptr(), null_mut(), key.as_ptr(), iv.as_ptr(), enc))?;
            check(sys::EVP_CIPHER_CTX_set_padding(ctx.0, c_int::from(padding)))?;
            check(sys::EVP_CipherUpdate(ctx.0, out.as_mut_ptr(), &raw mut body, data.as_ptr(), len))?;
            check(sys::EVP_CipherFinal_ex(ctx.0, out.as_mut_ptr().add(body as usize), &raw mut tail))?;
        }
        out.truncate((body + tail) as usize);
        Ok(out)
    }

    /// CMAC (SP 800-38B); the cipher is one in CBC mode.
    pub fn cmac(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>> {
        if key.len() != self.key_len() {
            return Err(Refused);
        }
        let ctx = Owned::new(
            // SAFETY: allocates; null is checked by `Owned::new`.
            unsafe { sys::CMAC_CTX_new() },
        )?;
        let mut out = vec![0; MAX_BLOCK];
        let mut len = 0;
        // SAFETY: the key has the cipher's length (checked above); CMAC_Final writes one block at most.
        unsafe {
            check(sys::CMAC_Init(ctx.0, key.as_ptr().cast(), key.len(), self.ptr(), null_mut()))?;
            check(sys::CMAC_Update(ctx.0, data.as_ptr(), data.len()))?;
            check(sys::CMAC_Final(ctx.0, out.as_mut_ptr(), &raw mut len))?;
        }
        out.truncate(len);
        Ok(out)
    }
}

/// XORs `data` with the ChaCha20 key stream (RFC 8439) from block 0 on.
pub fn chacha20(key: &[u8; 32], nonce: &[u8; 12], data: &[u8]) -> Secret {
    let mut out = Zeroizing::new(vec![0; data.len()]);
    // SAFETY: `out` is as long as `data`; key and nonce have the sizes that the function reads.
    unsafe { sys::CRYPTO_chacha_20(out.as_mut_ptr(), data.as_ptr(), data.len(), key.as_ptr(), nonce.as_ptr(), 0) };
    out
}

/// AES-KW (RFC 3394), or with padding AES-KWP (RFC 5649). Refused: a length that the mode does not take, and on the way back what was
/// not wrapped with this key.
pub fn key_wrap(direction: Direction, padding: bool, key: &[u8], data: &[u8]) -> Result<Secret> {
    let schedule = Schedule::new(direction, key)?;
    let key = &raw const schedule.0;
    // Wrapping adds a block of 8 bytes, and padding at most 7.
    filled_secret(data.len() + 15, |out, len| {
        let (input, input_len) = (data.as_ptr(), data.len());
        // SAFETY: the schedule is one for this direction; `filled_secret` hands out room for `*len` bytes, which is more than either
        // mode writes; null asks for the default IV of RFC 3394 §2.2.3.1.
        unsafe {
            match (direction, padding) {
                (Direction::Encrypt, true) => sys::AES_wrap_key_padded(key, out, len, *len, input, input_len),
                (Direction::Decrypt, true) => sys::AES_unwrap_key_padded(key, out, len, *len, input, input_len),
                (Direction::Encrypt, false) => written(sys::AES_wrap_key(key, null(), out, input, input_len), len),
                (Direction::Decrypt, false) => written(sys::AES_unwrap_key(key, null(), out, input, input_len), len),
            }
        }
    })
}

/// A length or -1 as a code, and the length where it belongs.
fn written(written: c_int, len: &mut usize) -> c_int {
    *len = usize::try_from(written).unwrap_or(0);
    c_int::from(written > 0)
}

/// An AES key, prepared for one direction; wiped when dropped.
struct Schedule(sys::AES_KEY);

impl Schedule {
    fn new(direction: Direction, key: &[u8]) -> Result<Self> {
        let mut schedule = MaybeUninit::uninit();
        let bits = u32::try_from(key.len() * 8).map_err(|_| Refused)?;
        let prepare = match direction {
            Direction::Encrypt => sys::AES_set_encrypt_key,
            Direction::Decrypt => sys::AES_set_decrypt_key as unsafe extern "C" fn(_, _, _) -> _,
        };
        // SAFETY: the key has `bits` bits; the library checks that AES has such keys, and 0 says that the schedule is made.
        let made = unsafe { prepare(key.as_ptr(), bits, schedule.as_mut_ptr()) };
        check(c_int::from(made == 0))?;
        // SAFETY: it was made.
        Ok(Self(unsafe { schedule.assume_init() }))
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        // SAFETY: the structure holds plain numbers, is ours, and is not read again.
        unsafe { sys::OPENSSL_cleanse((&raw mut self.0).cast(), size_of::<sys::AES_KEY>()) };
    }
}

/// An authenticated cipher with one key size. The constants list one mode in all its key sizes.
#[derive(Clone, Copy)]
pub struct Aead(Mode);

#[derive(Clone, Copy)]
enum Mode {
    /// One of the library's AEADs.
    Evp(Evp),
    /// CCM, which the library has as a cipher mode only.
    Ccm(Cipher),
}

#[derive(Clone, Copy)]
struct Evp(unsafe extern "C" fn() -> *const sys::EVP_AEAD);

impl Aead {
    /// AES-GCM (SP 800-38D) with keys of 128, 192 and 256 bits.
    pub const AES_GCM: [Self; 3] =
        [Self::evp(sys::EVP_aead_aes_128_gcm), Self::evp(sys::EVP_aead_aes_192_gcm), Self::evp(sys::EVP_aead_aes_256_gcm)];
    /// AES-CCM (SP 800-38C) with keys of 128, 192 and 256 bits.
    pub const AES_CCM: [Self; 3] =
        [Self::ccm(sys::EVP_aes_128_ccm), Self::ccm(sys::EVP_aes_192_ccm), Self::ccm(sys::EVP_aes_256_ccm)];
    /// ChaCha20-Poly1305 (RFC 8439).
    pub const CHACHA20_POLY1305: Self = Self::evp(sys::EVP_aead_chacha20_poly1305);

    const fn evp(aead: unsafe extern "C" fn() -> *const sys::EVP_AEAD) -> Self {
        Self(Mode::Evp(Evp(aead)))
    }

    const fn ccm(cipher: unsafe extern "C" fn() -> *const sys::EVP_CIPHER) -> Self {
        Self(Mode::Ccm(Cipher(cipher)))
    }

    /// Length of the key in bytes.
    pub fn key_len(self) -> usize {
        match self.0 {
            // SAFETY: the function takes nothing and returns a static table (openssl/aead.h).
            Mode::Evp(aead) => unsafe { sys::EVP_AEAD_key_length((aead.0)()) },
            Mode::Ccm(cipher) => cipher.key_len(),
        }
    }

    /// Ciphertext followed by a tag of `tag_len` bytes.
    pub fn seal(self, key: &[u8], tag_len: usize, nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        match self.0 {
            Mode::Evp(aead) => {
                let ctx = aead.context(key, tag_len)?;
                filled(plaintext.len() + tag_len, |out, len| {
                    // SAFETY: `filled` hands out room for `*len` bytes; the inputs are valid for their lengths.
                    unsafe {
                        sys::EVP_AEAD_CTX_seal(
                            ctx.0,
                            out,
                            len,
                            *len,
                            nonce.as_ptr(),
                            nonce.len(),
                            plaintext.as_ptr(),
                            plaintext.len(),
                            aad.as_ptr(),
                            aad.len(),
                        )
                    }
                })
            }
            Mode::Ccm(cipher) => cipher.ccm_seal(key, tag_len, nonce, aad, plaintext),
        }
    }

    /// The plaintext of what [`Self::seal`] made; refused unless the tag is right.
    pub fn open(self, key: &[u8], tag_len: usize, nonce: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Secret> {
        match self.0 {
            Mode::Evp(aead) => {
                let ctx = aead.context(key, tag_len)?;
                filled_secret(sealed.len(), |out, len| {
                    // SAFETY: `filled_secret` hands out room for `*len` bytes; the inputs are valid for their lengths.
                    unsafe {
                        sys::EVP_AEAD_CTX_open(
                            ctx.0,
                            out,
                            len,
                            *len,
                            nonce.as_ptr(),
                            nonce.len(),
                            sealed.as_ptr(),
                            sealed.len(),
                            aad.as_ptr(),
                            aad.len(),
                        )
                    }
                })
            }
            Mode::Ccm(cipher) => {
                let (ciphertext, tag) =
                    sealed.split_at_checked(sealed.len().checked_sub(tag_len).ok_or(Refused)?).ok_or(Refused)?;
                cipher.ccm_open(key, tag, nonce, aad, ciphertext)
            }
        }
    }
}

impl Evp {
    fn context(self, key: &[u8], tag_len: usize) -> Result<Owned<sys::EVP_AEAD_CTX>> {
        // SAFETY: the table is static; the library checks the key's and the tag's length, and returns null when it refuses them.
        Owned::new(unsafe { sys::EVP_AEAD_CTX_new((self.0)(), key.as_ptr(), key.len(), tag_len) })
    }
}

impl Cipher {
    fn ccm_seal(self, key: &[u8], tag_len: usize, nonce: &[u8], aad: &[u8], plaintext: &[u8]) -> Result<Vec<u8>> {
        let mut tag = vec![0; tag_len];
        let ctx = self.ccm_context(Direction::Encrypt, key, (tag_len, null_mut()), nonce, aad, plaintext.len())?;
        let mut out = ccm_run(&ctx, plaintext)?;
        // SAFETY: `tag` has the length that was set in the context.
        check(unsafe { sys::EVP_CIPHER_CTX_ctrl(ctx.0, sys::EVP_CTRL_AEAD_GET_TAG, int(tag_len)?, tag.as_mut_ptr().cast()) })?;
        let mut sealed = std::mem::take(&mut *out);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn ccm_open(self, key: &[u8], tag: &[u8], nonce: &[u8], aad: &[u8], ciphertext: &[u8]) -> Result<Secret> {
        let expected = (tag.len(), tag.as_ptr().cast_mut().cast());
        let ctx = self.ccm_context(Direction::Decrypt, key, expected, nonce, aad, ciphertext.len())?;
        ccm_run(&ctx, ciphertext)
    }

    /// A context that waits for the one message of `len` bytes. The tag is a length, and for decryption its bytes.
    fn ccm_context(
        self,
        direction: Direction,
        key: &[u8],
        tag: (usize, *mut c_void),
        nonce: &[u8],
        aad: &[u8],
        len: usize,
    ) -> Result<Owned<sys::EVP_CIPHER_CTX>> {
        if key.len() != self.key_len() {
            return Err(Refused);
        }
        let enc = c_int::from(direction == Direction::Encrypt);
        let ctx = Owned::new(
            // SAFETY: allocates; null is checked by `Owned::new`.
            unsafe { sys::EVP_CIPHER_CTX_new() },
        )?;
        let mut done = 0;
        // SAFETY: the order of RFC 3610 in this interface: lengths, key and nonce (as long as just said), message length, additional data.
        // A null output pointer means "additional data"; nothing is written. The tag is only read, and only for decryption.
        unsafe {
            check(sys::EVP_CipherInit_ex(ctx.0, self.ptr(), null_mut(), null(), null(), enc))?;
            check(sys::EVP_CIPHER_CTX_ctrl(ctx.0, sys::EVP_CTRL_AEAD_SET_IVLEN, int(nonce.len())?, null_mut()))?;
            check(sys::EVP_CIPHER_CTX_ctrl(ctx.0, sys::EVP_CTRL_AEAD_SET_TAG, int(tag.0)?, tag.1))?;
            check(sys::EVP_CipherInit_ex(ctx.0, null(), null_mut(), key.as_ptr(), nonce.as_ptr(), enc))?;
            check(sys::EVP_CipherUpdate(ctx.0, null_mut(), &raw mut done, null(), int(len)?))?;
            if !aad.is_empty() {
                check(sys::EVP_CipherUpdate(ctx.0, null_mut(), &raw mut done, aad.as_ptr(), int(aad.len())?))?;
            }
        }
        Ok(ctx)
    }
}

fn ccm_run(ctx: &Owned<sys::EVP_CIPHER_CTX>, data: &[u8]) -> Result<Secret> {
    let mut out = Zeroizing::new(vec![0; data.len() + 1]);
    let mut done = 0;
    // SAFETY: CCM writes as many bytes as it reads.
    check(unsafe { sys::EVP_CipherUpdate(ctx.0, out.as_mut_ptr(), &raw mut done, data.as_ptr(), int(data.len())?) })?;
    out.truncate(done as usize);
    Ok(out)
}
