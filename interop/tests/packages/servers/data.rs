//! Databases.

use super::{Site, tls};

/// Its unit has users of its own (`PrivateUsers=`), and runs nothing from elsewhere (`NoExecPaths=`).
#[test]
fn redis_serves_as_setup_says() {
    let Some(mut site) = Site::new("redis", "redis-server") else { return };
    site.set_up();
    let ping = "test \"$(redis-cli -p 6380 --tls --cacert /etc/parsec/web.crt ping)\" = PONG";
    let client = format!("{} && {ping}", tls("127.0.0.1:6380"));
    site.serves(&client);
    site.takes_a_new_key(&client);
}

#[test]
fn mariadb_serves_as_setup_says() {
    let Some(mut site) = Site::new("mariadb", "mariadb-server") else { return };
    site.set_up();
    site.machine.ok("mariadb --execute \"CREATE USER me@localhost IDENTIFIED BY 'secret' REQUIRE SSL\"");
    let select = "mariadb --host localhost --protocol tcp --user me --password=secret --ssl-ca /etc/parsec/web.crt --ssl-verify-server-cert \
                  --execute 'SELECT 1'";
    let client = format!("{} && {select}", tls("127.0.0.1:3306 -starttls mysql"));
    site.serves(&client);
    site.takes_a_new_key(&client);
}
