//! latchset's provider with a PIN: it copies the key into a session, and goes on when the service is restarted.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interop::{Latchset, Row, newer_nginx};
use tests::{Setup, TPM, program, run};

#[test]
fn who_has_given_a_pin_is_served_over_restarts_of_the_service() {
    if program("curl").is_none() {
        return;
    }
    let mut row = Row::peer("pkcs11-provider in nginx", &newer_nginx());
    let (config, slot) = match row.provider() {
        "software" => (tests::CONFIG.to_owned(), 1),
        "tpm" => (format!("{}{TPM}", tests::CONFIG), 3),
        _ => return row.cancel(),
    };
    let mut service = Setup::default().config(config).start();
    let token = |arguments: &str| run(&mut service.pkcs11_tool(arguments.split(' '))).ok();
    token(&format!("--slot {slot} --init-token --label mine --so-pin officer"));
    token(&format!("--slot {slot} --login --login-type so --so-pin officer --init-pin --pin 1234"));
    let provider = format!("--provider {}", row.provider());
    let own = |line: String| run(&mut service.parsec(line.split(' '))).ok();
    own(format!("key new web --algorithm p256 {provider}"));
    let nginx = Latchset::new(&service);
    let certificate = own(format!("key csr web --self-signed --cn localhost --ip {} {provider}", nginx.address().ip()));
    std::fs::write(service.dir().join("web.crt"), certificate).unwrap();
    let nginx = nginx.start(&service, "pkcs11:token=mine;object=web;type=private?pin-value=1234", "root");
    for _ in 0..3 {
        assert_eq!(nginx.get().ok().trim(), "served");
        assert_eq!(nginx.get().ok().trim(), "served");
        service.kill9();
        service.restart();
    }
    assert_eq!(nginx.get().ok().trim(), "served");
}
