//! AWS-LC behind safe types: the only file of this backend with `unsafe`.
//!
//! The safe crate keeps keys in encodings of its own and lacks raw DigestInfo signatures, CCM, short tags and most cipher modes, so one
//! path through the C interface serves everything but EdDSA. Each type owns its C object and frees it; the library wipes memory before
//! it frees it (`openssl/mem.h`, `OPENSSL_free`).

use aws_lc_sys as sys;
use std::ffi::{c_int, c_void};
use std::ptr::{null, null_mut};
use zeroize::Zeroizing;

/// Bytes that are wiped when dropped.
pub(super) type Secret = Zeroizing<Vec<u8>>;

/// The library refused. Callers know from what they asked which refusals are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

type Result<T, E = Refused> = std::result::Result<T, E>;

/// A hash function.
#[derive(Clone, Copy)]
pub(super) struct Md(unsafe extern "C" fn() -> *const sys::EVP_MD);

impl Md {
    pub(super) const MD4: Self = Self(sys::EVP_md4);
    pub(super) const MD5: Self = Self(sys::EVP_md5);
    pub(super) const RIPEMD160: Self = Self(sys::EVP_ripemd160);
    pub(super) const SHA1: Self = Self(sys::EVP_sha1);
    pub(super) const SHA224: Self = Self(sys::EVP_sha224);
    pub(super) const SHA256: Self = Self(sys::EVP_sha256);
    pub(super) const SHA384: Self = Self(sys::EVP_sha384);
    pub(super) const SHA512: Self = Self(sys::EVP_sha512);
    pub(super) const SHA512_224: Self = Self(sys::EVP_sha512_224);
    pub(super) const SHA512_256: Self = Self(sys::EVP_sha512_256);
    pub(super) const SHA3_224: Self = Self(sys::EVP_sha3_224);
    pub(super) const SHA3_256: Self = Self(sys::EVP_sha3_256);
    pub(super) const SHA3_384: Self = Self(sys::EVP_sha3_384);
    pub(super) const SHA3_512: Self = Self(sys::EVP_sha3_512);

    fn ptr(self) -> *const sys::EVP_MD {
        // SAFETY: these functions take nothing and return static tables (openssl/digest.h).
        unsafe { (self.0)() }
    }

    pub(super) fn digest(self, data: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; MAX_DIGEST];
        let mut len = 0;
        // SAFETY: `out` holds EVP_MAX_MD_SIZE bytes, the most that EVP_Digest writes; `data` is valid for its length.
        check(unsafe {
            sys::EVP_Digest(
                data.as_ptr().cast(),
                data.len(),
                out.as_mut_ptr(),
                &raw mut len,
                self.ptr(),
                null_mut(),
            )
        })?;
        out.truncate(len as usize);
        Ok(out)
    }

    /// HMAC; refused for a hash that the library has no HMAC with.
    pub(super) fn hmac(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>> {
        let mut out = vec![0; MAX_DIGEST];
        let mut len = 0;
        // SAFETY: `out` holds EVP_MAX_MD_SIZE bytes, the most that HMAC writes; the inputs are valid for their lengths.
        let done = unsafe {
            sys::HMAC(
                self.ptr(),
                key.as_ptr().cast(),
                key.len(),
                data.as_ptr(),
                data.len(),
                out.as_mut_ptr(),
                &raw mut len,
            )
        };
        check(c_int::from(!done.is_null()))?;
        out.truncate(len as usize);
        Ok(out)
    }
}

/// A block cipher in one mode, with one key size. The constants list one mode in all its key sizes.
#[derive(Clone, Copy)]
pub(super) struct Cipher(unsafe extern "C" fn() -> *const sys::EVP_CIPHER);

/// Which way a cipher runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

