//! `parsec setup` on images of systems, and in a home.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::{Ran, Service, feed, run};

/// All that is below a folder, with modes and contents.
fn tree(folder: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, metadata) = (entry.path(), entry.metadata().unwrap());
        let content = if metadata.is_dir() { Vec::new() } else { fs::read(&path).unwrap() };
        if metadata.is_dir() {
            found.extend(tree(&path));
        }
        found.insert(path, (metadata.mode(), content));
    }
    found
}

fn write(path: PathBuf, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The image of a system with these units, and a service that has the key `web`.
fn image(units: &[&str]) -> (Service, PathBuf) {
    let service = Service::start();
    let root = service.dir().join("image");
    for unit in units {
        write(root.join("usr/lib/systemd/system").join(unit), "[Service]\n");
    }
    write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\nwww-data:x:4033:4033::/:/bin/false\nbind:x:4053:4053::/:/bin/false\n");
    run(&mut service.parsec(["key", "new", "web", "--for", "tls-server"])).ok();
    (service, root)
}

fn setup(service: &Service, words: &str) -> Ran {
    let words = words.split_whitespace();
    run(&mut service.parsec(["setup"].into_iter().chain(words).chain(["--root", "image"])))
}

fn grants(service: &Service) -> String {
    let grants: Value = serde_json::from_str(&run(&mut service.parsec(["--json", "key", "grants", "web"])).ok()).unwrap();
    let grant = |grant: &Value| format!("{}={}", grant["principal"].as_str().unwrap(), grant["roles"]);
    grants["grants"].as_array().unwrap().iter().map(grant).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn doctor(service: &Service, server: &str) -> String {
    let report = run(&mut service.parsec(["--json", "doctor", "--root", "image"])).out;
    let report: Value = serde_json::from_str(&report).unwrap();
    let found = report["findings"].as_array().unwrap().iter().find(|found| found["what"] == server);
    found.map_or_else(String::new, |found| found["state"].as_str().unwrap().to_owned())
}

#[test]
fn a_server_is_set_up_once_and_undone_without_a_trace() {
    let (service, root) = image(&["nginx.service"]);
    write(root.join("etc/nginx/nginx.conf"), "server { ssl_certificate_key /etc/parsec/web.pem; }\n");
    let before = tree(&root);
    for words in ["nginx --key web --dry-run", "nginx --key web"] {
        let told = setup(&service, words).ok();
        for part in [
            "image/etc/parsec/openssl.cnf",
            "+ Environment=OPENSSL_CONF=/etc/parsec/openssl.cnf",
            "image/etc/parsec/web.pem",
            "uid:4033",
            "ssl_certificate_key /etc/parsec/web.pem;",
            "parsec setup nginx --key web --root image --yes",
            "systemctl restart nginx.service",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!((tree(&root), grants(&service).as_str()), (before.clone(), ""), "{words}");
    }
    let told = setup(&service, "nginx --key web --yes").ok();
    assert!(told.contains("image/etc/parsec/openssl.cnf") && !told.contains("--yes"), "{told}");
    assert_eq!(grants(&service), r#"uid:4033=["sign"]"#);
    assert_eq!(
        run(&mut service.parsec(["key", "pem", "web"])).ok(),
        fs::read_to_string(root.join("etc/parsec/web.pem")).unwrap()
    );
    assert_eq!(doctor(&service, "nginx"), "ok");

    let after = tree(&root);
    let again = setup(&service, "nginx --key web --yes").ok();
    assert!(again.starts_with("Nothing to change.\n"), "{again}");
    assert_eq!(tree(&root), after);

    setup(&service, "nginx --undo").ok();
    assert_eq!(tree(&root), after, "nobody said yes");
    setup(&service, "nginx --undo --yes").ok();
    assert_eq!((tree(&root), grants(&service).as_str()), (before.clone(), ""));
    let nothing = setup(&service, "nginx --undo --yes").ok();
    assert!(nothing.starts_with("Nothing to change.\n"), "{nothing}");
    assert_eq!(tree(&root), before);
}

#[test]
fn what_two_servers_need_goes_with_the_last_one() {
    let (service, root) = image(&["nginx.service", "apache2.service"]);
    let before = tree(&root);
    setup(&service, "nginx --key web --yes").ok();
    setup(&service, "apache --key web --yes").ok();
    setup(&service, "nginx --undo --yes").ok();
    assert!(!root.join("etc/systemd/system/nginx.service.d").exists());
    assert!(root.join("etc/parsec/openssl.cnf").exists() && root.join("etc/parsec/web.pem").exists());
    assert_eq!(grants(&service), r#"uid:4033=["sign"]"#);
    setup(&service, "apache --undo --yes").ok();
    assert_eq!((tree(&root), grants(&service).as_str()), (before, ""));
}

#[test]
fn what_was_there_before_comes_back_and_what_was_changed_since_stays() {
    let (service, root) = image(&["nginx.service", "named.service"]);
    run(&mut service.parsec(["key", "grant", "web", "uid:4033=verify"])).ok();
    write(root.join("etc/parsec/openssl.cnf"), "openssl_conf = old\n");
    write(root.join("etc/apparmor.d/usr.sbin.named"), "profile");
    write(root.join("etc/apparmor.d/local/usr.sbin.named"), "# mine\n");
    let before = tree(&root);
    let told = setup(&service, "nginx --key web --yes").ok();
    assert!(told.contains("- openssl_conf = old"), "{told}");
    assert_eq!(grants(&service), r#"uid:4033=["sign","verify"]"#);
    let told = setup(&service, "named --yes").ok();
    assert!(told.contains("apparmor_parser -r /etc/apparmor.d/usr.sbin.named"), "{told}");
    let rules = fs::read_to_string(root.join("etc/apparmor.d/local/usr.sbin.named")).unwrap();
    assert!(
        rules.starts_with("# mine\n") && rules.contains("ossl-modules/parsec.so mr,") && rules.contains("parsec.sock rw,"),
        "{rules}"
    );
    setup(&service, "named --undo --yes").ok();
    setup(&service, "nginx --undo --yes").ok();
    assert_eq!((tree(&root), grants(&service).as_str()), (before, r#"uid:4033=["verify"]"#));

    setup(&service, "nginx --yes").ok();
    let drop_in = root.join("etc/systemd/system/nginx.service.d/parsec.conf");
    fs::write(&drop_in, "[Service]\nNice=5\n").unwrap();
    let told = setup(&service, "nginx --undo --yes").ok();
    assert!(told.contains("changed since") && fs::read_to_string(&drop_in).unwrap().contains("Nice"), "{told}");
}

#[test]
fn what_cannot_be_done_is_told_before_anything_is_changed() {
    let (service, root) = image(&["nginx.service", "haproxy.service"]);
    let told = setup(&service, "apache --yes").refused();
    assert!(told.contains("no unit apache2.service"), "{told}");
    let told = setup(&service, "haproxy --key web --yes").refused();
    assert!(told.contains("no user 'haproxy'"), "{told}");
    let told = setup(&service, "nginx --key wbe --yes").refused();
    assert!(told.contains("no key 'wbe'"), "{told}");
    for program in ["sshd", "opendkim", "wget"] {
        let told = setup(&service, program).refused();
        assert!(told.contains(&format!("{program} cannot be set up: ")), "{told}");
    }
    write(root.join("etc/parsec/web.pem"), "another key");
    let before = tree(&root);
    let told = setup(&service, "nginx --key web --yes").refused();
    assert!(told.contains("no reference to key 'web'"), "{told}");
    assert_eq!((tree(&root), grants(&service).as_str()), (before, ""));
}

/// Redis, whose unit permits no code but in its own folders (`NoExecPaths=`).
#[test]
fn a_unit_that_runs_nothing_from_elsewhere_is_told_where_the_provider_is() {
    let (service, _root) = image(&["redis-server.service"]);
    let library = service.dir().join(format!("local/lib/{}-linux-gnu/ossl-modules/parsec.so", std::env::consts::ARCH));
    for (file, path) in [("parsec", service.dir().join("local/bin/parsec")), ("libparsec_openssl.so", library.clone())] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        tests::install(&tests::built(file), &path);
    }
    let exec = |program: PathBuf| {
        let told = run(service.command(program).args(["setup", "redis", "--root", "image"])).ok();
        told.lines().find_map(|line| line.strip_prefix("  + ExecPaths=-")).map(str::to_owned)
    };
    assert_eq!(exec(service.dir().join("local/bin/parsec")).map(PathBuf::from), Some(library));
    assert_eq!(exec(tests::built("parsec")), None);
}

#[test]
fn who_may_not_write_is_told_so_before_a_key_is_granted() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let (service, root) = image(&["nginx.service"]);
    let before = tree(&root);
    for folder in [service.dir().to_owned(), root.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    service.staged("parsec");
    let mut command = service.command(service.dir().join("parsec"));
    tests::as_uid(&mut command, 4711);
    run(service.command(service.dir().join("parsec")).args(["key", "grant", "web", "uid:4711=use"])).ok();
    let told = run(command.args(["setup", "nginx", "--root", "image", "--yes"])).refused();
    assert!(told.contains("nothing was changed") && told.contains("cannot be written"), "{told}");
    assert_eq!(tree(&root).len(), before.len());
}

#[test]
fn a_change_that_fails_takes_back_those_before_it() {
    let (service, root) = image(&["nginx.service"]);
    // no folder can be made in a file
    write(root.join("etc/systemd/system"), "");
    let before = tree(&root);
    let told = setup(&service, "nginx --key web --yes").refused();
    assert!(told.contains("nginx.service.d"), "{told}");
    assert_eq!((tree(&root), grants(&service).as_str()), (before, ""));
}

#[test]
fn an_image_gives_nobody_a_right_and_changes_nothing_outside() {
    let (service, root) = image(&["nginx.service"]);
    let record = root.join("etc/parsec/setup/nginx.json");
    let grant = r#""what":"grant","key":"web","owner":null,"provider":"software","who":"uid:66","old":"sign","new":"#;
    let setting = r#""what":"git","name":"core.pager","old":"evil","new":"""#;
    fs::write(service.dir().join("outside"), "host").unwrap();
    std::os::unix::fs::symlink(service.dir(), root.join("link")).unwrap();
    let file = |path: &str| format!(r#""what":"file","path":"{path}","old":"evil","new":"host""#);
    for change in [format!("{grant}null"), format!("{grant}\"\""), setting.to_owned(), file("/../outside"), file("/link/outside")]
    {
        write(record.clone(), format!("[{{{change}}}]"));
        let told = setup(&service, "nginx --undo --yes").refused();
        assert!(told.contains("no changes of parsec setup") || told.contains("is not in image"), "{change}: {told}");
    }
    assert_eq!((fs::read_to_string(service.dir().join("outside")).unwrap().as_str(), grants(&service).as_str()), ("host", ""));
}

#[test]
fn what_another_user_may_change_is_not_touched() {
    if !tests::may_change_user() {
        return;
    }
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(tests::STRANGER), None).unwrap();
    for stranger in ["etc/parsec", "etc", ""] {
        let (service, root) = image(&["nginx.service"]);
        fs::create_dir_all(root.join("etc/parsec")).unwrap();
        own(&root.join(stranger));
        let before = tree(&root);
        let told = setup(&service, "nginx --key web --yes").refused();
        assert!(told.contains("setup does not touch"), "{stranger}: {told}");
        assert_eq!((tree(&root), grants(&service).as_str()), (before, ""), "{stranger}");
    }
    let (service, _) = image(&[]);
    let home = service.dir().join("home");
    fs::create_dir_all(&home).unwrap();
    own(&home);
    let told = run(at_home(&service, service.parsec(["setup", "ssh", "--yes"])).args(["--key", "web"])).refused();
    assert!(told.contains("type this as that user"), "{told}");
}

#[test]
fn a_file_that_is_edited_gains_no_privilege() {
    let (service, root) = image(&["named.service"]);
    write(root.join("etc/apparmor.d/usr.sbin.named"), "profile");
    let rules = root.join("etc/apparmor.d/local/usr.sbin.named");
    write(rules.clone(), "# mine\n");
    fs::set_permissions(&rules, PermissionsExt::from_mode(0o6755)).unwrap();
    setup(&service, "named --yes").ok();
    assert_eq!(fs::metadata(&rules).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn a_grant_is_taken_back_from_a_key_with_another_name() {
    let (service, root) = image(&["nginx.service"]);
    let before = tree(&root);
    setup(&service, "nginx --key web --yes").ok();
    run(&mut service.parsec(["key", "rename", "web", "shop"])).ok();
    setup(&service, "nginx --undo --yes").ok();
    run(&mut service.parsec(["key", "rename", "shop", "web"])).ok();
    assert_eq!((tree(&root), grants(&service).as_str()), (before, ""));
}

#[test]
fn a_tpm_is_added_to_the_providers_that_there_are_and_goes_without_a_trace() {
    let (service, root) = image(&[]);
    let before = tree(&root);
    let config = root.join("etc/parsec/config.toml");
    setup(&service, "tpm --yes").ok();
    assert_eq!(kinds(&config), ["MbedCrypto", "Tpm", "TpmSealed"]);
    let drop_in = fs::read_to_string(root.join("etc/systemd/system/parsec.service.d/tpm.conf")).unwrap();
    assert!(drop_in.contains("\nDeviceAllow=/dev/tpmrm0 rw\n"), "{drop_in}");
    assert!(setup(&service, "tpm --yes").ok().starts_with("Nothing to change."));
    assert!(setup(&service, "tpm --undo --yes").ok().contains("systemctl restart parsec"));
    assert_eq!(tree(&root), before);

    write(config.clone(), "[[provider]]\nprovider_type = \"Tpm\"\n");
    let own = tree(&root);
    setup(&service, "tpm --yes").ok();
    assert_eq!(kinds(&config), ["Tpm", "TpmSealed"], "the default stays");
    setup(&service, "tpm --undo --yes").ok();
    assert_eq!(tree(&root), own);
    fs::write(&config, "provider = 7 7\n").unwrap();
    assert!(setup(&service, "tpm --yes").refused().contains("config.toml"));
    assert!(setup(&service, "tpm --key web").refused().contains("leave --key out"));
}

fn kinds(config: &Path) -> Vec<String> {
    let config = fs::read_to_string(config).unwrap();
    config.lines().filter_map(|line| Some(line.strip_prefix("provider_type = \"")?.trim_end_matches('"').to_owned())).collect()
}

#[test]
fn who_sits_at_a_terminal_is_asked() {
    let Some(script) = tests::program("script") else { return };
    let (service, root) = image(&["nginx.service"]);
    let before = tree(&root);
    let parsec = service.staged("parsec");
    let ask = |answer: &str| {
        let line = format!("{} setup nginx --root image", parsec.display());
        feed(service.command(&script).args(["-qec", &line, "/dev/null"]), answer.as_bytes())
    };
    let told = ask("n\n").refused();
    assert!(told.contains("Do this? [y/N]") && told.contains("nothing was changed"), "{told}");
    assert_eq!(tree(&root), before);
    let told = ask("y\n").ok();
    assert!(told.contains("systemctl restart nginx.service") && !told.contains("--yes"), "{told}");
    assert!(root.join("etc/parsec/openssl.cnf").exists());
}

#[test]
fn every_server_can_be_set_up_and_undone_and_doctor_agrees() {
    let help = run(&mut Service::start().parsec(["setup", "--help"])).ok();
    let servers = help.split("possible values: ").nth(1).unwrap().split(']').next().unwrap().to_owned();
    let (service, root) = image(&[]);
    let before = tree(&root);
    for server in servers.split(", ").filter(|name| !["ssh", "git", "tpm"].contains(name)) {
        let told: Value = serde_json::from_str(&setup(&service, &format!("{server} --yes --json")).ok()).unwrap();
        assert!(!told["write"].as_array().unwrap().is_empty(), "{told}");
        if server == "knot" {
            assert_eq!((told["done"].as_bool(), tree(&root)), (Some(false), before.clone()), "it needs no file");
            continue;
        }
        assert_eq!(told["done"], true, "{told}");
        // the administrator does what is left to do
        let reference = run(&mut service.parsec(["key", "pem", "web"])).ok();
        write(root.join("etc/parsec/NAME.pem"), &reference);
        let mut written = Vec::new();
        for lines in told["write"].as_array().unwrap() {
            let file = root.join(lines["file"].as_str().unwrap().trim_start_matches('/'));
            let lines: Vec<_> = lines["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
            let text = lines.join("\n").replace("/etc/haproxy/NAME.site", "/etc/parsec/NAME.pem");
            let before = fs::read_to_string(&file).unwrap_or_default();
            write(file.clone(), before + &text.replace("/etc/postgresql/NAME.pem", "/etc/parsec/NAME.pem") + "\n");
            written.push(file);
        }
        assert_eq!(doctor(&service, server), "ok", "{server}: {told}");
        fs::remove_file(root.join("etc/parsec/NAME.pem")).unwrap();
        setup(&service, &format!("{server} --undo --yes")).ok();
        for file in written {
            let _ = fs::remove_file(&file);
            for folder in file.ancestors().skip(1) {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        assert_eq!(tree(&root), before, "{server}");
    }
}

/// A command in a home of its own.
fn at_home(service: &Service, mut command: Command) -> Command {
    command.env("HOME", service.dir().join("home"));
    command
}

#[test]
fn ssh_gets_the_module_at_the_end_of_its_configuration() {
    let service = Service::start();
    let home = service.dir().join("home");
    write(home.join(".ssh/config"), "Host mine\n  User me\n");
    fs::set_permissions(home.join(".ssh/config"), fs::Permissions::from_mode(0o600)).unwrap();
    run(&mut service.parsec(["key", "new", "me", "--for", "ssh"])).ok();
    let before = tree(&home);
    let setup = |words: &[&str]| run(&mut at_home(&service, service.parsec([&["setup", "ssh"], words].concat())));
    setup(&["--key", "me"]).ok();
    assert_eq!(tree(&home), before);
    setup(&["--key", "me", "--yes"]).ok();
    let after = tree(&home);
    let config = home.join(".ssh/config");
    assert_eq!(after[&config].0, before[&config].0);
    let mut ssh = at_home(&service, Command::new("ssh"));
    let seen = run(ssh.args(["-G", "-F"]).arg(&config).arg("mine")).ok().to_lowercase();
    assert!(seen.contains("user me") && seen.contains("pkcs11provider") && seen.contains("libparsec_pkcs11.so"), "{seen}");
    assert_eq!(
        fs::read_to_string(home.join(".ssh/me.pub")).unwrap(),
        run(&mut service.parsec(["key", "public", "me", "--ssh"])).ok()
    );
    assert!(setup(&["--key", "me", "--yes"]).ok().starts_with("Nothing to change."));
    assert_eq!(tree(&home), after);
    let more = fs::read_to_string(&config).unwrap() + "Host other\n";
    fs::write(&config, &more).unwrap();
    setup(&["--undo", "--yes"]).ok();
    assert_eq!(fs::read_to_string(&config).unwrap(), "Host mine\n  User me\nHost other\n");
    fs::write(&config, "Host mine\n  User me\n").unwrap();
    assert_eq!(tree(&home), before);

    fs::remove_dir_all(&home).unwrap();
    fs::create_dir(&home).unwrap();
    setup(&["--yes"]).ok();
    assert!(config.exists());
    setup(&["--undo", "--yes"]).ok();
    assert_eq!(tree(&home), BTreeMap::new());
}

#[test]
fn git_signs_with_the_key_and_goes_back_to_what_it_did() {
    let Some(_) = tests::program("git") else { return };
    let service = Service::start();
    let home = service.dir().join("home");
    fs::create_dir_all(&home).unwrap();
    let parsec = |words: &[&str]| run(&mut at_home(&service, service.parsec(words)));
    let git = |words: &[&str]| run(at_home(&service, Command::new("git")).args(words));
    parsec(&["key", "new", "me", "--for", "ssh"]).ok();
    let told = parsec(&["setup", "git", "--key", "me", "--yes"]).refused();
    assert!(told.contains("git config --global user.email"), "{told}");
    git(&["config", "--global", "user.email", "me@example.org"]).ok();
    git(&["config", "--global", "gpg.format", "openpgp"]).ok();
    let before = tree(&home);
    parsec(&["setup", "git", "--key", "me"]).ok();
    assert_eq!(tree(&home), before);
    parsec(&["setup", "git", "--key", "me", "--yes"]).ok();
    let setting = |name: &str| git(&["config", "--global", name]).ok().trim().to_owned();
    assert_eq!(
        (setting("gpg.format").as_str(), setting("user.signingkey")),
        ("ssh", home.join(".ssh/me.pub").display().to_string())
    );
    let line = parsec(&["key", "public", "me", "--ssh"]).ok();
    let signers = fs::read_to_string(setting("gpg.ssh.allowedSignersFile")).unwrap();
    assert!(signers.contains(&format!("me@example.org namespaces=\"git\" {line}")), "{signers}");
    assert!(parsec(&["setup", "git", "--key", "me", "--yes"]).ok().starts_with("Nothing to change."));
    parsec(&["setup", "git", "--undo", "--yes"]).ok();
    assert_eq!(tree(&home), before);
}
