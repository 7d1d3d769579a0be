//! Servers that use keys of the service, and what each needs for it.

use super::openssl::CONFIG;

/// How a server comes to load our provider, or our module.
pub(super) enum Loads {
    /// OpenSSL reads `OPENSSL_CONF`, which its unit has.
    Unit,
    /// It does not hand its environment on to the processes that use keys, and has a setting of its own: a line, and the file for it.
    Own(&'static str, &'static str),
    /// It changes its user in a way after which OpenSSL trusts no environment: the system's configuration must name the provider.
    System,
    /// It uses the PKCS#11 module, and its configuration names that.
    Module,
}

/// A server.
pub(super) struct Server {
    pub(super) name: &'static str,
    /// Its configuration: a folder, or a file.
    pub(super) config: &'static str,
    pub(super) unit: &'static str,
    /// The user as whom it signs.
    pub(super) user: &'static str,
    pub(super) loads: Loads,
    /// Where it goes with chroot, so that the socket must be there as well.
    pub(super) jail: Option<&'static str>,
    /// Whether its unit runs nothing that is elsewhere than the system's own libraries (`NoExecPaths=`).
    pub(super) locked: bool,
    /// Its AppArmor profile, where there is one.
    pub(super) profile: Option<&'static str>,
    /// The file for its lines.
    pub(super) place: &'static str,
    /// What the administrator writes there; `{name}`, `{file}`, `{cert}` and `{module}` are filled in.
    pub(super) lines: &'static [&'static str],
    /// Commands that come before a restart.
    pub(super) first: &'static [&'static str],
}

const SERVER: Server = Server {
    name: "",
    config: "",
    unit: "",
    user: "",
    loads: Loads::Unit,
    jail: None,
    locked: false,
    profile: None,
    place: "",
    lines: &[],
    first: &[],
};

pub(super) const SERVERS: &[Server] = &[
    Server {
        name: "nginx",
        config: "/etc/nginx",
        unit: "nginx.service",
        user: "www-data",
        place: "/etc/nginx/sites-enabled/default",
        lines: &["ssl_certificate {cert};", "ssl_certificate_key {file};"],
        ..SERVER
    },
    Server {
        name: "apache",
        config: "/etc/apache2",
        unit: "apache2.service",
        user: "www-data",
        place: "/etc/apache2/sites-available/default-ssl.conf",
        lines: &["SSLEngine on", "SSLCertificateFile {cert}", "SSLCertificateKeyFile {file}"],
        first: &["a2enmod ssl", "a2ensite default-ssl"],
        ..SERVER
    },
    Server {
        name: "haproxy",
        config: "/etc/haproxy",
        unit: "haproxy.service",
        user: "haproxy",
        jail: Some("/var/lib/haproxy"),
        place: "/etc/haproxy/haproxy.cfg",
        lines: &["bind :443 ssl crt /etc/haproxy/{name}.site"],
        first: &["cat {cert} {file} > /etc/haproxy/{name}.site"],
        ..SERVER
    },
    Server {
        name: "lighttpd",
        config: "/etc/lighttpd",
        unit: "lighttpd.service",
        user: "www-data",
        place: "/etc/lighttpd/conf-available/10-ssl.conf",
        lines: &["ssl.pemfile = \"{cert}\"", "ssl.privkey = \"{file}\""],
        first: &["lighty-enable-mod ssl"],
        ..SERVER
    },
    Server {
        name: "postfix",
        config: "/etc/postfix",
        unit: "postfix@-.service",
        user: "postfix",
        loads: Loads::Own("tls_config_file = /etc/parsec/openssl.cnf", "/etc/postfix/main.cf"),
        jail: Some("/var/spool/postfix"),
        place: "/etc/postfix/main.cf",
        lines: &["smtpd_tls_cert_file = {cert}", "smtpd_tls_key_file = {file}"],
        ..SERVER
    },
    Server {
        name: "dovecot",
        config: "/etc/dovecot",
        unit: "dovecot.service",
        user: "dovenull",
        loads: Loads::Own(
            "import_environment = $import_environment OPENSSL_CONF=/etc/parsec/openssl.cnf",
            "/etc/dovecot/local.conf",
        ),
        jail: Some("/run/dovecot/login"),
        place: "/etc/dovecot/local.conf",
        lines: &["ssl_cert = <{cert}", "ssl_key = <{file}"],
        ..SERVER
    },
    Server {
        name: "mosquitto",
        config: "/etc/mosquitto",
        unit: "mosquitto.service",
        user: "mosquitto",
        place: "/etc/mosquitto/conf.d/tls.conf",
        lines: &["listener 8883", "certfile {cert}", "keyfile {file}"],
        ..SERVER
    },
    Server {
        name: "redis",
        config: "/etc/redis",
        unit: "redis-server.service",
        user: "redis",
        locked: true,
        place: "/etc/redis/redis.conf",
        lines: &["tls-port 6380", "tls-cert-file {cert}", "tls-key-file {file}", "tls-auth-clients no"],
        ..SERVER
    },
    Server {
        name: "mariadb",
        config: "/etc/mysql",
        unit: "mariadb.service",
        user: "mysql",
        place: "/etc/mysql/mariadb.conf.d/50-server.cnf",
        lines: &["ssl_cert = {cert}", "ssl_key = {file}"],
        ..SERVER
    },
    Server {
        name: "postgresql",
        config: "/etc/postgresql",
        unit: "postgresql@.service",
        user: "postgres",
        loads: Loads::Own("OPENSSL_CONF = '/etc/parsec/openssl.cnf'", "/etc/postgresql/15/main/environment"),
        place: "/etc/postgresql/15/main/conf.d/tls.conf",
        lines: &["ssl = on", "ssl_cert_file = '{cert}'", "ssl_key_file = '/etc/postgresql/{name}.pem'"],
        first: &["install -o postgres -m 600 {file} /etc/postgresql/{name}.pem"],
        ..SERVER
    },
    Server {
        name: "unbound",
        config: "/etc/unbound",
        unit: "unbound.service",
        user: "unbound",
        profile: Some("usr.sbin.unbound"),
        place: "/etc/unbound/unbound.conf.d/tls.conf",
        lines: &["server:", "  tls-service-pem: \"{cert}\"", "  tls-service-key: \"{file}\""],
        ..SERVER
    },
    Server {
        name: "named",
        config: "/etc/bind",
        unit: "named.service",
        user: "bind",
        profile: Some("usr.sbin.named"),
        place: "/etc/bind/named.conf.local",
        lines: &["tls web { cert-file \"{cert}\"; key-file \"{file}\"; };"],
        ..SERVER
    },
    Server {
        name: "freeradius",
        config: "/etc/freeradius",
        unit: "freeradius.service",
        user: "freerad",
        place: "/etc/freeradius/3.0/mods-enabled/eap",
        lines: &["certificate_file = {cert}", "private_key_file = {file}"],
        ..SERVER
    },
    Server {
        name: "vsftpd",
        config: "/etc/vsftpd.conf",
        unit: "vsftpd.service",
        user: "nobody",
        jail: Some("/run/vsftpd/empty"),
        place: "/etc/vsftpd.conf",
        lines: &["ssl_enable=YES", "rsa_cert_file={cert}", "rsa_private_key_file={file}", "ssl_ciphers=HIGH"],
        ..SERVER
    },
    Server {
        name: "squid",
        config: "/etc/squid",
        unit: "squid.service",
        user: "proxy",
        loads: Loads::System,
        profile: Some("usr.sbin.squid"),
        place: "/etc/squid/conf.d/tls.conf",
        lines: &["https_port 3129 tls-cert={cert} tls-key={file}"],
        ..SERVER
    },
    Server {
        name: "knot",
        config: "/etc/knot",
        unit: "knot.service",
        user: "knot",
        loads: Loads::Module,
        place: "/etc/knot/knot.conf",
        lines: &[
            "keystore:",
            "  - id: parsec",
            "    backend: pkcs11",
            "    config: \"pkcs11:token=software;pin-value=1234 {module}\"",
        ],
        ..SERVER
    },
];