impl Cipher {
    pub(super) const AES_CTR: [Self; 3] = [
        Self(sys::EVP_aes_128_ctr),
        Self(sys::EVP_aes_192_ctr),
        Self(sys::EVP_aes_256_ctr),
    ];
    pub(super) const AES_CFB: [Self; 3] = [
        Self(sys::EVP_aes_128_cfb128),
        Self(sys::EVP_aes_192_cfb128),
        Self(sys::EVP_aes_256_cfb128),
    ];
    pub(super) const AES_OFB: [Self; 3] = [
        Self(sys::EVP_aes_128_ofb),
        Self(sys::EVP_aes_192_ofb),
        Self(sys::EVP_aes_256_ofb),
    ];
    pub(super) const AES_ECB: [Self; 3] = [
        Self(sys::EVP_aes_128_ecb),
        Self(sys::EVP_aes_192_ecb),
        Self(sys::EVP_aes_256_ecb),
    ];
    pub(super) const AES_CBC: [Self; 3] = [
        Self(sys::EVP_aes_128_cbc),
        Self(sys::EVP_aes_192_cbc),
        Self(sys::EVP_aes_256_cbc),
    ];

    fn ptr(self) -> *const sys::EVP_CIPHER {
        // SAFETY: these functions take nothing and return static tables (openssl/cipher.h).
        unsafe { (self.0)() }
    }

    /// Length of the key in bytes.
    pub(super) fn key_len(self) -> usize {
        // SAFETY: the pointer is one of the library's static tables.
        unsafe { sys::EVP_CIPHER_key_length(self.ptr()) as usize }
    }

    /// Length of the initialisation vector in bytes.
    pub(super) fn iv_len(self) -> usize {
        // SAFETY: the pointer is one of the library's static tables.
        unsafe { sys::EVP_CIPHER_iv_length(self.ptr()) as usize }
    }

    /// Runs the mode over `data`. Refused: a wrong length without `padding`, bad padding with it.
    pub(super) fn run(
        self,
        direction: Direction,
        padding: bool,
        key: &[u8],
        iv: &[u8],
        data: &[u8],
    ) -> Result<Secret> {
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
            check(sys::EVP_CipherInit_ex(
                ctx.0,
                self.ptr(),
                null_mut(),
                key.as_ptr(),
                iv.as_ptr(),
                enc,
            ))?;
            check(sys::EVP_CIPHER_CTX_set_padding(ctx.0, c_int::from(padding)))?;
            check(sys::EVP_CipherUpdate(
                ctx.0,
                out.as_mut_ptr(),
                &raw mut body,
                data.as_ptr(),
                len,
            ))?;
            check(sys::EVP_CipherFinal_ex(
                ctx.0,
                out.as_mut_ptr().add(body as usize),
                &raw mut tail,
            ))?;
        }
        out.truncate((body + tail) as usize);
        Ok(out)
    }

    /// CMAC (SP 800-38B); the cipher is one in CBC mode.
    pub(super) fn cmac(self, key: &[u8], data: &[u8]) -> Result<Vec<u8>> {
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
            check(sys::CMAC_Init(
                ctx.0,
                key.as_ptr().cast(),
                key.len(),
                self.ptr(),
                null_mut(),
            ))?;
            check(sys::CMAC_Update(ctx.0, data.as_ptr(), data.len()))?;
            check(sys::CMAC_Final(ctx.0, out.as_mut_ptr(), &raw mut len))?;
        }
        out.truncate(len);
        Ok(out)
    }
}

/// XORs `data` with the ChaCha20 key stream (RFC 8439) from block 0 on.
pub(super) fn chacha20(key: &[u8; 32], nonce: &[u8; 12], data: &[u8]) -> Secret {
    let mut out = Zeroizing::new(vec![0; data.len()]);
    // SAFETY: `out` is as long as `data`; key and nonce have the sizes that the function reads.
    unsafe {
        sys::CRYPTO_chacha_20(
            out.as_mut_ptr(),
            data.as_ptr(),
            data.len(),
            key.as_ptr(),
            nonce.as_ptr(),
            0,
        )
    };
    out
}

/// An authenticated cipher with one key size.
#[derive(Clone, Copy)]
pub(super) enum Aead {
    /// One of the library's AEADs.
    Evp(Evp),
    /// CCM, which the library has as a cipher mode only.
    Ccm(Cipher),
}

/// One of the library's AEADs.
#[derive(Clone, Copy)]
pub(super) struct Evp(unsafe extern "C" fn() -> *const sys::EVP_AEAD);

