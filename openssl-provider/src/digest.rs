//! The digests: one row each.
//!
//! Messages are hashed here, in the process of the caller, so that a signature is one request to the service and the
//! state can be duplicated.

use std::ffi::{CStr, CString};

use der::oid::ObjectIdentifier;
use interface::algorithm::Hash;
use interface::hash::Hasher;

use crate::error::Error;

pub(crate) struct Digest {
    pub(crate) hash: Hash,
    /// The name that both EVP_get_digestbyname(3) and EVP_MD_fetch(3) know.
    pub(crate) name: &'static CStr,
    /// The name that the default provider gives it.
    pub(crate) canonical: &'static CStr,
    /// What else it is called; letters of either case.
    aliases: &'static [&'static str],
    pub(crate) oid: ObjectIdentifier,
    /// `<hash>WithRSAEncryption`.
    pub(crate) with_rsa: Composite,
    /// `ecdsa-with-<hash>`, where that is defined.
    pub(crate) with_ecdsa: Option<&'static Composite>,
}

/// A signature algorithm that has its digest built in.
pub(crate) struct Composite {
    pub(crate) oid: ObjectIdentifier,
    /// Those of OpenSSL 3.4 and later, for `OSSL_ALGORITHM`.
    pub(crate) names: &'static CStr,
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Digest {
    /// Finds a digest by any of its names, or its object identifier.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        let oid = ObjectIdentifier::new(name).ok();
        DIGESTS.iter().find(|digest| {
            let mut names = digest.aliases.iter().copied().chain(digest.name.to_str());
            oid == Some(digest.oid) || names.any(|alias| alias.eq_ignore_ascii_case(name))
        })
    }

    /// What a bare digest of this length most likely is.
    pub(crate) fn of_len(len: usize) -> Option<&'static Self> {
        DIGESTS.iter().find(|digest| digest.hash.len() == len)
    }

    /// The one that computes a hash.
    pub(crate) fn computing(hash: Hash) -> Option<&'static Self> {
        DIGESTS.iter().find(|digest| digest.hash == hash)
    }

    /// Starts a computation.
    pub(crate) fn hasher(&self) -> Result<Hasher, Error> {
        Hasher::new(self.hash).ok_or(Error::Internal)
    }

    /// The digest of these parts.
    pub(crate) fn of(&self, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
        Hasher::digest(self.hash, parts).ok_or(Error::Internal)
    }

    /// SHA-1 is verified, but no longer signed.
    pub(crate) fn may_sign(&self) -> bool {
        !self.hash.deprecated()
    }
}

/// A digest by a name that a caller gave.
pub(crate) fn named(name: &str) -> Result<&'static Digest, Error> {
    Digest::named(name).ok_or_else(|| Error::Unsupported(format!("the digest {name:?} is none of SHA-2 and SHA-3")))
}

/// The same, with the name as it was given.
pub(crate) fn called(name: &str) -> Result<(&'static Digest, CString), Error> {
    Ok((named(name)?, CString::new(name).map_err(|_| Error::Internal)?))
}

/// What OpenSSL takes where nobody says.
pub(crate) const DEFAULT: &Digest = &DIGESTS[0];
/// The same for OAEP, which does not depend on collisions (RFC 8017 §A.2.1).
pub(crate) const DEFAULT_OAEP: &Digest = &DIGESTS[DIGESTS.len() - 1];

macro_rules! digest {
    ($hash:ident $name:literal $aliases:tt, $rsa:literal $($ecdsa:literal)?) => {
        Digest {
            hash: Hash::$hash,
            name: text(concat!($name, "\0")),
            canonical: canonical(text(concat!($name, "\0")), text(names!(first $aliases))),
            aliases: &$aliases,
            oid: Hash::$hash.oid(),
            with_rsa: Composite { oid: oid($rsa), names: text(names!(rsa $name $aliases $rsa)) },
            with_ecdsa: first(&[$(Composite { oid: oid($ecdsa), names: text(names!(ecdsa $name $aliases $ecdsa)) })?]),
        }
    };
}

/// Every name of a composite in OpenSSL 3.4 and later; letters of either case.
macro_rules! names {
    (first []) => {
        "\0"
    };
    (first [$alias:literal $(, $more:literal)*]) => {
        concat!($alias, "\0")
    };
    (rsa $name:literal [] $oid:literal) => {
        concat!("RSA-", $name, ":id-rsassa-pkcs1-v1_5-with-", $name, ":", $oid, "\0")
    };
    (rsa $name:literal [$alias:literal $(, $more:literal)*] $oid:literal) => {
        concat!("RSA-", $alias, ":RSA-", $name, ":", $name, "WithRSAEncryption:", $oid, "\0")
    };
    (ecdsa $name:literal [] $oid:literal) => {
        concat!("ECDSA-", $name, ":ecdsa_with_", $name, ":id-ecdsa-with-", $name, ":", $oid, "\0")
    };
    (ecdsa $name:literal [$alias:literal $(, $more:literal)*] $oid:literal) => {
        concat!("ECDSA-", $alias, ":ECDSA-", $name, ":ecdsa-with-", $name, ":", $oid, "\0")
    };
}

