//! A TPM that is away, or does not do what it should.

use std::os::unix::fs::PermissionsExt;

use tests::{CONFIG, Fault, Proxy, STRANGER, Service, Setup, Swtpm, TPM as WITH_TPM, may_change_user, program, run};

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
        Row("the TPM at … does not answer: there is no …", "tpm.conf", |_| Some(providers(&at("device:/nowhere/tpmrm0")))),
        Row("the TPM at … does not answer: the service may not open …", "tpm.conf", |_| {
            let user = may_change_user().then(|| STRANGER.to_string())?;
            let folder = tempfile::tempdir().unwrap();
            std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
            let device = folder.path().join("tpmrm0");
            std::fs::write(&device, "").unwrap();
            let setup = Setup::default()
                .config(format!("{CONFIG}{}", WITH_TPM.replace("{tcti}", &format!("device:{}", device.display()))));
            let mut service = setup.by(["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups"]).prepare();
            run(std::process::Command::new("chown").arg(&user).args([service.dir(), &service.dir().join("config.toml")])).ok();
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