impl Aead {
    pub(super) const AES_GCM: [Self; 3] = [
        Self::Evp(Evp(sys::EVP_aead_aes_128_gcm)),
        Self::Evp(Evp(sys::EVP_aead_aes_192_gcm)),
        Self::Evp(Evp(sys::EVP_aead_aes_256_gcm)),
    ];
    pub(super) const AES_CCM: [Self; 3] = [
        Self::Ccm(Cipher(sys::EVP_aes_128_ccm)),
        Self::Ccm(Cipher(sys::EVP_aes_192_ccm)),
        Self::Ccm(Cipher(sys::EVP_aes_256_ccm)),
    ];
    pub(super) const CHACHA20_POLY1305: Self = Self::Evp(Evp(sys::EVP_aead_chacha20_poly1305));

    /// Length of the key in bytes.
    pub(super) fn key_len(self) -> usize {
        match self {
            // SAFETY: the function takes nothing and returns a static table (openssl/aead.h).
            Self::Evp(aead) => unsafe { sys::EVP_AEAD_key_length((aead.0)()) },
            Self::Ccm(cipher) => cipher.key_len(),
        }
    }

    /// Ciphertext followed by a tag of `tag_len` bytes.
    pub(super) fn seal(
        self,
        key: &[u8],
        tag_len: usize,
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        match self {
            Self::Evp(aead) => {
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
            Self::Ccm(cipher) => cipher.ccm_seal(key, tag_len, nonce, aad, plaintext),
        }
    }

    /// The plaintext of what [`Self::seal`] made; refused unless the tag is right.
    pub(super) fn open(
        self,
        key: &[u8],
        tag_len: usize,
        nonce: &[u8],
        aad: &[u8],
        sealed: &[u8],
    ) -> Result<Secret> {
        match self {
            Self::Evp(aead) => {
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
            Self::Ccm(cipher) => {
                let (ciphertext, tag) = sealed
                    .split_at_checked(sealed.len().checked_sub(tag_len).ok_or(Refused)?)
                    .ok_or(Refused)?;
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
    fn ccm_seal(
        self,
        key: &[u8],
        tag_len: usize,
        nonce: &[u8],
        aad: &[u8],
        plaintext: &[u8],
    ) -> Result<Vec<u8>> {
        let mut tag = vec![0; tag_len];
        let ctx = self.ccm_context(
            Direction::Encrypt,
            key,
            (tag_len, null_mut()),
            nonce,
            aad,
            plaintext.len(),
        )?;
        let mut out = ccm_run(&ctx, plaintext)?;
        // SAFETY: `tag` has the length that was set in the context.
        check(unsafe {
            sys::EVP_CIPHER_CTX_ctrl(
                ctx.0,
                sys::EVP_CTRL_AEAD_GET_TAG,
                int(tag_len)?,
                tag.as_mut_ptr().cast(),
            )
        })?;
        let mut sealed = std::mem::take(&mut *out);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    fn ccm_open(
        self,
        key: &[u8],
        tag: &[u8],
        nonce: &[u8],
        aad: &[u8],
        ciphertext: &[u8],
    ) -> Result<Secret> {
        let expected = (tag.len(), tag.as_ptr().cast_mut().cast());
        let ctx = self.ccm_context(
            Direction::Decrypt,
            key,
            expected,
            nonce,
            aad,
            ciphertext.len(),
        )?;
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
            check(sys::EVP_CipherInit_ex(
                ctx.0,
                self.ptr(),
                null_mut(),
                null(),
                null(),
                enc,
            ))?;
            check(sys::EVP_CIPHER_CTX_ctrl(
                ctx.0,
                sys::EVP_CTRL_AEAD_SET_IVLEN,
                int(nonce.len())?,
                null_mut(),
            ))?;
            check(sys::EVP_CIPHER_CTX_ctrl(
                ctx.0,
                sys::EVP_CTRL_AEAD_SET_TAG,
                int(tag.0)?,
                tag.1,
            ))?;
            check(sys::EVP_CipherInit_ex(
                ctx.0,
                null(),
                null_mut(),
                key.as_ptr(),
                nonce.as_ptr(),
                enc,
            ))?;
            check(sys::EVP_CipherUpdate(
                ctx.0,
                null_mut(),
                &raw mut done,
                null(),
                int(len)?,
            ))?;
            if !aad.is_empty() {
                check(sys::EVP_CipherUpdate(
                    ctx.0,
                    null_mut(),
                    &raw mut done,
                    aad.as_ptr(),
                    int(aad.len())?,
                ))?;
            }
        }
        Ok(ctx)
    }
}

fn ccm_run(ctx: &Owned<sys::EVP_CIPHER_CTX>, data: &[u8]) -> Result<Secret> {
    let mut out = Zeroizing::new(vec![0; data.len() + 1]);
    let mut done = 0;
    // SAFETY: CCM writes as many bytes as it reads.
    check(unsafe {
        sys::EVP_CipherUpdate(
            ctx.0,
            out.as_mut_ptr(),
            &raw mut done,
            data.as_ptr(),
            int(data.len())?,
        )
    })?;
    out.truncate(done as usize);
    Ok(out)
}

/// An RSA key: public, or a pair with its CRT values.
pub(super) struct Rsa(Owned<sys::RSA>);

// SAFETY: "an RSA object may be used concurrently by several threads as long as none changes it" (openssl/rsa.h); nothing here changes one
// after it was made, and the library locks what it caches in it.
unsafe impl Send for Rsa {}
// SAFETY: as above.
unsafe impl Sync for Rsa {}

impl Rsa {
    /// A new pair with the public exponent 65537.
    pub(super) fn generate(bits: u32) -> Result<Self> {
        // SAFETY: allocates; null is checked by `Owned::new`.
        let key = Owned::new(unsafe { sys::RSA_new() })?;
        let e = number(&[1, 0, 1])?;
        // SAFETY: both objects are live; no callback.
        check(unsafe {
            sys::RSA_generate_key_ex(
                key.0,
                c_int::try_from(bits).map_err(|_| Refused)?,
                e.0,
                null_mut(),
            )
        })?;
        Ok(Self(key))
    }

    /// A pair from a DER `RSAPrivateKey`. The library requires one complete structure whose values fit together.
    pub(super) fn from_private_der(der: &[u8]) -> Result<Self> {
        // SAFETY: `der` is valid for its length; null is checked by `Owned::new`.
        let key = Self(Owned::new(unsafe {
            sys::RSA_private_key_from_bytes(der.as_ptr(), der.len())
        })?);
        // The library takes pairs without primes too.
        key.primes().map(|_| key)
    }

    /// A public key from a DER `RSAPublicKey`.
    pub(super) fn from_public_der(der: &[u8]) -> Result<Self> {
        // SAFETY: `der` is valid for its length; null is checked by `Owned::new`.
        Owned::new(unsafe { sys::RSA_public_key_from_bytes(der.as_ptr(), der.len()) }).map(Self)
    }

    /// DER `RSAPrivateKey`.
    pub(super) fn private_der(&self) -> Result<Secret> {
        // SAFETY: the two functions agree on the output's form.
        unsafe { allocated(|out, len| sys::RSA_private_key_to_bytes(out, len, self.0.0)) }
    }

    /// DER `RSAPublicKey`.
    pub(super) fn public_der(&self) -> Result<Vec<u8>> {
        // SAFETY: the two functions agree on the output's form.
        unsafe { allocated(|out, len| sys::RSA_public_key_to_bytes(out, len, self.0.0)) }
            .map(|mut der| std::mem::take(&mut *der))
    }

    /// Size of the modulus in bits.
    pub(super) fn bits(&self) -> u32 {
        // SAFETY: the object is live.
        unsafe { sys::RSA_bits(self.0.0) }
    }

    /// Size of the modulus in bytes.
    pub(super) fn len(&self) -> usize {
        self.bits().div_ceil(8) as usize
    }

    /// The modulus, big-endian.
    pub(super) fn modulus(&self) -> Result<Vec<u8>> {
        // SAFETY: the number lives as long as the key, and is public.
        unsafe { padded(sys::RSA_get0_n(self.0.0), self.len()) }
            .map(|mut n| std::mem::take(&mut *n))
    }

    /// The private exponent, big-endian, as long as the modulus.
    pub(super) fn private_exponent(&self) -> Result<Secret> {
        // SAFETY: the number lives as long as the key; `padded` checks for null.
        unsafe { padded(sys::RSA_get0_d(self.0.0), self.len()) }
    }

    /// Both prime factors, big-endian, in half the modulus' length rounded up; refused when one needs more.
    pub(super) fn primes(&self) -> Result<[Secret; 2]> {
        let len = self.len().div_ceil(2);
        // SAFETY: the numbers live as long as the key; `padded` checks for null.
        unsafe {
            Ok([
                padded(sys::RSA_get0_p(self.0.0), len)?,
                padded(sys::RSA_get0_q(self.0.0), len)?,
            ])
        }
    }

    /// RSASSA-PKCS1-v1_5 over a ready `DigestInfo`.
    pub(super) fn sign_pkcs1(&self, info: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; `info` is valid for its length.
            unsafe {
                sys::RSA_sign_raw(
                    self.0.0,
                    len,
                    out,
                    *len,
                    info.as_ptr(),
                    info.len(),
                    sys::RSA_PKCS1_PADDING,
                )
            }
        })
    }

    /// The `DigestInfo` that an RSASSA-PKCS1-v1_5 signature holds; refused when its padding is wrong.
    pub(super) fn recover_pkcs1(&self, signature: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the signature is valid for its length.
            unsafe {
                sys::RSA_verify_raw(
                    self.0.0,
                    len,
                    out,
                    *len,
                    signature.as_ptr(),
                    signature.len(),
                    sys::RSA_PKCS1_PADDING,
                )
            }
        })
    }

    /// RSASSA-PSS with a salt as long as the digest.
    pub(super) fn sign_pss(&self, md: Md, digest: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the library checks the digest's length against the hash.
            unsafe {
                sys::RSA_sign_pss_mgf1(
                    self.0.0,
                    len,
                    out,
                    *len,
                    digest.as_ptr(),
                    digest.len(),
                    md.ptr(),
                    md.ptr(),
                    SALT_AS_DIGEST,
                )
            }
        })
    }

    /// Verifies what [`Self::sign_pss`] made.
    pub(super) fn verify_pss(&self, md: Md, digest: &[u8], signature: &[u8]) -> Result<()> {
        // SAFETY: the inputs are valid for their lengths; the library checks the digest's length against the hash.
        check(unsafe {
            sys::RSA_verify_pss_mgf1(
                self.0.0,
                digest.as_ptr(),
                digest.len(),
                md.ptr(),
                md.ptr(),
                SALT_AS_DIGEST,
                signature.as_ptr(),
                signature.len(),
            )
        })
    }

    /// RSAES-PKCS1-v1_5 encryption.
    pub(super) fn encrypt_pkcs1(&self, plaintext: &[u8]) -> Result<Vec<u8>> {
        filled(self.len(), |out, len| {
            // SAFETY: `filled` hands out room for `*len` bytes; the plaintext is valid for its length.
            unsafe {
                sys::RSA_encrypt(
                    self.0.0,
                    len,
                    out,
                    *len,
                    plaintext.as_ptr(),
                    plaintext.len(),
                    sys::RSA_PKCS1_PADDING,
                )
            }
        })
    }

    /// The padded message as long as the modulus, in constant time. Refused: a number that no encryption makes.
    pub(super) fn decrypt_raw(&self, ciphertext: &[u8]) -> Result<Secret> {
        filled_secret(self.len(), |out, len| {
            // SAFETY: `filled_secret` hands out room for `*len` bytes; the ciphertext is valid for its length.
            unsafe {
                sys::RSA_decrypt(
                    self.0.0,
                    len,
                    out,
                    *len,
                    ciphertext.as_ptr(),
                    ciphertext.len(),
                    sys::RSA_NO_PADDING,
                )
            }
        })
    }

    /// RSAES-OAEP, MGF1 with the same hash.
    pub(super) fn oaep(
        &self,
        direction: Direction,
        md: Md,
        label: &[u8],
        input: &[u8],
    ) -> Result<Secret> {
        // SAFETY: allocates; null is checked by `Owned::new`.
        let pkey = Owned::new(unsafe { sys::EVP_PKEY_new() })?;
        // SAFETY: both objects are live; set1 takes a reference of its own.
        check(unsafe { sys::EVP_PKEY_set1_RSA(pkey.0, self.0.0) })?;
        // SAFETY: the key is live; null is checked by `Owned::new`.
        let ctx = Owned::new(unsafe { sys::EVP_PKEY_CTX_new(pkey.0, null_mut()) })?;
        let (init, run): (_, unsafe extern "C" fn(_, _, _, _, _) -> c_int) = match direction {
            Direction::Encrypt => (
                sys::EVP_PKEY_encrypt_init as unsafe extern "C" fn(_) -> c_int,
                sys::EVP_PKEY_encrypt,
            ),
            Direction::Decrypt => (sys::EVP_PKEY_decrypt_init as _, sys::EVP_PKEY_decrypt),
        };
        // SAFETY: the context is live; set0 owns the copied label from its success on.
        unsafe {
            check(init(ctx.0))?;
            check(sys::EVP_PKEY_CTX_set_rsa_padding(
                ctx.0,
                sys::RSA_PKCS1_OAEP_PADDING,
            ))?;
            check(sys::EVP_PKEY_CTX_set_rsa_oaep_md(ctx.0, md.ptr()))?;
            check(sys::EVP_PKEY_CTX_set_rsa_mgf1_md(ctx.0, md.ptr()))?;
            if !label.is_empty() {
                let copy: *mut u8 = sys::OPENSSL_memdup(label.as_ptr().cast(), label.len()).cast();
                check(c_int::from(!copy.is_null()))?;
                check(sys::EVP_PKEY_CTX_set0_rsa_oaep_label(
                    ctx.0,
                    copy,
                    label.len(),
                ))
                .inspect_err(|_| sys::OPENSSL_free(copy.cast()))?;
            }
        }
        filled_secret(self.len(), |out, len| {
            // SAFETY: `filled_secret` hands out room for `*len` bytes, and the functions take `*len` as that room.
            unsafe { run(ctx.0, out, len, input.as_ptr(), input.len()) }
        })
    }
}

