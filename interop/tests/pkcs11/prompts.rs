//! The table of `service/docs/pins.md`: programs that look at the flags of a token, or at the state of a session, and find that they need
//! no PIN.

use interop::{Desk, Row, engine_conf, library, loopback};
use tests::run;

use crate::providers::{LATCHSET, LIBP11};
use crate::{alone, desk, id, unasked};

/// Has a program use the key `p256`, and finds in what it called that it did, and did not log in.
fn uses(row: Option<Row>, with: fn(&Desk)) {
    let Some(desk) = desk(row, &["p256"]) else { return };
    with(&desk);
    let calls = desk.text("calls");
    assert!(calls.contains(" C_SignInit("), "{calls}");
    assert!(!calls.contains(" C_Login("), "{calls}");
}

/// A test of this name for each program, in a module of its own.
macro_rules! programs {
    ($($program:ident: $row:expr, |$desk:ident| $with:block)*) => {$(
        mod $program {
            use super::*;

            #[test]
            fn no_pin_is_asked_for_where_none_is_set() {
                uses($row, |$desk| $with);
            }
        }
    )*};
}

const URI: &str = "pkcs11:token=software;object=p256;type=private";

programs! {
    openssh: Row::program("ssh-keygen"), |desk| {
        desk.ok("ssh-keygen -q -t ed25519 -f user -N  -C user");
        desk.write("authority.pub", unasked(&mut alone(desk, &format!("ssh-keygen -D {}", desk.module().display()))));
        unasked(&mut alone(desk, &format!("ssh-keygen -s authority.pub -D {} -I user user.pub", desk.module().display())));
    }
    java: Row::program("keytool"), |desk| {
        desk.write("pkcs11.cfg", format!("name = parsec\nlibrary = {}\n", desk.module().display()));
        let store = "-keystore NONE -storetype PKCS11 -protected -providerClass sun.security.pkcs11.SunPKCS11 -providerArg pkcs11.cfg";
        unasked(&mut alone(desk, &format!("keytool -genkeypair -alias java -keyalg EC -groupname secp256r1 -dname CN=java {store}")));
    }
    nss: Row::program("certutil"), |desk| {
        desk.ok("certutil -N -d sql:. --empty-password");
        run(desk.command("modutil -force -dbdir sql:. -add parsec -libfile").arg(desk.module())).ok();
        desk.write("noise", [7; 64]);
        unasked(&mut alone(desk, "certutil -S -d sql:. -h software -n nss -s CN=nss -x -t ,, -k ec -q nistp256 -z noise"));
    }
    gnutls: Row::program("p11tool"), |desk| {
        let test = format!("p11tool --login --test-sign {URI} --provider");
        unasked(alone(desk, &test).arg(desk.module()));
    }
    knot: Row::program("keymgr"), |desk| {
        desk.write("knot.conf", crate::knot::configuration(desk, loopback()));
        desk.write("example.org.zone", crate::knot::ZONE);
        unasked(&mut alone(desk, "keymgr -c knot.conf example.org generate ksk=yes zsk=yes"));
        unasked(&mut alone(desk, "kzonesign -c knot.conf -o . example.org"));
    }
    strongswan: Row::program("pki"), |desk| {
        crate::strongswan::configure(desk);
        unasked(&mut crate::strongswan::pki(desk, &format!("--self --type priv --keyid {} --dn CN=swan", id(desk, "p256"))));
    }
    libp11: Row::library("libp11", library("engines-3/pkcs11.so")), |desk| {
        let sign = format!("openssl dgst -sha256 -engine pkcs11 -keyform engine -sign {URI} -out signature message");
        unasked(alone(desk, &sign).env("OPENSSL_CONF", engine_conf(&desk.service)));
    }
    newer_libp11: Some(LIBP11.row()), |desk| {
        LIBP11.configure(desk);
        unasked(&mut LIBP11.openssl(desk, &format!("dgst -sha256 -sign {URI} -out signature message")));
    }
    pkcs11_provider: Some(LATCHSET.row()), |desk| {
        LATCHSET.configure(desk);
        unasked(&mut LATCHSET.openssl(desk, &format!("dgst -sha256 -sign {URI} -out signature message")));
    }
    pkcs11_tool: Row::program("pkcs11-tool"), |desk| {
        desk.parsec("key new rsa --algorithm rsa-2048");
        let said = unasked(alone(desk, "pkcs11-tool --test --module").arg(desk.module()));
        assert!(said.contains("No errors"), "{said}");
    }
}
