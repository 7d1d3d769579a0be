use super::*;

/// A host on which these variables are set.
fn told(uid: u32, variables: &[(&str, &str)]) -> Host {
    Host::told(uid, |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
}

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, &told(0, &[]))
}

/// Every key that upstream's documentation has, but for providers of hardware.
const UPSTREAM: &str = r#"
[core_settings]
allow_root = true
thread_pool_size = 8
idle_listener_sleep_duration = 10
log_level = "warn"
log_timestamp = true
body_len_limit = 65536
log_error_details = true
buffer_size_limit = 4096
allow_deprecated = true

[listener]
listener_type = "DomainSocket"
timeout = 3000
socket_path = "/tmp/parsec.sock"

[authenticator]
auth_type = "Direct"
admins = [ { name = "admin" }, { name = "app:list" } ]
workload_endpoint = "unix:///run/spire/agent.sock"

[[key_manager]]
name = "on-disk-manager"
manager_type = "OnDisk"
store_path = "./mappings"

[[key_manager]]
name = "sqlite-manager"
manager_type = "SQLite"
sqlite_db_path = "/srv/parsec/keys.sqlite3"

[[provider]]
provider_type = "MbedCrypto"
name = "mbed-crypto-provider"
key_info_manager = "sqlite-manager"
backend = "aws-lc"
"#;

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn upstreams_file_is_read_as_it_is() {
    let config = parse(UPSTREAM).unwrap();
    assert_eq!(config.log_level, LevelFilter::WARN);
    assert!(config.log_timestamp && config.log_error_details);
    assert!(config.allow_root && config.allow_deprecated);
    assert_eq!(config.body_len_limit, 65536);
    assert_eq!(config.timeout, Duration::from_secs(3));
    assert_eq!(config.socket_path, Some("/tmp/parsec.sock".into()));
    assert_eq!(config.authenticators.kinds, [AuthType::Direct]);
    assert!(config.authenticators.admins.is_empty(), "any program may say these names");
    assert_eq!(config.store_path, Path::new("/srv/parsec/keys.sqlite3"));
    assert_eq!(config.store_key_path, Path::new("/srv/parsec/store.key"));
    let [provider] = config.providers.as_slice() else {
        panic!("{:?}", config.providers);
    };
    assert_eq!(provider.kind, ProviderId::SOFTWARE);
    assert_eq!(provider.name.as_deref(), Some("mbed-crypto-provider"));
    let settings: Table = "backend = 'aws-lc'\nbuffer_size_limit = 4096".parse().unwrap();
    assert_eq!(provider.settings, settings);
    for noted in ["thread_pool_size", "idle_listener", "workload_endpoint", "on-disk-manager"] {
        assert!(config.notes.iter().any(|note| note.contains(noted)), "{noted}");
    }
}

#[test]
fn without_a_file_root_and_others_get_their_places() {
    let config = parse("").unwrap();
    assert_eq!(config.socket_path.as_deref(), Some(Path::new("/run/parsec/parsec.sock")));
    assert_eq!(config.store_path, Path::new("/var/lib/parsec/keys.sqlite"));
    assert_eq!(config.authenticators.kinds, [AuthType::UnixPeerCredentials]);
    assert!(config.authenticators.admin(&Principal::Uid(0)));
    assert!(!config.authenticators.admin(&Principal::Uid(1000)));
    assert!(!config.authenticators.admin(&Principal::App("0".into())));
    assert_eq!(config.providers[0].kind, ProviderId::SOFTWARE);
    assert_eq!((config.body_len_limit, config.max_connections), (MIB, 1024));

    let user = told(1000, &[("XDG_RUNTIME_DIR", "/run/user/1000"), ("HOME", "/home/me")]);
    let config = Config::parse("", &user).unwrap();
    assert_eq!(config.socket_path, Some("/run/user/1000/parsec/parsec.sock".into()));
    assert_eq!(config.store_key_path, Path::new("/home/me/.local/state/parsec/store.key"));
    assert!(config.authenticators.admin(&Principal::Uid(1000)));
    assert_eq!(user.configuration, None);

    let why = Config::parse("", &told(1000, &[])).unwrap_err().to_string();
    assert!(why.contains("XDG_"), "{why}");
}

