//! What the service itself needs for the host's TPM.

use super::super::error::{Error, Result};
use super::change::{Desk, Place, text, with_block};
use super::plan::Plan;
use interface::ProviderId;
use std::path::{Path, PathBuf};

const DROP_IN: &str = include_str!("../../../packaging/systemd/parsec.service.d/tpm.conf");
const PLACE: &str = "/etc/systemd/system/parsec.service.d/tpm.conf";
const CONFIG: &str = "/etc/parsec/config.toml";
const DEVICE: &str = "/dev/tpmrm0";
const MARK: &str = "tpm";

pub(super) fn plan(desk: &Desk<'_>) -> Result<Plan> {
    let mut plan = Plan::default();
    let device = Path::new(DEVICE);
    if desk.root == Path::new("/") && !device.exists() {
        return Err(Error::Failed(format!(
            "there is no {DEVICE}: enable the TPM in the firmware (fTPM, PTT), or load its driver: modprobe tpm_crb tpm_tis"
        )));
    }
    let config = PathBuf::from(CONFIG);
    let written = text(&desk.file(&config)?)?.unwrap_or_default();
    let missing = missing(&with_block(&written, MARK, None))?;
    if !missing.is_empty() {
        let table = |kind: &ProviderId| format!("[[provider]]\nprovider_type = \"{}\"\n", kind.kind().config);
        plan.want(Place::Block { path: config, mark: MARK.to_owned() }, missing.iter().map(table).collect::<String>());
    }
    plan.want(Place::File { path: PLACE.into() }, DROP_IN);
    plan.next.push(restart());
    plan.next.push("parsec key new NAME --provider tpm    # see: parsec providers".to_owned());
    Ok(plan)
}

/// What is left to do once it is undone.
pub(super) fn back() -> Vec<String> {
    vec![restart()]
}

fn restart() -> String {
    "systemctl daemon-reload && systemctl restart parsec".to_owned()
}

/// The providers that a configuration needs, in their order. One that names none has the software provider, which stays the default.
fn missing(config: &str) -> Result<Vec<ProviderId>> {
    let config: toml::Table = config.parse().map_err(|error| Error::Failed(format!("{CONFIG}: {error}")))?;
    let tables = config.get("provider").and_then(toml::Value::as_array);
    let kinds: Vec<_> = tables.into_iter().flatten().filter_map(|table| table.get("provider_type")?.as_str()).collect();
    let has = |kind: &ProviderId| kinds.contains(&kind.kind().config);
    let wanted = [ProviderId::SOFTWARE, ProviderId::TPM, ProviderId::TPM_SEALED];
    Ok(match kinds.as_slice() {
        [] => wanted.to_vec(),
        _ => wanted[1..].iter().copied().filter(|kind| !has(kind)).collect(),
    })
}
