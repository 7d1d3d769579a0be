//! Configurations that the release starts with; `{dir}` stands for a folder.

use std::fs;
use std::path::Path;

use interface::operations::Ping;
use interface::{ProviderId, Status};
use tests::{Raw, Setup, request};

/// Every key of upstream's that needs no hardware, as its documentation has them.
const UPSTREAM: &str = r#"
[core_settings]
allow_root = true
thread_pool_size = 8
idle_listener_sleep_duration = 10
log_level = "warn"
log_timestamp = false
body_len_limit = 1048576
log_error_details = false
buffer_size_limit = 1048576
allow_deprecated = false

[listener]
listener_type = "DomainSocket"
timeout = 200
socket_path = "{dir}/parsec.sock"

[authenticator]
auth_type = "UnixPeerCredentials"
admins = [ { name = "0" }, { name = "1000" } ]

[[key_manager]]
name = "on-disk-manager"
manager_type = "OnDisk"
store_path = "{dir}/mappings"

[[provider]]
provider_type = "MbedCrypto"
name = "mbed-crypto-provider"
key_info_manager = "on-disk-manager"
"#;

/// As upstream's clients without Unix peer credentials have it.
const DIRECT: &str = r#"
[core_settings]
allow_root = true
log_error_details = true

[listener]
listener_type = "DomainSocket"
timeout = 3000
socket_path = "{dir}/parsec.sock"

[authenticator]
auth_type = "Direct"
admins = [ { name = "list_clients test" } ]
workload_endpoint = "unix:///tmp/agent.sock"

[[key_manager]]
name = "sqlite-manager"
manager_type = "SQLite"
sqlite_db_path = "{dir}/kim.sqlite3"

[[provider]]
provider_type = "MbedCrypto"
key_info_manager = "sqlite-manager"
"#;

/// Every key of ours.
const OURS: &str = r#"
[core_settings]
allow_root = true
log_level = "info"
log_error_details = true
max_connections = 64
idle_timeout_s = 60

[listener]
socket_path = "{dir}/parsec.sock"

[authenticator]
auth_types = ["UnixPeerCredentials", "Direct"]
admins = [{ name = "uid:0" }]

[[key_manager]]
name = "keys"
sqlite_db_path = "{dir}/state/keys.sqlite"
store_key_path = "{dir}/of-the-store.key"

[[provider]]
provider_type = "MbedCrypto"
key_info_manager = "keys"

[[provider]]
provider_type = "Tpm"
tcti = "{tcti}"
owner_hierarchy_auth = "hex:"
endorsement_hierarchy_auth = ""
parameter_encryption = true
skip_if_no_tpm = true
timeout = 30000
"#;

pub(crate) fn keep(folder: &Path) {
    let folder = folder.join("configurations");
    fs::create_dir(&folder).unwrap();
    for (name, text) in [("upstream", UPSTREAM), ("direct", DIRECT), ("ours", OURS)] {
        let service = Setup::default().config(text).start();
        let ping = Raw::connect(&service).ask(&request(ProviderId::CORE, &Ping {}));
        assert_eq!(ping.status(), Status::Success, "{name}");
        fs::write(folder.join(format!("{name}.toml")), text.trim_start()).unwrap();
    }
}
