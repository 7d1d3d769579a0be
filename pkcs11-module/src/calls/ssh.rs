//! What OpenSSH's programs find. They offer every key that they find to the server, which lets them try few. So keys that were made for
//! ssh come first, then those whose purpose nobody has said, and keys that were made for something else are not found.
//! `PARSEC_SSH_ALL_KEYS=1` shows all.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cryptoki_sys::*;
use interface::operations::{Record, RecordKind};
use interface::policy::Purpose;

use crate::error::Result;
use crate::ffi::{PROCESS, Template};

/// The programs that load modules. The agent's helper does it for the agent and, in newer versions, for the others.
const PROGRAMS: [&str; 5] = ["ssh", "ssh-add", "ssh-agent", "ssh-keygen", "ssh-pkcs11-helper"];
/// What a search names the one object by that it wants.
const NAMES: [CK_ATTRIBUTE_TYPE; 3] = [CKA_ID, CKA_LABEL, CKA_UNIQUE_ID];

/// The place in the answer to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    First,
    Then,
    Nowhere,
}

/// Whether this search is for whatever there is, by a program of OpenSSH.
pub(crate) fn looks_around(template: &Template) -> bool {
    NAMES.iter().all(|kind| template.value(*kind).is_none())
        && fs::read_link("/proc/self/exe").is_ok_and(|program| is_ssh(&program))
        && PROCESS.variable("PARSEC_SSH_ALL_KEYS").is_none_or(|value| value != "1")
}

/// Whether this is what the kernel calls a program of OpenSSH, which may have been replaced since it was started.
fn is_ssh(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    PROGRAMS.contains(&name.strip_suffix(" (deleted)").unwrap_or(&name))
}

/// Puts what is for ssh first, and leaves out what is for something else. A certificate goes with its key; `keys` finds them all.
pub(crate) fn arrange(records: &mut Vec<Record>, keys: impl FnOnce() -> Result<Vec<Record>>) -> Result<()> {
    let mut beside = BTreeMap::new();
    if records.iter().any(is_certificate) {
        for key in keys()? {
            let place = place(&key);
            let best = beside.entry((key.owner, key.id)).or_insert(place);
            *best = place.min(*best);
        }
    }
    let place = |record: &Record| {
        let key = is_certificate(record).then(|| beside.get(&(record.owner.clone(), record.id.clone()))).flatten();
        key.copied().unwrap_or_else(|| place(record))
    };
    records.retain(|record| place(record) != Place::Nowhere);
    // others' keys come last: a server lets a client try few
    records.sort_by_key(|record| (record.foreign, place(record)));
    Ok(())
}

fn place(record: &Record) -> Place {
    match Purpose::of(&record.pkcs11) {
        Some(Purpose::Ssh) => Place::First,
        None => Place::Then,
        Some(_) => Place::Nowhere,
    }
}

fn is_certificate(record: &Record) -> bool {
    record.kind == i32::from(RecordKind::Certificate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: RecordKind, id: u8, purpose: Option<Purpose>) -> Record {
        let pkcs11 = purpose.map(Purpose::kept).into_iter().collect();
        Record { kind: kind.into(), id: vec![id], pkcs11, ..Record::default() }
    }

    #[test]
    fn the_programs_are_those_of_openssh() {
        for program in ["/usr/bin/ssh", "/usr/lib/openssh/ssh-pkcs11-helper", "/usr/bin/ssh-agent (deleted)"] {
            assert!(is_ssh(Path::new(program)), "{program}");
        }
        for program in ["/usr/bin/sshd", "/usr/bin/pkcs11-tool", "/usr/bin/ssh/nginx", ""] {
            assert!(!is_ssh(Path::new(program)), "{program}");
        }
    }

    #[test]
    fn keys_for_ssh_come_first_and_those_for_something_else_never() {
        use RecordKind::{Certificate, Key};
        let keys = || [record(Key, 1, Some(Purpose::TlsServer)), record(Key, 2, None), record(Key, 3, Some(Purpose::Ssh))];
        let ids = |mut records: Vec<Record>| {
            arrange(&mut records, || Ok(keys().to_vec())).unwrap();
            records.into_iter().flat_map(|record| record.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(keys().to_vec()), [3, 2]);
        let certificates = [1, 2, 3, 4].map(|id| record(Certificate, id, None));
        assert_eq!(ids(certificates.to_vec()), [3, 2, 4]);
        // one id, two keys: the certificate is found for the one that is for ssh
        let mut records = vec![record(Certificate, 1, None)];
        arrange(&mut records, || Ok([Purpose::TlsServer, Purpose::Ssh].map(|p| record(Key, 1, Some(p))).to_vec())).unwrap();
        assert_eq!(records.len(), 1);
    }
}
