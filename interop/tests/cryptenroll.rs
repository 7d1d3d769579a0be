//! systemd-cryptenroll: a LUKS2 volume that the token unlocks. It needs no unit manager, and the plugin that systemd gives to
//! cryptsetup tries the token without a device mapper.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use interop::{Desk, may_unshare, provider};
use tests::{Ran, run};

/// Makes the file a volume, which is cheap to unlock.
const FORMAT: &str = "cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 disk passphrase";

/// Unlocks the volume with the token alone, as at boot, but for the mapping.
fn unlock(desk: &Desk) -> Ran {
    let line = "cryptsetup open --test-passphrase --token-only --token-type systemd-pkcs11 disk";
    run(desk.installed(line).env("PIN", "any PIN will do"))
}

#[test]
fn a_volume_is_enrolled_and_unlocked() {
    let desk = Desk::new("systemd-cryptenroll").and_then(|desk| desk.and("cryptsetup"));
    let (Some(mut desk), true) = (desk, may_unshare()) else { return };
    desk.pkcs11_tool("--keypairgen --key-type rsa:2048 --usage-sign --usage-decrypt --label disk --id 01").ok();
    desk.parsec("key csr disk --self-signed --cn disk --out disk.crt");
    desk.parsec("cert put disk disk.crt");
    desk.install();
    desk.write("passphrase", "before");
    std::fs::File::create(desk.path("disk")).unwrap().set_len(32 << 20).unwrap();
    desk.ok(FORMAT);
    unlock(&desk).refused();

    let enroll = format!("systemd-cryptenroll --pkcs11-token-uri=pkcs11:token={} disk", provider());
    run(desk.installed(&enroll).env("PASSWORD", "before").env("PIN", "any PIN will do")).ok();
    unlock(&desk).ok();
    desk.parsec("key rm disk");
    unlock(&desk).refused();
    desk.row.except("a token found by itself, which it takes for hardware only");
}