/// As the shipped unit starts it: another user without a home, whom systemd gives a socket and folders.
#[test]
fn a_unit_gets_systemds_places() {
    let pid = std::process::id().to_string();
    let passed = [("HOME", "/"), ("STATE_DIRECTORY", "/var/lib/parsec:/var/lib/more"), ("LISTEN_PID", &pid)];
    let config = Config::parse("", &told(999, &passed)).unwrap();
    assert_eq!(config.socket_path, None);
    assert_eq!(config.store_path, Path::new("/var/lib/parsec/keys.sqlite"));

    let elsewhere = Config::parse("", &told(999, &[passed[1], ("LISTEN_PID", "1")])).unwrap_err().to_string();
    assert!(elsewhere.contains("socket_path"), "{elsewhere}");
    let folders = [passed[1], ("RUNTIME_DIRECTORY", "/run/parsec"), ("CONFIGURATION_DIRECTORY", "/etc/parsec")];
    for uid in [0, 999] {
        let host = told(uid, &folders);
        assert_eq!(Config::parse("", &host).unwrap().socket_path, Some("/run/parsec/parsec.sock".into()));
        assert_eq!(host.configuration, Some("/etc/parsec".into()));
    }
}

#[test]
fn the_configuration_of_the_host_is_read_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let host = told(999, &[("CONFIGURATION_DIRECTORY", path)]);
    assert_eq!(host.configuration(), None);
    std::fs::write(folder.path().join("config.toml"), "").unwrap();
    assert_eq!(host.configuration(), Some(folder.path().join("config.toml")));
    assert_eq!(told(0, &[]).configuration, Some("/etc/parsec".into()));
}

/// The documented configuration says what holds without any, and its commented keys exist and show their defaults.
#[test]
fn the_packaged_file_shows_the_defaults() {
    const PACKAGED: &str = include_str!("../../packaging/config.toml");
    let told = |line: &str| match line.strip_prefix('#') {
        Some(key) if !key.is_empty() && !key.starts_with(' ') => key.to_owned(),
        _ => line.to_owned(),
    };
    let all: Vec<_> = PACKAGED.lines().map(told).collect();
    let shown = |text: &str| {
        let mut config = parse(text).unwrap();
        config.notes.clear();
        config.providers[0].name = None;
        config.providers[0].settings.remove(BUFFERS);
        format!("{config:#?}")
    };
    assert_eq!(shown(PACKAGED), shown(""));
    assert_eq!(shown(&all.join("\n")), shown(""));
}

#[test]
fn on_disk_managers_name_the_folder() {
    let text = "[[key_manager]]\nname = 'a'\nmanager_type = 'OnDisk'\nstore_path = '/srv/m'\nstore_key_path = '/etc/k'";
    let config = parse(text).unwrap();
    assert_eq!(config.store_path, Path::new("/srv/m/keys.sqlite"));
    assert_eq!(config.store_key_path, Path::new("/etc/k"));
}

#[test]
fn every_provider_that_upstream_knows_is_known() {
    for (name, id) in [("Tpm", ProviderId::TPM), ("Pkcs11", ProviderId::PKCS11), ("software", ProviderId::SOFTWARE)] {
        let text = format!("[[provider]]\nprovider_type = '{name}'\ntcti = 'device'");
        let config = parse(&text).unwrap();
        assert_eq!(config.providers[0].kind, id);
        assert!(config.providers[0].settings.contains_key("tcti"));
    }
}

#[test]
fn whoever_says_a_name_is_an_administrator_only_where_that_is_said_twice() {
    let admins = ["admin", "list"].map(|name| Principal::App(name.into()));
    let twice = UPSTREAM.replace("[authenticator]", "[authenticator]\nallow_direct_admins = true");
    for (text, admins, words) in [(UPSTREAM, &[][..], "is no administrator"), (&twice, &admins, "is an administrator")] {
        let config = parse(text).unwrap();
        assert_eq!(config.authenticators.admins, admins);
        for name in ["app:admin", "app:list"] {
            let told = |warning: &String| [name, words, "allow_direct_admins"].iter().all(|part| warning.contains(part));
            assert!(config.warnings.iter().any(told), "{:?}", config.warnings);
        }
    }
    let both =
        "[authenticator]\nauth_types = ['UnixPeerCredentials', 'Direct']\nadmins = [{ name = 'uid:0' }, { name = 'app:0' }]";
    assert_eq!(parse(both).unwrap().authenticators.admins, [Principal::Uid(0)]);
}

