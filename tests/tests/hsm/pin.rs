//! The PIN: a wrong one is tried once, whatever happens, until it is exchanged.

use super::keys::{Keys, ec};
use super::worker::{signal, worker};
use super::{PKCS11, await_token, info, setup};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tests::{Service, SoftHsm, eventually, skip};

/// What writes down each call of a library.
const SPY: &str = "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so";

fn write(pin: &Path, text: &str) {
    fs::write(pin, text).unwrap();
    fs::set_permissions(pin, Permissions::from_mode(0o600)).unwrap();
}

fn logins(service: &Service) -> usize {
    fs::read_to_string(service.dir().join("calls")).unwrap_or_default().matches("C_Login\n").count()
}

#[test]
fn a_wrong_pin_is_tried_once_until_it_is_exchanged() {
    if !Path::new(SPY).exists() {
        return skip(&format!("{SPY} is not there"));
    }
    let setup = setup().map_config(|config| config.replace("\"9012\"", "\"file:{dir}/pin/pin\"").replace("{library}", SPY));
    let setup = setup.env("PKCS11SPY", SoftHsm::library());
    let mut service = setup.prepare();
    service.spy();
    let pin = service.dir().join("pin/pin");
    fs::create_dir(pin.parent().unwrap()).unwrap();
    write(&pin, "wrong\n");
    service.restart();
    let client = service.client();
    service.logs(&["the token refuses the PIN"]);
    assert_eq!(logins(&service), 1);
    // it is tried to begin anew all the time, and with each start of the service
    let told = || info(&client).away;
    eventually("a reason", || told().contains("is not tried again").then_some(()));
    service.restart();
    eventually("a reason", || told().contains("is not tried again").then_some(()));
    assert!(told().contains(".refused-pins"), "{}", told());
    assert_eq!(logins(&service), 1, "the service and its workers have tried it again");

    write(&pin, "wrong too\n");
    eventually("another try", || (logins(&service) == 2).then_some(()));
    eventually("a reason", || told().contains("is not tried again").then_some(()));
    write(&pin, SoftHsm::PIN);
    await_token(&client);
    assert_eq!(logins(&service), 3);
    let token = Keys(&client, PKCS11);
    token.make("k", &ec()).unwrap();
    // a new worker logs in with the PIN that is there then
    let before = worker(&service, None);
    signal(before, Signal::KILL);
    token.ecdsa("k").unwrap();
    assert_eq!(logins(&service), 4);
}