/// Whether a big-endian number is prime, with an error below 2⁻¹²⁸ for numbers of an adversary's choice.
pub(super) fn is_prime(candidate: &[u8]) -> Result<bool> {
    let candidate = number(candidate)?;
    let mut prime = 0;
    // SAFETY: the number is live; null asks for a scratch context of the library's own and no callback.
    check(unsafe {
        sys::BN_primality_test(
            &raw mut prime,
            candidate.0,
            sys::BN_prime_checks_for_validation,
            null_mut(),
            1,
            null_mut(),
        )
    })?;
    Ok(prime == 1)
}

/// A short Weierstrass curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Curve {
    nid: c_int,
    bits: u32,
}

impl Curve {
    pub(super) const P256: Self = Self {
        nid: sys::NID_X9_62_prime256v1,
        bits: 256,
    };
    pub(super) const P384: Self = Self {
        nid: sys::NID_secp384r1,
        bits: 384,
    };
    pub(super) const P521: Self = Self {
        nid: sys::NID_secp521r1,
        bits: 521,
    };
    pub(super) const SECP256K1: Self = Self {
        nid: sys::NID_secp256k1,
        bits: 256,
    };

    /// Size in bits, of the field and of the group's order.
    pub(super) const fn bits(self) -> u32 {
        self.bits
    }