#[test]
fn several_authenticators() {
    let text = "[authenticator]\nauth_types = ['UnixPeerCredentials', 'Direct']\nadmins = [{ name = 'uid:0' }]";
    let config = parse(text).unwrap();
    assert_eq!(config.authenticators.kinds.len(), 2);
    assert!(!config.authenticators.admin(&Principal::App("uid:0".into())));
    assert!(error(&text.replace("uid:0", "0")).contains("\"uid:0\" or \"app:0\""));
}

/// A file, and a part of the error that it gets.
const MISTAKES: &[(&str, &str)] = &[
    ("[core_setings]", "top level has no key 'core_setings'; did you mean 'core_settings'?"),
    ("[core_settings]\nlog_levle = 'info'", "[core_settings] has no key 'log_levle'; did you mean 'log_level'?"),
    ("[listener]\nfloor = 1", "[listener] has no key 'floor'; there is timeout, listener_type, socket_path"),
    (
        "[[key_manager]]\nname = 'a'\nsqlite_path = 'b'",
        "[[key_manager]] number 1 has no key 'sqlite_path'; did you mean 'sqlite_db_path'?",
    ),
    ("[core_settings]\nlog_level = 'wrn'", "did you mean 'warn'?"),
    ("[core_settings]\nallow_root = 'yes'", "[core_settings] allow_root: invalid type"),
    ("[core_settings]\nbody_len_limit = -1", "[core_settings] body_len_limit: invalid value"),
    ("[core_settings]\nmax_connections = 0", "max_connections: must be at least 1"),
    ("[listener]\nlistener_type = 'Tcp'", "there is DomainSocket"),
    ("[authenticator]\nauth_type = 'Direkt'", "did you mean 'Direct'?"),
    ("[authenticator]\nauth_type = 'JwtSvid'", "not built into this version"),
    (
        "[authenticator]\nauth_type = 'UnixPeerCredentials'\nadmins = [{ name = 'no such user' }]",
        "is no user id: write \"uid:0\"",
    ),
    ("[authenticator]\nauth_type = 'UnixPeerCredentials'\nadmins = [{ name = 'root' }]", "'root' is no user id: write \"uid:0\""),
    ("[authenticator]\nadmins = ['root']", "must be a list such as [{ name = \"uid:0\" }]"),
    ("[provider]\nprovider_type = 'MbedCrypto'", "is one table, and there may be several: write [[provider]]"),
    ("[authenticator]\nauth_type = 'Direct'\nauth_types = []", "cannot stand beside"),
    ("[[provider]]\nprovider_type = 'MbdCrypto'", "did you mean 'MbedCrypto'?"),
    ("[[provider]]\nname = 'a'", "provider_type: is missing"),
    (
        "[[provider]]\nprovider_type = 'MbedCrypto'\nkey_info_manager = 'sqlite'\n[[key_manager]]\nname = 'sqlite3'",
        "no [[key_manager]] named 'sqlite'; did you mean 'sqlite3'?",
    ),
    ("[[provider]]\nprovider_type = 'MbedCrypto'\n[[provider]]\nprovider_type = 'software'", "is there twice"),
    ("[[key_manager]]\nname = 'a'\nmanager_type = 'SQLlite'", "did you mean 'SQLite'?"),
    ("core_settings = 1", "core_settings: invalid type"),
    ("x = ", "line 1"),
];

#[test]
fn mistakes_are_named_with_their_remedy() {
    for (text, expected) in MISTAKES {
        let why = error(text);
        assert!(why.contains(expected), "{text}\n{why}");
    }
}

#[test]
fn the_file_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "[liszener]").unwrap();
    let why = Config::load(Some(file.path())).unwrap_err().to_string();
    assert!(why.contains(file.path().to_str().unwrap()), "{why}");
    let why = Config::load(Some(Path::new("/nowhere/config.toml"))).unwrap_err();
    assert!(why.to_string().contains("/nowhere/config.toml"), "{why}");
}
