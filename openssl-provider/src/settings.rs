//! Our section of `openssl.cnf`. The core tells the value of a name that it is asked for, and which names there are it tells nobody. So
//! that a misspelt one is not passed over in silence, it is asked for what people write by mistake.

use std::{
    ffi::{CStr, CString},
    time::Duration,
};

use interface::client::{self, Client, Endpoint};

use crate::ffi::{core::Core, process::PROCESS};

/// How long a worker of a server, which serves nobody else meanwhile, waits for a service that hangs.
const DEADLINE: Duration = Duration::from_secs(10);

const SOCKET: &CStr = c"socket";
const TIMEOUT: &CStr = c"timeout-ms";

/// What other programs call the same.
const OTHERS: [&str; 12] = [
    "endpoint",
    "socket-path",
    "socket_path",
    "socketpath",
    "service-endpoint",
    "path",
    "address",
    "timeout",
    "timeoutms",
    "timeout-s",
    "timeout-sec",
    "deadline",
];

/// The client that the section describes: `socket`, else what the environment says, and `timeout-ms`.
pub(crate) fn client(core: &Core) -> Result<Client, String> {
    let client = match core.config(SOCKET) {
        None => Client::from_env(PROCESS),
        Some(socket) => Client::new(endpoint(&socket)?).in_process(PROCESS),
    };
    let client = client.map_err(|why| why.to_string())?;
    Ok(match core.config(TIMEOUT) {
        None => client.with_deadline(DEADLINE),
        Some(timeout) => match timeout.parse() {
            Ok(0) | Err(_) => {
                return Err(format!("timeout-ms = {timeout} is not a number of milliseconds"));
            }
            Ok(timeout) => client.with_deadline(Duration::from_millis(timeout)),
        },
    })
}

fn endpoint(socket: &str) -> Result<Endpoint, String> {
    Endpoint::of_file(socket).map_err(|why| match why {
        client::Error::Config(why) => format!("in parsec's section of openssl.cnf, {why}"),
        _ => format!(
            "parsec's section of openssl.cnf has socket = '{socket}', which is no path: write socket = /run/parsec/parsec.sock"
        ),
    })
}

/// What is wrong with the names in the section, if anything is.
pub(crate) fn misspelt(core: &Core) -> Option<String> {
    let known = [SOCKET, TIMEOUT].map(|name| name.to_str().unwrap_or_default());
    let wrong = known.into_iter().flat_map(slips).chain(OTHERS.map(str::to_owned));
    let wrong: Vec<_> = wrong.filter(|name| !known.contains(&name.as_str())).flat_map(CString::new).collect();
    let wrong: Vec<_> = wrong.iter().map(CString::as_c_str).collect();
    let name = wrong.get(core.given(&wrong)?)?.to_string_lossy();
    let known = known.join(" and ");
    Some(format!("parsec's section of openssl.cnf has '{name}', which is not known here: write {known} (or leave them out)"))
}

/// A name with one letter too many, or missing, or another one in its place, or with two that are swapped.
fn slips(name: &str) -> Vec<String> {
    let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain(['-', '_', '.', ' ']);
    let letters: Vec<_> = letters.map(String::from).collect();
    let mut slips = Vec::new();
    for at in 0..=name.len() {
        let (before, after) = name.split_at(at);
        slips.extend(letters.iter().map(|letter| [before, letter, after].concat()));
        let Some((first, rest)) = after.split_at_checked(1) else { continue };
        slips.push([before, rest].concat());
        slips.extend(letters.iter().map(|letter| [before, letter, rest].concat()));
        if let Some((second, rest)) = rest.split_at_checked(1) {
            slips.push([before, second, first, rest].concat());
        }
    }
    slips.push(name.to_uppercase());
    slips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_none_is_told_by_its_place() {
        for wrong in ["", "unix:", "tcp:localhost"] {
            let why = endpoint(wrong).unwrap_err();
            assert!(why.contains("openssl.cnf") && why.contains(&format!("'{wrong}'")), "{why}");
        }
        let why = endpoint("run/parsec.sock").unwrap_err();
        assert!(
            why.contains("openssl.cnf") && why.contains("'run/parsec.sock'") && why.contains("write the whole path"),
            "{why}"
        );
        assert!(endpoint("/run/parsec/parsec.sock").is_ok());
    }

    #[test]
    fn slips_are_what_fingers_do() {
        let slips = slips("socket");
        for wrong in ["sockt", "sokcet", "sockets", "soccket", "Socket", "SOCKET", "socket1", "sicket", "ocket"] {
            assert!(slips.iter().any(|slip| slip == wrong), "{wrong}");
        }
        assert!(!slips.iter().any(|slip| ["", "activate", "module"].contains(&slip.as_str())));
    }
}
