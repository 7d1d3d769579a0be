//! The tables of families of keys, of signature schemes and of hashes, with their mechanisms. A new signature scheme is rows here. Other
//! modules make of a row what they need: each table calls a macro with all its rows.

/// Families of keys: name, public keys or secret keys that belong to it; the type of its pairs and secret keys; CKA_KEY_TYPE and
/// the form of its attributes; the mechanisms that generate its pairs and their domain parameters.
macro_rules! families {
    ($rows:ident) => {
        $rows! {
            Rsa [RsaPublicKey] RsaKeyPair, CKK_RSA Rsa, CKM_RSA_PKCS_KEY_PAIR_GEN;
            Ec [EccPublicKey(family) if family.weierstrass()] EccKeyPair(EccFamily::SecpR1), CKK_EC Curve, CKM_EC_KEY_PAIR_GEN;
            Edwards [EccPublicKey(EccFamily::TwistedEdwards)] EccKeyPair(EccFamily::TwistedEdwards), CKK_EC_EDWARDS Curve,
                CKM_EC_EDWARDS_KEY_PAIR_GEN;
            Montgomery [EccPublicKey(EccFamily::Montgomery)] EccKeyPair(EccFamily::Montgomery), CKK_EC_MONTGOMERY Curve,
                CKM_EC_MONTGOMERY_KEY_PAIR_GEN;
            MlDsa [MlDsaPublicKey] MlDsaKeyPair, CKK_ML_DSA Set, CKM_ML_DSA_KEY_PAIR_GEN;
            MlKem [MlKemPublicKey] MlKemKeyPair, CKK_ML_KEM Set, CKM_ML_KEM_KEY_PAIR_GEN;
            Dsa [DsaPublicKey] DsaKeyPair, CKK_DSA Group, CKM_DSA_KEY_PAIR_GEN CKM_DSA_PARAMETER_GEN;
            /// Diffie-Hellman in finite fields.
            Dh [DhPublicKey(DhFamily::Own)] DhKeyPair(DhFamily::Own), CKK_DH Group, CKM_DH_PKCS_KEY_PAIR_GEN CKM_DH_PKCS_PARAMETER_GEN;
            Aes [Aes] Aes, CKK_AES Secret;
            /// Triple DES with two or three keys.
            Des [Des] Des, CKK_DES2 Secret;
            /// Secrets of any length; they make HMACs.
            Generic [Hmac] Hmac, CKK_GENERIC_SECRET Secret;
            /// Secrets of any length for derivation alone.
            Hkdf [Derive] Derive, CKK_HKDF Secret;
            ChaCha20 [ChaCha20] ChaCha20, CKK_CHACHA20 Secret;
        }
    };
}

/// Signature schemes, apart from their hash: name, family, and what the parameter of their mechanisms is; the algorithms that sign a digest of a
/// known hash, best first, or one of unknown origin; the mechanisms, each with the hash that it applies itself.
macro_rules! signatures {
    ($rows:ident) => {
        $rows! {
            RsaPkcs1v15 of Rsa, Nothing: [RsaPkcs1v15 { hash }] or [RsaPkcs1v15Raw];
                CKM_RSA_PKCS, CKM_SHA1_RSA_PKCS Sha1, CKM_SHA224_RSA_PKCS Sha224, CKM_SHA256_RSA_PKCS Sha256, CKM_SHA384_RSA_PKCS Sha384,
                CKM_SHA512_RSA_PKCS Sha512, CKM_SHA3_224_RSA_PKCS Sha3_224, CKM_SHA3_256_RSA_PKCS Sha3_256,
                CKM_SHA3_384_RSA_PKCS Sha3_384, CKM_SHA3_512_RSA_PKCS Sha3_512;
            RsaRaw of Rsa, Nothing: [RsaRaw] or [RsaRaw];
                CKM_RSA_X_509;
            RsaPss of Rsa, Pss: [RsaPss { hash }] or [];
                CKM_RSA_PKCS_PSS, CKM_SHA1_RSA_PKCS_PSS Sha1, CKM_SHA224_RSA_PKCS_PSS Sha224, CKM_SHA256_RSA_PKCS_PSS Sha256,
                CKM_SHA384_RSA_PKCS_PSS Sha384, CKM_SHA512_RSA_PKCS_PSS Sha512, CKM_SHA3_224_RSA_PKCS_PSS Sha3_224,
                CKM_SHA3_256_RSA_PKCS_PSS Sha3_256, CKM_SHA3_384_RSA_PKCS_PSS Sha3_384, CKM_SHA3_512_RSA_PKCS_PSS Sha3_512;
            Ecdsa of Ec, Nothing: [Ecdsa { hash }, DeterministicEcdsa { hash }, EcdsaAny] or [EcdsaAny];
                CKM_ECDSA, CKM_ECDSA_SHA1 Sha1, CKM_ECDSA_SHA224 Sha224, CKM_ECDSA_SHA256 Sha256, CKM_ECDSA_SHA384 Sha384,
                CKM_ECDSA_SHA512 Sha512, CKM_ECDSA_SHA3_224 Sha3_224, CKM_ECDSA_SHA3_256 Sha3_256, CKM_ECDSA_SHA3_384 Sha3_384,
                CKM_ECDSA_SHA3_512 Sha3_512;
            Dsa of Dsa, Nothing: [Dsa { hash }, DsaAny] or [DsaAny];
                CKM_DSA, CKM_DSA_SHA1 Sha1, CKM_DSA_SHA224 Sha224, CKM_DSA_SHA256 Sha256, CKM_DSA_SHA384 Sha384, CKM_DSA_SHA512 Sha512,
                CKM_DSA_SHA3_224 Sha3_224, CKM_DSA_SHA3_256 Sha3_256, CKM_DSA_SHA3_384 Sha3_384, CKM_DSA_SHA3_512 Sha3_512;
            Eddsa of Edwards, Eddsa: [PureEddsa] or [PureEddsa];
                CKM_EDDSA;
            MlDsa of MlDsa, Context: [MlDsa] or [MlDsa];
                CKM_ML_DSA;
            HashMlDsa of MlDsa, Context: [HashMlDsa { hash }] or [];
                CKM_HASH_ML_DSA, CKM_HASH_ML_DSA_SHA224 Sha224, CKM_HASH_ML_DSA_SHA256 Sha256, CKM_HASH_ML_DSA_SHA384 Sha384,
                CKM_HASH_ML_DSA_SHA512 Sha512, CKM_HASH_ML_DSA_SHA3_224 Sha3_224, CKM_HASH_ML_DSA_SHA3_256 Sha3_256,
                CKM_HASH_ML_DSA_SHA3_384 Sha3_384, CKM_HASH_ML_DSA_SHA3_512 Sha3_512;
        }
    };
}

