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
    /// The names of `<hash>WithRSAEncryption` in OpenSSL 3.4 and later, for `OSSL_ALGORITHM`.
    pub(crate) with_rsa: &'static CStr,
    /// The same of `ecdsa-with-<hash>`, where that is defined.
    pub(crate) with_ecdsa: Option<&'static CStr>,
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
    ($hash:ident $name:literal $aliases:tt) => {{
        const RSA: Option<&str> = Hash::$hash.with_rsa();
        const ECDSA: Option<&str> = Hash::$hash.with_ecdsa();
        Digest {
            hash: Hash::$hash,
            name: joined!($name),
            canonical: canonical(joined!($name), joined!(names!(first $aliases))),
            aliases: &$aliases,
            oid: Hash::$hash.oid(),
            with_rsa: joined!(names!(rsa $name $aliases), some(RSA)),
            with_ecdsa: if ECDSA.is_some() { Some(joined!(names!(ecdsa $name $aliases), some(ECDSA))) } else { None },
        }
    }};
}

/// Every name of a composite in OpenSSL 3.4 and later, but for the last one, its object identifier; letters of either case.
macro_rules! names {
    (first []) => {
        ""
    };
    (first [$alias:literal $(, $more:literal)*]) => {
        $alias
    };
    (rsa $name:literal []) => {
        concat!("RSA-", $name, ":id-rsassa-pkcs1-v1_5-with-", $name, ":")
    };
    (rsa $name:literal [$alias:literal $(, $more:literal)*]) => {
        concat!("RSA-", $alias, ":RSA-", $name, ":", $name, "WithRSAEncryption:")
    };
    (ecdsa $name:literal []) => {
        concat!("ECDSA-", $name, ":ecdsa_with_", $name, ":id-ecdsa-with-", $name, ":")
    };
    (ecdsa $name:literal [$alias:literal $(, $more:literal)*]) => {
        concat!("ECDSA-", $alias, ":ECDSA-", $name, ":ecdsa-with-", $name, ":")
    };
}

/// A text of these parts.
macro_rules! joined {
    ($($part:expr),*) => {{
        const PARTS: &[&str] = &[$($part,)* "\0"];
        const LEN: usize = len(PARTS);
        const TEXT: &[u8; LEN] = &join(PARTS);
        match CStr::from_bytes_with_nul(TEXT) {
            Ok(text) => text,
            Err(_) => panic!("a text without its end"),
        }
    }};
}

const fn len(parts: &[&str]) -> usize {
    match parts {
        [part, rest @ ..] => part.len() + len(rest),
        [] => 0,
    }
}

const fn join<const LEN: usize>(mut parts: &[&str]) -> [u8; LEN] {
    let mut text = [0; LEN];
    let mut free: &mut [u8] = &mut text;
    while let [part, rest @ ..] = parts {
        let (place, behind) = free.split_at_mut(part.len());
        place.copy_from_slice(part.as_bytes());
        (free, parts) = (behind, rest);
    }
    text
}

const fn some(oid: Option<&'static str>) -> &'static str {
    match oid {
        Some(oid) => oid,
        None => "",
    }
}

/// OpenSSL's own names tell SHA-2 from SHA-3.
const fn canonical(name: &'static CStr, alias: &'static CStr) -> &'static CStr {
    match alias.to_bytes() {
        [b'S', b'H', b'A', b'2', ..] => alias,
        _ => name,
    }
}

/// In the order of preference where only the length is known.
pub(crate) const DIGESTS: &[Digest] = &[
    digest!(Sha256 "SHA256" ["SHA2-256", "SHA-256"]),
    digest!(Sha384 "SHA384" ["SHA2-384", "SHA-384"]),
    digest!(Sha512 "SHA512" ["SHA2-512", "SHA-512"]),
    digest!(Sha224 "SHA224" ["SHA2-224", "SHA-224"]),
    digest!(Sha512_224 "SHA512-224" ["SHA2-512/224", "SHA-512/224"]),
    digest!(Sha512_256 "SHA512-256" ["SHA2-512/256", "SHA-512/256"]),
    digest!(Sha3_224 "SHA3-224" []),
    digest!(Sha3_256 "SHA3-256" []),
    digest!(Sha3_384 "SHA3-384" []),
    digest!(Sha3_512 "SHA3-512" []),
    digest!(Sha1 "SHA1" ["SHA-1", "SSL3-SHA1"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composites_have_the_names_of_the_default_provider() {
        let names = |hash, composite: fn(&'static Digest) -> Option<&'static CStr>| {
            let digest = DIGESTS.iter().find(|digest| digest.hash == hash)?;
            composite(digest)?.to_str().ok()
        };
        assert_eq!(
            names(Hash::Sha512_224, |digest| Some(digest.with_rsa)),
            Some("RSA-SHA2-512/224:RSA-SHA512-224:SHA512-224WithRSAEncryption:1.2.840.113549.1.1.15")
        );
        assert_eq!(
            names(Hash::Sha3_256, |digest| Some(digest.with_rsa)),
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
