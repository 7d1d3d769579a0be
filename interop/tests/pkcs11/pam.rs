//! pam_p11 in a PAM stack of its own.

use std::process::Command;

use interop::{Desk, Row, library, may_unshare};
use tests::{program, run};

use crate::{alone, desk, unasked};

#[test]
fn users_prove_themselves_with_a_key_of_the_token() {
    if program("pamtester").is_none() || !may_unshare() {
        return;
    }
    // One key a token: past the first this build of pam_p11 reads memory that is not its own, with SoftHSM as well.
    for kind in ["rsa-2048", "p256"] {
        let Some(desk) = desk(Row::library("pam_p11", library("security/pam_p11.so")), &[kind]) else { return };
        lay_out(&desk);
        assert!(run(&mut authenticate(&desk)).refused().contains("No authorized keys on token"));
        desk.write("home/.eid/authorized_certificates", desk.read(format!("{kind}.crt")));
        assert!(unasked(&mut authenticate(&desk)).contains("successfully authenticated"));
    }
}

/// A PAM service `token`, and a home for root.
fn lay_out(desk: &Desk) {
    for folder in ["pam.d", "home", "home/.eid"] {
        std::fs::create_dir(desk.path(folder)).unwrap();
    }
    desk.write("pam.d/token", format!("auth required pam_p11.so {}\n", desk.module().display()));
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    desk.write("passwd", passwd.replace(":/root:", &format!(":{}:", desk.path("home").display())));
}

fn authenticate(desk: &Desk) -> Command {
    let mut command = alone(desk, "unshare --mount sh -c");
    command.arg("mount --bind pam.d /etc/pam.d && mount --bind passwd /etc/passwd && exec pamtester token root authenticate");
    command
}
