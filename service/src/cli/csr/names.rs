//! Subject alternative names (RFC 5280 §4.2.1.6): each as what it is. An address is no DNS name, and a client that looks for one finds
//! it only as an address.

use der::asn1::{Ia5String, OctetString};
use std::net::IpAddr;
use x509_cert::ext::pkix::name::GeneralName;

type Read = fn(&str) -> Result<GeneralName, String>;

/// The name of a host; `*` may stand for its first label.
pub(super) fn dns(text: &str) -> Result<GeneralName, String> {
    if address(text).is_some() {
        return Err(format!("'{text}' is an address and no DNS name: --ip {text}"));
    }
    if !text.is_ascii() {
        return Err(format!("'{text}' is no DNS name: write names outside ASCII in their xn-- form"));
    }
    host(text.strip_prefix("*.").unwrap_or(text)).map_err(|why| format!("'{text}' is no DNS name: {why}"))?;
    Ok(GeneralName::DnsName(ia5(text)?))
}

/// An IP address, perhaps in the brackets that it has in URIs.
pub(super) fn ip(text: &str) -> Result<GeneralName, String> {
    let bytes = match address(text).ok_or_else(|| format!("'{text}' is no IP address"))? {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    Ok(GeneralName::IpAddress(OctetString::new(bytes).map_err(|error| error.to_string())?))
}

/// A mailbox (RFC 5321 §4.1.2, without quotes).
pub(super) fn email(text: &str) -> Result<GeneralName, String> {
    let wrong = |why: &str| format!("'{text}' is no e-mail address: {why}");
    let (local, domain) = text.rsplit_once('@').ok_or_else(|| wrong("it has no @"))?;
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let word = |word: &str| !word.is_empty() && word.chars().all(atom);
    if !local.split('.').all(word) || local.len() > 64 || text.len() > 255 {
        return Err(wrong("what stands before the @ cannot stand there"));
    }
    host(domain).map_err(|why| wrong(&why))?;
    Ok(GeneralName::Rfc822Name(ia5(text)?))
}

/// An absolute URI (RFC 3986), such as `spiffe://example.org/web`.
pub(super) fn uri(text: &str) -> Result<GeneralName, String> {
    let wrong = |why: &str| format!("'{text}' is no URI: {why}");
    let (scheme, rest) = text.split_once(':').ok_or_else(|| wrong("it has no scheme"))?;
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) || rest.is_empty() {
        return Err(wrong("it does not begin with a scheme, such as https:"));
    }
    if !text.chars().all(|c| c.is_ascii_graphic() && !"<>\"{}|\\^`".contains(c)) {
        return Err(wrong("such characters are written as % and two digits"));
    }
    if let Some(authority) = rest.strip_prefix("//") {
        let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
        let port = place.rsplit_once(':').filter(|(_, port)| port.chars().all(|c| c.is_ascii_digit()));
        let place = port.map_or(place, |(place, _)| place);
        if address(place).is_none() {
            host(place).map_err(|why| wrong(&why))?;
        }
    }
    Ok(GeneralName::UniformResourceIdentifier(ia5(text)?))
}

/// Any of them: `DNS:`, `IP:`, `email:` or `URI:` and a name as openssl.cnf has it, or what it looks like.
pub(super) fn any(text: &str) -> Result<GeneralName, String> {
    let kinds: [(&str, Read); 4] = [("DNS", dns), ("IP", ip), ("email", email), ("URI", uri)];
    let kind = |named: &str| kinds.iter().find(|(kind, _)| kind.eq_ignore_ascii_case(named)).map(|(_, read)| read);
    if let Some((read, name)) = text.split_once(':').and_then(|(named, name)| Some((kind(named)?, name))) {
        return read(name);
    }
    match text {
        _ if address(text).is_some() => ip(text),
        _ if text.contains("://") => uri(text),
        _ if text.contains('@') => email(text),
        _ => dns(text),
    }
}

