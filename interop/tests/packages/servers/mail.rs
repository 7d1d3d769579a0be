//! Servers of mail, messages and files.

use super::{Site, tls};

/// It clears its environment, and smtpd is in a chroot.
#[test]
fn postfix_serves_as_setup_says() {
    let Some(mut site) = Site::new("postfix", "postfix") else { return };
    site.set_up();
    let client = tls("127.0.0.1:25 -starttls smtp");
    site.serves(&client);
    // the folder of the socket stays, and with it what the chroot has of it
    site.machine.ok("systemctl stop parsec.socket parsec; systemctl start parsec.socket");
    site.serves(&client);
    site.takes_a_new_key(&client);
}

/// It clears its environment, and those who log in are in a chroot.
#[test]
fn dovecot_serves_as_setup_says() {
    let Some(mut site) = Site::new("dovecot", "dovecot-imapd") else { return };
    site.set_up();
    site.serves(&tls("127.0.0.1:993"));
    site.takes_a_new_key(&tls("127.0.0.1:993"));
}

#[test]
fn mosquitto_serves_as_setup_says() {
    let Some(mut site) = Site::new("mosquitto", "mosquitto") else { return };
    site.machine.ok("echo 'allow_anonymous true' > /etc/mosquitto/conf.d/open.conf");
    site.set_up();
    let publish = "mosquitto_pub --host localhost --port 8883 --cafile /etc/parsec/web.crt --topic a --message b";
    let client = format!("{} && {publish}", tls("127.0.0.1:8883"));
    site.serves(&client);
    site.takes_a_new_key(&client);
}

/// The process that shakes hands is in a chroot.
#[test]
fn vsftpd_serves_as_setup_says() {
    let Some(mut site) = Site::new("vsftpd", "vsftpd") else { return };
    site.set_up();
    let client = tls("127.0.0.1:21 -starttls ftp");
    site.serves(&client);
    site.takes_a_new_key(&client);
}
