//! Subject alternative names (RFC 5280 §4.2.1.6), each under its own type. A client looks for an address only among the addresses,
//! so an address must not be written as a DNS name.

use der::asn1::{Ia5String, OctetString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
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

/// An absolute URI (RFC 3986 §3), such as `spiffe://example.org/web`.
pub(super) fn uri(text: &str) -> Result<GeneralName, String> {
    let wrong = |why: String| format!("'{text}' is no URI: {why}");
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) || rest.is_empty() {
        return Err(wrong("it does not begin with a scheme, such as https:".to_owned()));
    }
    parts(rest).map_err(wrong)?;
    Ok(GeneralName::UniformResourceIdentifier(ia5(text)?))
}

/// Checks what stands behind the scheme of a URI.
fn parts(rest: &str) -> Result<(), String> {
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = match rest.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            self::authority(authority)?;
            path
        }
        None => rest,
    };
    part(path, ":@/")?;
    part(query, ":@/?")?;
    part(fragment, ":@/?")
}

/// RFC 3986 §3.2, with a host as RFC 5280 §4.2.1.6 wants it: a name or an address.
fn authority(text: &str) -> Result<(), String> {
    let (user, place) = text.rsplit_once('@').unwrap_or(("", text));
    part(user, ":")?;
    let end = if place.starts_with('[') { place.find(']').map(|end| end + 1) } else { place.find(':') };
    let (host, port) = place.split_at(end.unwrap_or(place.len()));
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(|port| port.chars().all(|c| c.is_ascii_digit())) {
        return Err(format!("'{port}' behind its host is no port"));
    }
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(literal) => literal.parse().map(|_: Ipv6Addr| ()).map_err(|_| format!("'{literal}' is no IPv6 address")),
        None if host.parse::<Ipv4Addr>().is_ok() => Ok(()),
        None => self::host(host),
    }
}

/// Checks a part of a URI, in which these characters have no meaning, nor have those that have none anywhere (RFC 3986 §2).
fn part(text: &str, also: &str) -> Result<(), String> {
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '%' if !rest.as_str().bytes().take(2).filter(u8::is_ascii_hexdigit).count().eq(&2) => {
                let shown: String = rest.as_str().chars().take(2).collect();
                return Err(format!(
                    "'%{shown}' is not % and two hexadecimal digits; where % is meant itself, it is written %25"
                ));
            }
            '%' => {}
            _ if c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c) || also.contains(c) => {}
            _ => {
                let written: String = c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
                return Err(format!("{c:?} cannot stand there; it is written {written}"));
            }
        }
    }
    Ok(())
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
    ip(text).or_else(|_| dns(text)).ok()
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
        for wrong in ["", "path", "/path", "a b:c", "1a:b", ":b", "https:", "https://a_b/", "https:///x", "https://"] {
            assert!(uri(wrong).is_err(), "{wrong}");
        }
    }

    /// RFC 3986 §2 and §3: what may stand in which part.
    #[test]
    fn uris_are_of_what_uris_are_made_of() {
        for right in [
            "http://a/%7a%7A",
            "http://a/-._~!$&'()*+,;=:@/",
            "http://a?-._~!$&'()*+,;=:@/?",
            "http://a#-._~!$&'()*+,;=:@/?",
            "http://u-._~!$&'()*+,;=:%20@a:/",
            "http://192.0.2.1:80",
            "http://[2001:db8::1]",
            "http://[::ffff:192.0.2.1]:80/",
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "mailto:a%25b@example.com?subject=x",
            "x:/a//b",
        ] {
            assert!(uri(right).is_ok(), "{right}: {:?}", uri(right));
        }
        for (wrong, why) in [
            ("http://a/%zz", "'%zz' is not % and two hexadecimal digits; where % is meant itself, it is written %25"),
            ("http://a/%4", "'%4' is not"),
            ("http://a/%", "'%' is not"),
            ("http://a?%g0", "'%g0' is not"),
            ("http://a#%0g", "'%0g' is not"),
            ("http://%@a/", "'%' is not"),
            ("http://a/ü", "'ü' cannot stand there; it is written %C3%BC"),
            ("http://a/b c", "' ' cannot stand there; it is written %20"),
            ("http://a/[b]", "'[' cannot stand there; it is written %5B"),
            ("http://a/#b#c", "'#' cannot stand there; it is written %23"),
            ("http://b@c@a/", "'@' cannot stand there; it is written %40"),
            ("http://a:b/", "':b' behind its host is no port"),
            ("http://[::1]b/", "'b' behind its host is no port"),
            ("http://::1/", "is no port"),
            ("http://[192.0.2.1]/", "'192.0.2.1' is no IPv6 address"),
            ("http://[::1/", "more than letters, digits and hyphens"),
            ("http://%61/", "more than letters, digits and hyphens"),
        ] {
            let told = uri(wrong).unwrap_err();
            assert!(told.contains(why), "{wrong}: {told}");
        }
        for c in "<>\"{}|\\^`\n\u{7f}".chars() {
            for place in ["x:/{}", "x:?{}", "x:#{}", "http://{}@a"] {
                let wrong = place.replace("{}", &c.to_string());
                assert!(uri(&wrong).is_err(), "{wrong}");
            }
        }
    }

    #[test]
    fn common_names_of_hosts_are_names_of_their_own() {
        for name in ["www.example.com", "*.example.com", "localhost", "intranet", "web-1"] {
            assert_eq!(of_common_name(name), Some(dns(name).unwrap()), "{name}");
        }
        for address in ["192.0.2.5", "2001:db8::1"] {
            assert_eq!(of_common_name(address), Some(ip(address).unwrap()), "{address}");
        }
        for other in ["Example Ltd.", "Jane Doe", "web_1", "12345", "Größe", "a@example.com", ""] {
            assert_eq!(of_common_name(other), None, "{other}");
        }
    }
}