    /// Length of a scalar or coordinate in bytes.
    pub(super) const fn len(self) -> usize {
        self.bits.div_ceil(8) as usize
    }
}

/// A key on a short Weierstrass curve: public, or a pair.
pub(super) struct Ec {
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
    pub(super) fn generate(curve: Curve) -> Result<Self> {
        let new = Self::new(curve)?;
        // SAFETY: the object is live and has its curve.
        check(unsafe { sys::EC_KEY_generate_key(new.key.0) })?;
        Ok(new)
    }

    /// The pair of a big-endian scalar of the curve's length; refused unless it is in 1..order.
    pub(super) fn from_scalar(curve: Curve, scalar: &[u8]) -> Result<Self> {
        if scalar.len() != curve.len() {
            return Err(Refused);
        }
        let new = Self::new(curve)?;
        let scalar = number(scalar)?;
        let public = new.point()?;
        // SAFETY: all objects are live and on one curve; the setters copy.
        unsafe {
            check(sys::EC_KEY_set_private_key(new.key.0, scalar.0))?;
            check(sys::EC_POINT_mul(
                sys::EC_KEY_get0_group(new.key.0),
                public.0,
                scalar.0,
                null(),
                null(),
                null_mut(),
            ))?;
            check(sys::EC_KEY_set_public_key(new.key.0, public.0))?;
        }
        Ok(new)
    }