const fn text(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a text without its end"),
    }
}

/// OpenSSL's own names tell SHA-2 from SHA-3.
const fn canonical(name: &'static CStr, alias: &'static CStr) -> &'static CStr {
    match alias.to_bytes() {
        [b'S', b'H', b'A', b'2', ..] => alias,
        _ => name,
    }
}

const fn first(composites: &'static [Composite]) -> Option<&'static Composite> {
    composites.first()
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// In the order of preference where only the length is known.
#[rustfmt::skip]
pub(crate) const DIGESTS: &[Digest] = &[
    digest!(Sha256 "SHA256" ["SHA2-256", "SHA-256"],
        "1.2.840.113549.1.1.11" "1.2.840.10045.4.3.2"),
    digest!(Sha384 "SHA384" ["SHA2-384", "SHA-384"],
        "1.2.840.113549.1.1.12" "1.2.840.10045.4.3.3"),
    digest!(Sha512 "SHA512" ["SHA2-512", "SHA-512"],
        "1.2.840.113549.1.1.13" "1.2.840.10045.4.3.4"),
    digest!(Sha224 "SHA224" ["SHA2-224", "SHA-224"],
        "1.2.840.113549.1.1.14" "1.2.840.10045.4.3.1"),
    digest!(Sha512_224 "SHA512-224" ["SHA2-512/224", "SHA-512/224"],
        "1.2.840.113549.1.1.15"),
    digest!(Sha512_256 "SHA512-256" ["SHA2-512/256", "SHA-512/256"],
        "1.2.840.113549.1.1.16"),
    digest!(Sha3_224 "SHA3-224" [],
        "2.16.840.1.101.3.4.3.13" "2.16.840.1.101.3.4.3.9"),
    digest!(Sha3_256 "SHA3-256" [],
        "2.16.840.1.101.3.4.3.14" "2.16.840.1.101.3.4.3.10"),
    digest!(Sha3_384 "SHA3-384" [],
        "2.16.840.1.101.3.4.3.15" "2.16.840.1.101.3.4.3.11"),
    digest!(Sha3_512 "SHA3-512" [],
        "2.16.840.1.101.3.4.3.16" "2.16.840.1.101.3.4.3.12"),
    digest!(Sha1 "SHA1" ["SHA-1", "SSL3-SHA1"],
        "1.2.840.113549.1.1.5" "1.2.840.10045.4.1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composites_have_the_names_of_the_default_provider() {
        let names = |hash, composite: fn(&'static Digest) -> Option<&'static Composite>| {
            let digest = DIGESTS.iter().find(|digest| digest.hash == hash)?;
            composite(digest)?.names.to_str().ok()
        };
        assert_eq!(
            names(Hash::Sha512_224, |digest| Some(&digest.with_rsa)),
            Some("RSA-SHA2-512/224:RSA-SHA512-224:SHA512-224WithRSAEncryption:1.2.840.113549.1.1.15")
        );
        assert_eq!(
            names(Hash::Sha3_256, |digest| Some(&digest.with_rsa)),
            Some("RSA-SHA3-256:id-rsassa-pkcs1-v1_5-with-SHA3-256:2.16.840.1.101.3.4.3.14")
        );
        let ecdsa = |digest: &'static Digest| digest.with_ecdsa;
        assert_eq!(names(Hash::Sha256, ecdsa), Some("ECDSA-SHA2-256:ECDSA-SHA256:ecdsa-with-SHA256:1.2.840.10045.4.3.2"));
        assert_eq!(names(Hash::Sha512_256, ecdsa), None);
    }

    #[test]
    fn every_alias_finds_its_digest() {
        for name in ["SHA256", "sha256", "SHA2-256", "sha-256", "2.16.840.1.101.3.4.2.1"] {
            assert!(Digest::named(name).is_some_and(|digest| digest.hash == Hash::Sha256), "{name}");
        }
        for digest in DIGESTS {
            for name in digest.aliases.iter().copied().chain(digest.name.to_str()) {
                assert!(Digest::named(name).is_some_and(|found| found == digest), "{name}");
            }
            assert_eq!(digest.of(&[b"abc"]).unwrap().len(), digest.hash.len());
        }
        assert_eq!(DEFAULT_OAEP.hash, Hash::Sha1);
        for name in ["", "MD5", "SHA", "1.2.3"] {
            assert!(Digest::named(name).is_none(), "{name}");
        }
    }
}
