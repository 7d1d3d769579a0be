//! The tables of signature schemes, of types of keys, and of kinds of keys. A new signature scheme is rows here. Other modules make of a
//! row what they need: each table calls a macro with all its rows.

/// Signature schemes: number, name and parameters; the name that people know; what is signed; the place in the [`Repertoire`] of which
/// keys, best first; the parameters that it usually has.
///
/// [`Repertoire`]: crate::policy::Repertoire
macro_rules! signatures {
    ($rows:ident) => {
        $rows! {
            /// RSASSA-PKCS1-v1_5; the service adds the `DigestInfo`.
            1 RsaPkcs1v15 { hash: SignHash } "rsa-pkcs1" Digest(hash), usual [RsaPublicKey];
            /// RSASSA-PSS, MGF1 with the same hash, salt as long as the hash.
            3 RsaPss { hash: SignHash } "rsa-pss" Digest(hash), usual [RsaPublicKey];
            /// RSASSA-PKCS1-v1_5 over the caller's `DigestInfo` (or any other bytes).
            2 RsaPkcs1v15Raw "rsa-pkcs1-raw" Bytes, usual [RsaPublicKey];
            /// ECDSA with a random nonce.
            4 Ecdsa { hash: SignHash } "ecdsa" Digest(hash), usual [EccPublicKey(family) if family.weierstrass()];
            /// ECDSA over a digest of any length.
            5 EcdsaAny "ecdsa-raw" Bytes, usual [EccPublicKey(family) if family.weierstrass()];
            /// ECDSA as RFC 6979 has it.
            6 DeterministicEcdsa { hash: SignHash } "ecdsa-deterministic" Digest(hash), none [];
            /// EdDSA without prehash (RFC 8032 PureEdDSA), with Ed448 in a context, perhaps an empty one.
            100 PureEddsa "eddsa" Message, usual [EccPublicKey(EccFamily::TwistedEdwards)];
            /// ML-DSA of the message itself, hedged (FIPS 204 §5.2).
            101 MlDsa "ml-dsa" Message, usual [MlDsaPublicKey];
            /// HashML-DSA, hedged (FIPS 204 §5.4).
            102 HashMlDsa { hash: SignHash } "hash-ml-dsa" Digest(hash), usual [MlDsaPublicKey];
            /// RSASP1 (RFC 8017 §5.2.1) over what the caller has padded, as long as the modulus. With it, everything can be signed, and
            /// decrypted.
            103 RsaRaw "rsa-raw" Bytes, named [RsaPublicKey];
            /// RSASSA-PSS with another hash for MGF1, or another length of the salt in bytes. If you may use PSS with the hash, you may
            /// use it.
            104 RsaPssWith { hash: Hash, mgf: Hash, salt_len: u32 } "rsa-pss" Digest(SignHash::Specific(hash)), none [],
                usually Self::RsaPss { hash: SignHash::Specific(hash) };
            /// Ed25519ctx (RFC 8032 §5.1), whose context is not empty.
            105 Ed25519ctx "ed25519ctx" Message, usual [EccPublicKey(EccFamily::TwistedEdwards)];
            /// Ed25519ph (RFC 8032 §5.1), of the message's SHA-512.
            106 Ed25519ph "ed25519ph" Digest(SignHash::Specific(Hash::Sha512)), usual [EccPublicKey(EccFamily::TwistedEdwards)];
            /// Ed448ph (RFC 8032 §5.2), of the message's SHAKE256, which the service makes. If you may sign with EdDSA, you may use it.
            107 Ed448ph "ed448ph" Message, none [], usually Self::PureEddsa;
            /// DSA (FIPS 186-4), of a digest that its group may cut.
            108 Dsa { hash: SignHash } "dsa" Digest(hash), usual [DsaPublicKey];
            /// DSA over a digest of any length.
            109 DsaAny "dsa-raw" Bytes, usual [DsaPublicKey];
        }
    };
}

/// Types of keys, each with its number: secret keys, and pairs with their public halves. Before them the families that some name, each with
/// its number.
macro_rules! key_types {
    ($rows:ident) => {
        $rows! {
            families {
                /// A family of elliptic curves; with the size in bits it names one curve.
                EccFamily {
                    SecpK1 = 1, SecpR1 = 2, SecpR2 = 3, SectK1 = 4, SectR1 = 5, SectR2 = 6, BrainpoolPR1 = 7, Frp = 8, Montgomery = 9,
                    /// Edwards curves (255 bits: Ed25519, 448 bits: Ed448), an extension.
                    TwistedEdwards = 100,
                }
                /// A family of finite-field groups. Zero is a valid number here.
                DhFamily {
                    Rfc7919 = 0,
                    /// Of the caller's choice, an extension: each key brings its group.
                    Own = 100,
                }
            }
            secrets {
                1 RawData;
                2 Hmac;
                3 Derive;
                4 Aes;
                5 Des;
                6 Camellia;
                7 Arc4;
                8 ChaCha20;
            }
            pairs {
                10 RsaKeyPair, 9 RsaPublicKey;
                11 EccKeyPair, 12 EccPublicKey (family: EccFamily);
                13 DhKeyPair, 14 DhPublicKey (family: DhFamily);
                /// FIPS 204. 128 bits are ML-DSA-44, 192 are ML-DSA-65, 256 are ML-DSA-87 (PSA Crypto API 1.3 §9.2).
                100 MlDsaKeyPair, 101 MlDsaPublicKey;
                /// FIPS 203. The bits are 512, 768 or 1024.
                102 MlKemKeyPair, 103 MlKemPublicKey;
                /// FIPS 186-4. Each key brings its group, as those of [`DhFamily::Own`] do.
                104 DsaKeyPair, 105 DsaPublicKey;
            }
        }
    };
}