/// What a common name is beside, if it is the name or the address of a host.
pub(super) fn of_common_name(text: &str) -> Option<GeneralName> {
    ip(text).ok().or_else(|| dns(text).ok().filter(|_| text.contains('.')))
}

fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok()
}

/// The preferred syntax of RFC 1034 §3.5, as RFC 1123 §2.1 has it.
fn host(text: &str) -> Result<(), String> {
    const LONGEST: usize = 253;
    let letters = |label: &str| label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    for label in text.split('.') {
        match label {
            "" => return Err("it has an empty label".to_owned()),
            _ if label.len() > 63 => return Err(format!("a label has at most 63 characters, '{label}' has {}", label.len())),
            _ if !letters(label) => return Err(format!("'{label}' has more than letters, digits and hyphens")),
            _ if label.starts_with('-') || label.ends_with('-') => {
                return Err(format!("'{label}' begins or ends with a hyphen"));
            }
            _ => {}
        }
    }
    match text.rsplit('.').next() {
        _ if text.len() > LONGEST => Err(format!("it has {} characters, and may have {LONGEST}", text.len())),
        Some(last) if last.chars().all(|c| c.is_ascii_digit()) => Err("its last label is a number".to_owned()),
        _ => Ok(()),
    }
}

fn ia5(text: &str) -> Result<Ia5String, String> {
    Ia5String::new(text).map_err(|_| format!("'{text}' has characters outside ASCII"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_look_like() {
        let kind = |name: &str| match any(name).unwrap() {
            GeneralName::DnsName(_) => "dns",
            GeneralName::IpAddress(bytes) if bytes.as_bytes().len() == 4 => "v4",
            GeneralName::IpAddress(_) => "v6",
            GeneralName::Rfc822Name(_) => "email",
            GeneralName::UniformResourceIdentifier(_) => "uri",
            other => panic!("{other:?}"),
        };
        for (name, expected) in [
            ("www.example.com", "dns"),
            ("*.example.com", "dns"),
            ("localhost", "dns"),
            ("DNS:a.b", "dns"),
            ("192.0.2.1", "v4"),
            ("IP:192.0.2.1", "v4"),
            ("::1", "v6"),
            ("[2001:db8::1]", "v6"),
            ("ip:2001:db8::1", "v6"),
            ("a.b+c@example.com", "email"),
            ("email:a@example.com", "email"),
            ("spiffe://example.org/web", "uri"),
            ("URI:https://user@[::1]:443/?q", "uri"),
            ("uri:urn:uuid:1", "uri"),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = format!("{}.com", "d".repeat(64));
        let longer = "d.".repeat(127) + "com";
        for wrong in [
            "",
            "a b",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a-.b",
            "a_b.c",
            "192.0.2.1",
            "::1",
            "192.0.2.256",
            "*",
            "a.*.b",
            "ü.de",
            &long,
            &longer,
        ] {
            assert!(dns(wrong).is_err(), "{wrong}");
        }
        assert!(dns("192.0.2.1").unwrap_err().contains("--ip 192.0.2.1") && dns("ü.de").unwrap_err().contains("xn--"));
        assert!(dns(&("d".repeat(63) + ".com")).is_ok() && dns(&("d.".repeat(125) + "com")).is_ok());
        for wrong in ["", "192.0.2", "192.0.2.1/24", "fe80::1%eth0", "a"] {
            assert!(ip(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "a", "@b.c", "a@", "a b@c.d", "a..b@c.d", "a@b@c.d", "a@192.0.2.1", "ü@b.c"] {
            assert!(email(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "/path", "a b:c", "1a:b", "https:", "https://a b", "https://a_b/", "https:///x", "x:ü"] {
            assert!(uri(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn common_names_of_hosts_are_names_of_their_own() {
        assert!(of_common_name("www.example.com").is_some() && of_common_name("*.example.com").is_some());
        assert!(matches!(of_common_name("192.0.2.5"), Some(GeneralName::IpAddress(_))));
        assert!(of_common_name("Example Ltd.").is_none() && of_common_name("localhost").is_none());
    }
}