    /// A public key from an uncompressed point (SEC 1 §2.3.3); refused unless it is on the curve.
    pub(super) fn from_point(curve: Curve, point: &[u8]) -> Result<Self> {
        if point.len() != 1 + 2 * curve.len() || point[0] != UNCOMPRESSED {
            return Err(Refused);
        }
        let new = Self::new(curve)?;
        let public = new.point()?;
        // SAFETY: all objects are live and on one curve; the setter copies.
        unsafe {
            check(sys::EC_POINT_oct2point(
                sys::EC_KEY_get0_group(new.key.0),
                public.0,
                point.as_ptr(),
                point.len(),
                null_mut(),
            ))?;
            check(sys::EC_KEY_set_public_key(new.key.0, public.0))?;
        }
        Ok(new)
    }

    pub(super) const fn curve(&self) -> Curve {
        self.curve
    }

    /// The private scalar, big-endian; refused for a public key.
    pub(super) fn scalar(&self) -> Result<Secret> {
        // SAFETY: the number lives as long as the key; `padded` checks for null.
        unsafe { padded(sys::EC_KEY_get0_private_key(self.key.0), self.curve.len()) }
    }

    /// The public point, uncompressed.
    pub(super) fn public(&self) -> Result<Vec<u8>> {
        let mut out = vec![0; 1 + 2 * self.curve.len()];
        let form = sys::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED;
        // SAFETY: group and point live as long as the key; `out` is valid for its length.
        let len = unsafe {
            let (group, point) = (
                sys::EC_KEY_get0_group(self.key.0),
                sys::EC_KEY_get0_public_key(self.key.0),
            );
            sys::EC_POINT_point2oct(group, point, form, out.as_mut_ptr(), out.len(), null_mut())
        };
        check(c_int::from(len == out.len()))?;
        Ok(out)
    }