/// Programs that cannot be set up, and why.
pub(super) const CANNOT: &[(&str, &str)] = &[
    (
        "sshd",
        "sshd takes host keys from files or from an ssh-agent (HostKeyAgent), and no agent is set up here. \
         To let in whom a key of yours certifies: parsec key public NAME --ssh > /etc/ssh/ca.pub, and TrustedUserCAKeys /etc/ssh/ca.pub",
    ),
    ("opendkim", "it reads the private numbers of an RSA key, and these do not leave the service"),
    ("xmlsec1", "it reads the private numbers of an RSA key, and these do not leave the service"),
    (
        "wget",
        "Debian builds it with GnuTLS, and it takes no PKCS#11 URI; curl takes a reference file: curl --cert FILE --key FILE",
    ),
];

/// What makes the system's own OpenSSL configuration load the provider.
pub(super) fn system_lines(module: &str) -> Vec<String> {
    let lines = [
        "# at the end, where no line above begins with 'providers ='; otherwise add 'parsec = parsec_provider' to the section that it names",
        "[openssl_init]",
        "providers = parsec_providers",
        "[parsec_providers]",
        "default = parsec_default",
        "parsec = parsec_provider",
        "[parsec_default]",
        "activate = 1",
        "[parsec_provider]",
        &format!("module = {module}"),
        "activate = 1",
    ];
    lines.map(str::to_owned).to_vec()
}

impl Server {
    /// What a configuration that loads the provider has in it, where it is not the unit that does.
    pub(super) fn sign(&self) -> Option<&'static str> {
        match self.loads {
            Loads::Unit => Some("OPENSSL_CONF="),
            Loads::Own(..) => Some(CONFIG),
            Loads::System => Some("parsec_provider"),
            Loads::Module => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_a_row_for_each() {
        let page = include_str!("../../docs/servers.md");
        let row = |name: &str| page.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap_or_default();
        for server in SERVERS {
            let row = row(server.name);
            let unit = server.unit.trim_end_matches(".service");
            let own = if let Loads::Own(line, _) = server.loads { Some(line) } else { None };
            let parts = [server.user, unit].into_iter().chain(server.jail).chain(server.profile).chain(own);
            for part in parts.chain(server.lines.iter().copied()) {
                let part = part.replace("{cert}", "CERT").replace("{file}", "FILE");
                let part = part.replace("{name}", "NAME").replace("{module}", "MODULE");
                assert!(row.contains(part.trim()), "{}: {part}: {row}", server.name);
            }
        }
        for (name, _) in CANNOT {
            assert!(!row(name).is_empty(), "{name}");
        }
        let page = include_str!("../../docs/configuration.md");
        let lines: String = system_lines("MODULE")[1..].iter().map(|line| format!("    {line}\n")).collect();
        assert!(page.contains(&lines), "{lines}");
    }
}
