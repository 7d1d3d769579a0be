//! A TPM that is away, or does not do what it should.

use std::os::unix::fs::PermissionsExt;

use tests::{CONFIG, Fault, Proxy, STRANGER, Service, Setup, Swtpm, TPM as WITH_TPM, TPM_SEALED, may_change_user, program, run};

use crate::{Row, Table, done, refused};

/// TPM_CC_RSA_Decrypt, which is also how RSA signs here.
const SIGN: u32 = 0x159;

/// A service with this way to a TPM.
fn at(tcti: &str) -> Service {
    Setup::default().config(format!("{CONFIG}{}", WITH_TPM.replace("{tcti}", tcti))).start()
}

fn providers(service: &Service) -> String {
    run(&mut service.parsec(["providers"])).ok()
}

/// A service that is another user's from its start on.
fn as_stranger(setup: Setup, starter: &[&str]) -> Option<Service> {
    let user = may_change_user().then(|| STRANGER.to_string())?;
    let change = ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"];
    let service = setup.by(starter.iter().chain(&change).map(ToString::to_string)).prepare();
    run(std::process::Command::new("chown").arg(&user).args([service.dir(), &service.dir().join("config.toml")])).ok();
    Some(service)
}

/// A service with a TPM that others reach too, and the line to it.
fn shared() -> (tempfile::TempDir, Swtpm, Proxy, Service) {
    let folder = tempfile::tempdir().unwrap();
    let tpm = Swtpm::start(folder.path().join("tpm"));
    let proxy = Proxy::start(tpm.port());
    let service = at(&proxy.tcti());
    (folder, tpm, proxy, service)
}

pub(super) const TPM: Table = Table {
    section: "TPM",
    start: || {
        program("swtpm")?;
        let service = Setup::default().config(format!("{CONFIG}{WITH_TPM}")).start();
        done(&service, "key new web --for tls-server --provider tpm");
        Some(service)
    },
    rows: &[
        Row("the TPM at … does not answer: there is no …", "parsec setup tpm", |_| {
            Some(providers(&at("device:/nowhere/tpmrm0")))
        }),
        Row("the TPM at … does not answer: the service may not open …", "parsec setup tpm", |_| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
            let device = folder.path().join("tpmrm0");
            std::fs::write(&device, "").unwrap();
            let tcti = format!("device:{}", device.display());
            let setup = Setup::default().config(format!("{CONFIG}{}", WITH_TPM.replace("{tcti}", &tcti)));
            let mut service = as_stranger(setup, &[])?;
            service.restart();
            Some(providers(&service))
        }),
        Row("the TPM at … does not answer: nobody listens at port …", "swtpm.conf", |service| {
            service.tpm().kill9();
            let said = refused(service, "key new other --for ssh --provider tpm");
            service.tpm().restart();
            Some(said)
        }),
        Row("the … provider is away and comes back by itself", "parsec providers", |service| {
            service.tpm().kill9();
            service.restart();
            let said = refused(service, "key new other --for ssh --provider tpm");
            service.tpm().restart();
            service.logs(&["the tpm provider is back"]);
            Some(said)
        }),
        Row("key '…' was made in another TPM", "works again when that one is back", |service| {
            service.tpm().exchange("other");
            service.restart();
            let said = refused(service, "key csr web");
            service.tpm().exchange("tpm");
            Some(said)
        }),
        Row("the TPM at … refuses the password", "owner_hierarchy_auth", |_| {
            let mut service = Setup::default().config(format!("{CONFIG}{WITH_TPM}")).prepare();
            service.tpm().own(b"", b"of the owner");
            service.fail_to_start();
            Some(service.log())
        }),
        Row("it proves nothing: …", "parsec key attest NAME --nonce 02", |service| {
            done(service, "key attest web --nonce 01 --out web.attest");
            Some(refused(service, "key verify-attestation web.attest --nonce 02"))
        }),
        Row("the statement is about another key than the one in …", "parsec key public", |service| {
            done(service, "key new other --for ssh");
            done(service, "key public other --out other.pub");
            Some(refused(service, "key verify-attestation web.attest --nonce 01 --key other.pub"))
        }),
        Row("… has no block '…'", "parsec key attest", |service| {
            Some(refused(service, "key verify-attestation config.toml --nonce 01"))
        }),
        Row("… has no public key in PEM", "parsec key public NAME", |service| {
            Some(refused(service, "key verify-attestation web.attest --nonce 01 --key config.toml"))
        }),
        Row("sealed keys must stay out of swap and core files", "set LimitMEMLOCK=infinity", |_| {
            let setup = Setup::default().config(format!("{CONFIG}{TPM_SEALED}"));
            let mut service = as_stranger(setup, &["prlimit", "--memlock=65536:65536"])?;
            service.fail_to_start();
            Some(service.log())
        }),
        Row("other programs fill the TPM", "device:/dev/tpmrm0", |_| {
            let (_folder, mut tpm, _line, service) = shared();
            tpm.restart();
            // TPM2_HashSequenceStart, whose object no other program can unload
            let full = [(); 4].map(|()| tpm.command(0x186, &[0, 0, 0, 0x0b]).0);
            assert_eq!(full, [0, 0, 0, 0x902], "the chip is full");
            Some(refused(&service, "key new other --for ssh --provider tpm"))
        }),
        Row("the TPM at … gives wrong answers", "damaged or tampered with", |_| {
            let (_folder, _tpm, line, service) = shared();
            done(&service, "key new rsa --algorithm rsa-2048 --provider tpm");
            line.fail(0, usize::MAX, Fault::FlipIn(SIGN));
            Some(refused(&service, "key csr rsa"))
        }),
    ],
};