/// Kinds of keys that have a name. A row ends with what [`Parameters`](crate::kind::Parameters) tells of a curve or a parameter set.
#[rustfmt::skip]
macro_rules! kinds {
    ($rows:ident) => {
        $rows! {
            // kind     name          what for      bits key type; object identifier, name for OpenSSL, lengths (private, public, output)
            P192        "p192"        Sign asked    192  KeyType::EccKeyPair(EccFamily::SecpR1), "1.2.840.10045.3.1.1" c"prime192v1" 24 49 48;
            P224        "p224"        Sign asked    224  KeyType::EccKeyPair(EccFamily::SecpR1), "1.3.132.0.33" c"secp224r1" 28 57 56;
            P256        "p256"        Sign          256  KeyType::EccKeyPair(EccFamily::SecpR1), "1.2.840.10045.3.1.7" c"prime256v1" 32 65 64;
            P384        "p384"        Sign          384  KeyType::EccKeyPair(EccFamily::SecpR1), "1.3.132.0.34" c"secp384r1" 48 97 96;
            P521        "p521"        Sign          521  KeyType::EccKeyPair(EccFamily::SecpR1), "1.3.132.0.35" c"secp521r1" 66 133 132;
            SECP256K1   "secp256k1"   Sign          256  KeyType::EccKeyPair(EccFamily::SecpK1), "1.3.132.0.10" c"secp256k1" 32 65 64;
            ED25519     "ed25519"     Sign          255  KeyType::EccKeyPair(EccFamily::TwistedEdwards), "1.3.101.112" c"ED25519" 32 32 64;
            ED448       "ed448"       Sign          448  KeyType::EccKeyPair(EccFamily::TwistedEdwards), "1.3.101.113" c"ED448" 57 57 114;
            ML_DSA_44   "ml-dsa-44"   Sign          128  KeyType::MlDsaKeyPair, "2.16.840.1.101.3.4.3.17" c"ML-DSA-44" 32 1312 2420;
            ML_DSA_65   "ml-dsa-65"   Sign          192  KeyType::MlDsaKeyPair, "2.16.840.1.101.3.4.3.18" c"ML-DSA-65" 32 1952 3309;
            ML_DSA_87   "ml-dsa-87"   Sign          256  KeyType::MlDsaKeyPair, "2.16.840.1.101.3.4.3.19" c"ML-DSA-87" 32 2592 4627;
            RSA_1024    "rsa-1024"    Sign asked    1024 KeyType::RsaKeyPair;
            RSA_2048    "rsa-2048"    Sign          2048 KeyType::RsaKeyPair;
            RSA_3072    "rsa-3072"    Sign          3072 KeyType::RsaKeyPair;
            RSA_4096    "rsa-4096"    Sign          4096 KeyType::RsaKeyPair;
            X25519      "x25519"      Agree         255  KeyType::EccKeyPair(EccFamily::Montgomery), "1.3.101.110" c"X25519" 32 32 32;
            ML_KEM_512  "ml-kem-512"  Decrypt       512  KeyType::MlKemKeyPair, "2.16.840.1.101.3.4.4.1" c"ML-KEM-512" 64 800 768;
            ML_KEM_768  "ml-kem-768"  Decrypt       768  KeyType::MlKemKeyPair, "2.16.840.1.101.3.4.4.2" c"ML-KEM-768" 64 1184 1088;
            ML_KEM_1024 "ml-kem-1024" Decrypt       1024 KeyType::MlKemKeyPair, "2.16.840.1.101.3.4.4.3" c"ML-KEM-1024" 64 1568 1568;
            AES_128     "aes-128"     Encrypt       128  KeyType::Aes;
            AES_192     "aes-192"     Encrypt asked 192  KeyType::Aes;
            AES_256     "aes-256"     Encrypt       256  KeyType::Aes;
            CHACHA20    "chacha20"    Encrypt       256  KeyType::ChaCha20;
            HMAC_SHA256 "hmac-sha256" Authenticate  256  KeyType::Hmac;
        }
    };
}

pub(crate) use {key_types, kinds, signatures};