    /// ECDSA: r ‖ s, each of the curve's length.
    pub(super) fn sign(&self, digest: &[u8]) -> Result<Vec<u8>> {
        // SAFETY: the key is live, the digest valid for its length; null is checked by `Owned::new`.
        let signature =
            Owned::new(unsafe { sys::ECDSA_do_sign(digest.as_ptr(), digest.len(), self.key.0) })?;
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
    pub(super) fn verify(&self, digest: &[u8], signature: &[u8]) -> Result<()> {
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
    pub(super) fn agree(&self, peer: &Self) -> Result<Secret> {
        let mut out = Zeroizing::new(vec![0; self.curve.len()]);
        // SAFETY: both keys are live; `out` is valid for its length; the library checks that both are on one curve.
        let len = unsafe {
            sys::ECDH_compute_key(
                out.as_mut_ptr().cast(),
                out.len(),
                sys::EC_KEY_get0_public_key(peer.key.0),
                self.key.0,
                None,
            )
        };
        check(c_int::from(
            usize::try_from(len).is_ok_and(|len| len == out.len()),
        ))?;
        Ok(out)
    }

    fn new(curve: Curve) -> Result<Self> {
        // SAFETY: allocates; null is checked by `Owned::new`.
        Owned::new(unsafe { sys::EC_KEY_new_by_curve_name(curve.nid) })
            .map(|key| Self { key, curve })
    }

    fn point(&self) -> Result<Owned<sys::EC_POINT>> {
        // SAFETY: the group lives as long as the key; null is checked by `Owned::new`.
        Owned::new(unsafe { sys::EC_POINT_new(sys::EC_KEY_get0_group(self.key.0)) })
    }
}

/// The public value of an X25519 private key (RFC 7748 §6.1).
pub(super) fn x25519_public(private: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    // SAFETY: both arrays have the 32 bytes that the function reads and writes.
    unsafe { sys::X25519_public_from_private(public.as_mut_ptr(), private.as_ptr()) };
    public
}

/// X25519; refused when the shared secret is all zeros (RFC 7748 §6.1).
pub(super) fn x25519(private: &[u8; 32], peer: &[u8; 32]) -> Result<Secret> {
    let mut shared = Zeroizing::new(vec![0; 32]);
    // SAFETY: all three have the 32 bytes that the function reads and writes.
    check(unsafe { sys::X25519(shared.as_mut_ptr(), private.as_ptr(), peer.as_ptr()) })?;
    Ok(shared)
}

/// EVP_MAX_MD_SIZE.
const MAX_DIGEST: usize = sys::EVP_MAX_MD_SIZE as usize;
/// The largest block of the ciphers above, in bytes.
const MAX_BLOCK: usize = 16;
/// "The salt is as long as the digest" (openssl/rsa.h).
const SALT_AS_DIGEST: c_int = -1;
/// First byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

/// A C object that is freed when dropped.
struct Owned<T: Free>(*mut T);

impl<T: Free> Owned<T> {
    fn new(ptr: *mut T) -> Result<Self> {
        check(c_int::from(!ptr.is_null())).map(|()| Self(ptr))
    }
}

impl<T: Free> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library's constructor of this type and is freed once.
        unsafe { T::FREE(self.0) }
    }
}

