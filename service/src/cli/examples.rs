//! What people type most. It stands in `--help` and in the pages of the manual.

use clap::Command;

/// The commands with lines to copy.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("", &["parsec key new web --for tls-server", "parsec key list", "parsec doctor"]),
    ("serve", &["parsec serve", "parsec serve --config ./config.toml"]),
    ("doctor", &["parsec doctor", "parsec doctor --root ./image"]),
    ("setup", &["parsec setup nginx --key web", "parsec setup git --key ssh", "parsec setup ssh", "parsec setup nginx --undo"]),
    ("quote", &["parsec quote --provider tpm --nonce 0badcafe --out quote.pem"]),
    ("openssl-env", &["parsec openssl-env", "parsec openssl-env --install --unit nginx.service"]),
    ("completions", &["parsec completions bash"]),
    (
        "key new",
        &[
            "parsec key new web --for tls-server --out web.pem",
            "parsec key new web --for tls-server --grant user:www-data=sign",
            "parsec key new ssh --for ssh",
            "parsec key new vault --for encryption --provider tpm",
            "parsec key new mac --algorithm hmac-sha256",
        ],
    ),
    ("key list", &["parsec key list", "parsec key list --for ssh", "parsec key list --algorithm rsa --provider tpm"]),
    ("key show", &["parsec key show web", "parsec key show web --owner user:root"]),
    ("key label", &["parsec key label web Site"]),
    ("key rename", &["parsec key rename web web-2026"]),
    ("key rotate", &["parsec key rotate web", "parsec key rotate web --finish"]),
    ("key expire", &["parsec key expire web 90d", "parsec key expire web 2027-01-31 --enforce", "parsec key expire web never"]),
    ("key chown", &["parsec key chown web --to user:www-data", "parsec key chown web --owner uid:1000 --to user:root"]),
    ("key same-user", &["parsec key same-user uid:1000", "parsec key same-user uid:1000 --another"]),
    ("key rm", &["parsec key rm web", "parsec key rm web --yes"]),
    (
        "key csr",
        &[
            "parsec key csr web --cn www.example.com --out web.csr",
            "parsec key csr web --cn www.example.com --self-signed --out web.crt",
        ],
    ),
    ("key pem", &["parsec key pem web --out web.pem", "parsec key pem web --pkcs8"]),
    ("key uri", &["parsec key uri web", "parsec key uri --pkcs11 web"]),
    ("key public", &["parsec key public web", "parsec key public ssh --ssh"]),
    (
        "key import",
        &[
            "parsec key import web web.key --out web.pem",
            "parsec key import ssh ./id_ed25519 --for ssh",
            "parsec key import web -",
        ],
    ),
    ("key export", &["parsec key export web --out web.key"]),
    ("key attest", &["parsec key attest web --nonce 0badcafe --out web.attest"]),
    ("key verify-attestation", &["parsec key verify-attestation web.attest --nonce 0badcafe"]),
    ("key challenge", &["parsec key challenge web.attest --out challenge"]),
    ("key answer", &["parsec key answer challenge --provider tpm"]),
    ("key grant", &["parsec key grant web user:www-data=sign", "parsec key grant web uid:1000=sign,verify app:mail=use"]),
    ("key revoke", &["parsec key revoke web user:www-data"]),
    ("key grants", &["parsec key grants web"]),
    ("key accept", &["parsec key accept user:root", "parsec key accept uid:1000 --for user:www-data"]),
    ("key reject", &["parsec key reject uid:1000"]),
    ("cert put", &["parsec cert put web web.crt"]),
    ("cert get", &["parsec cert get web --out web.crt"]),
    ("cert rm", &["parsec cert rm web"]),
    ("token status", &["parsec token status --provider software"]),
    ("token reset-pin", &["parsec token reset-pin user"]),
];

/// The grammar with the examples below the help of their commands.
pub(super) fn shown(grammar: Command) -> Command {
    EXAMPLES.iter().fold(grammar, |grammar, (words, lines)| {
        let words: Vec<_> = words.split_whitespace().collect();
        with(grammar, &words, lines)
    })
}

fn with(command: Command, words: &[&str], lines: &[&str]) -> Command {
    let Some((first, rest)) = words.split_first() else {
        let more = command.get_after_help().map(|more| format!("\n\n{more}")).unwrap_or_default();
        return command.after_help(format!("Examples:\n  {}{more}", lines.join("\n  ")));
    };
    command.mut_subcommand(first, |command| with(command, rest, lines))
}

/// Each example with the words of its command.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    EXAMPLES.iter().flat_map(|(words, lines)| lines.iter().map(move |line| (*words, *line)))
}