/// Hashes: the mechanism that computes it, its HMAC and the one that cuts this; CKA_KEY_TYPE of keys for this HMAC alone and the mechanism that
/// generates them; the derivation that hashes a key; MGF1.
macro_rules! hashes {
    ($rows:ident) => {
        $rows! {
            Sha1 CKM_SHA_1 CKM_SHA_1_HMAC CKM_SHA_1_HMAC_GENERAL CKK_SHA_1_HMAC CKM_SHA_1_KEY_GEN,
                derives CKM_SHA1_KEY_DERIVATION, masks CKG_MGF1_SHA1;
            Sha224 CKM_SHA224 CKM_SHA224_HMAC CKM_SHA224_HMAC_GENERAL CKK_SHA224_HMAC CKM_SHA224_KEY_GEN,
                derives CKM_SHA224_KEY_DERIVATION, masks CKG_MGF1_SHA224;
            Sha256 CKM_SHA256 CKM_SHA256_HMAC CKM_SHA256_HMAC_GENERAL CKK_SHA256_HMAC CKM_SHA256_KEY_GEN,
                derives CKM_SHA256_KEY_DERIVATION, masks CKG_MGF1_SHA256;
            Sha384 CKM_SHA384 CKM_SHA384_HMAC CKM_SHA384_HMAC_GENERAL CKK_SHA384_HMAC CKM_SHA384_KEY_GEN,
                derives CKM_SHA384_KEY_DERIVATION, masks CKG_MGF1_SHA384;
            Sha512 CKM_SHA512 CKM_SHA512_HMAC CKM_SHA512_HMAC_GENERAL CKK_SHA512_HMAC CKM_SHA512_KEY_GEN,
                derives CKM_SHA512_KEY_DERIVATION, masks CKG_MGF1_SHA512;
            Sha512_224 CKM_SHA512_224 CKM_SHA512_224_HMAC CKM_SHA512_224_HMAC_GENERAL CKK_SHA512_224_HMAC CKM_SHA512_224_KEY_GEN;
            Sha512_256 CKM_SHA512_256 CKM_SHA512_256_HMAC CKM_SHA512_256_HMAC_GENERAL CKK_SHA512_256_HMAC CKM_SHA512_256_KEY_GEN;
            Sha3_224 CKM_SHA3_224 CKM_SHA3_224_HMAC CKM_SHA3_224_HMAC_GENERAL CKK_SHA3_224_HMAC CKM_SHA3_224_KEY_GEN,
                masks CKG_MGF1_SHA3_224;
            Sha3_256 CKM_SHA3_256 CKM_SHA3_256_HMAC CKM_SHA3_256_HMAC_GENERAL CKK_SHA3_256_HMAC CKM_SHA3_256_KEY_GEN,
                masks CKG_MGF1_SHA3_256;
            Sha3_384 CKM_SHA3_384 CKM_SHA3_384_HMAC CKM_SHA3_384_HMAC_GENERAL CKK_SHA3_384_HMAC CKM_SHA3_384_KEY_GEN,
                masks CKG_MGF1_SHA3_384;
            Sha3_512 CKM_SHA3_512 CKM_SHA3_512_HMAC CKM_SHA3_512_HMAC_GENERAL CKK_SHA3_512_HMAC CKM_SHA3_512_KEY_GEN,
                masks CKG_MGF1_SHA3_512;
        }
    };
}

pub(super) use {families, hashes, signatures};