/// The library's destructor of a type.
trait Free {
    const FREE: unsafe extern "C" fn(*mut Self);
}

macro_rules! free {
    ($($type:ident: $free:ident,)*) => { $(
        impl Free for sys::$type {
            const FREE: unsafe extern "C" fn(*mut Self) = sys::$free;
        }
    )* };
}

free! {
    BIGNUM: BN_clear_free,
    CMAC_CTX: CMAC_CTX_free,
    ECDSA_SIG: ECDSA_SIG_free,
    EC_KEY: EC_KEY_free,
    EC_POINT: EC_POINT_free,
    EVP_AEAD_CTX: EVP_AEAD_CTX_free,
    EVP_CIPHER_CTX: EVP_CIPHER_CTX_free,
    EVP_PKEY: EVP_PKEY_free,
    EVP_PKEY_CTX: EVP_PKEY_CTX_free,
    RSA: RSA_free,
}

/// The library's "1 is success", with its error queue emptied otherwise: the queue is this thread's, and the next request's.
fn check(code: c_int) -> Result<()> {
    if code == 1 {
        return Ok(());
    }
    // SAFETY: touches only this thread's error queue.
    unsafe { sys::ERR_clear_error() };
    Err(Refused)
}

fn int(len: usize) -> Result<c_int> {
    c_int::try_from(len).map_err(|_| Refused)
}

/// What `fill` writes into a buffer of `len` bytes: it is given the room as `*len` and leaves there what it wrote.
fn filled(len: usize, fill: impl FnOnce(*mut u8, &mut usize) -> c_int) -> Result<Vec<u8>> {
    filled_secret(len, fill).map(|mut out| std::mem::take(&mut *out))
}

/// As [`filled`], wiped when dropped.
fn filled_secret(len: usize, fill: impl FnOnce(*mut u8, &mut usize) -> c_int) -> Result<Secret> {
    let mut out = Zeroizing::new(vec![0; len]);
    let mut written = len;
    check(fill(out.as_mut_ptr(), &mut written))?;
    out.truncate(written);
    Ok(out)
}

/// What `make` allocates.
///
/// # Safety
/// On success `make` leaves a pointer from the library's allocator and the length of what it points to.
unsafe fn allocated(make: impl FnOnce(*mut *mut u8, *mut usize) -> c_int) -> Result<Secret> {
    let (mut out, mut len) = (null_mut(), 0);
    check(make(&raw mut out, &raw mut len))?;
    // SAFETY: the caller's promise; the copy is made before the library wipes and frees its own.
    unsafe {
        let copy = std::slice::from_raw_parts(out, len).to_vec();
        sys::OPENSSL_free(out.cast());
        Ok(Zeroizing::new(copy))
    }
}

/// A number of `bytes`, big-endian.
fn number(bytes: &[u8]) -> Result<Owned<sys::BIGNUM>> {
    // SAFETY: the bytes are valid for their length; null is checked by `Owned::new`.
    Owned::new(unsafe { sys::BN_bin2bn(bytes.as_ptr(), bytes.len(), null_mut()) })
}

/// A number as `len` bytes, big-endian; refused when it is absent or larger.
///
/// # Safety
/// The pointer is null or a live number.
unsafe fn padded(number: *const sys::BIGNUM, len: usize) -> Result<Secret> {
    if number.is_null() {
        return Err(Refused);
    }
    let mut out = Zeroizing::new(vec![0; len]);
    // SAFETY: the caller's promise, and `out` has `len` bytes.
    check(unsafe { sys::BN_bn2bin_padded(out.as_mut_ptr(), len, number) })?;
    Ok(out)
}
