//! What the documents say is so: their commands run, their links lead somewhere, and they stay short.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use tests::{Page, Setup, built, program, run};

/// Where the packages put what the tests have elsewhere.
const MODULE: &str = "/usr/lib/x86_64-linux-gnu/pkcs11/libparsec_pkcs11.so";
const OPENSSL_CONF: &str = "/etc/parsec/openssl.cnf";

/// The shell blocks of a page as one script, whose lines have the numbers of the page's.
fn script(page: &Page) -> Option<String> {
    let mut lines = vec![""; page.text.lines().count() + 1];
    let blocks = page.blocks();
    for block in blocks.iter().filter(|block| block.language == "sh" && !block.excused) {
        lines.splice(block.line - 1..block.line - 1 + block.lines.len(), block.lines.iter().copied());
    }
    let fail = format!("set -o pipefail; trap 'echo {}:$LINENO: \"$BASH_COMMAND\" >&2' ERR; ", page.path);
    let end = r#"trap 'test -z "${SSH_AGENT_PID:-}" || ssh-agent -k' EXIT"#;
    lines.iter().any(|line| !line.is_empty()).then(|| fail + end + &lines.join("\n"))
}

#[test]
fn the_commands_of_each_page_run_in_their_order() {
    if ["git", "openssl", "pkcs11-tool", "ssh-agent", "ssh-keygen"].iter().any(|name| program(name).is_none()) {
        return;
    }
    let scripts: Vec<_> = Page::all().iter().filter_map(script).collect();
    assert!(scripts.len() > 5, "{scripts:?}");
    for script in scripts {
        // without these lines root and the service's own user are administrators
        let lines = ["auth_type = \"UnixPeerCredentials\"\n", "admins = [{ name = \"0\" }]\n"];
        let without = |config: &str| lines.iter().fold(config.to_owned(), |config, line| config.replace(line, ""));
        let service = Setup::default().map_config(without).start();
        let (module, config) = (service.staged("libparsec_pkcs11.so"), service.openssl_conf());
        let script = script.replace(MODULE, module.to_str().unwrap()).replace(OPENSSL_CONF, config.to_str().unwrap());
        std::fs::write(service.dir().join("script"), script).unwrap();
        let programs = service.staged("parsec").parent().unwrap().display().to_string();
        let mut shell = service.command("bash");
        // whoever is asked for a PIN presses Enter
        shell.env("SSH_ASKPASS", "/bin/true").env("SSH_ASKPASS_REQUIRE", "force");
        run(shell.args(["-e", "-u", "script"]).env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))).ok();
    }
}

/// The command and, where it has some, the subcommand in a line of the shell, or in several.
fn commands(line: &str) -> impl Iterator<Item = Vec<&str>> {
    line.split(['|', ';', '&', '(', ')', '`']).filter_map(|command| {
        let mut words = command.split_whitespace().skip_while(|word| word.contains('='));
        let plain = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
        (words.next()?.rsplit('/').next()? == "parsec").then(|| words.take_while(plain).take(2).collect())
    })
}

#[test]
fn each_command_that_is_named_exists() {
    let mut named = BTreeSet::new();
    let pages = Page::all();
    for page in &pages {
        let blocks = page.blocks();
        let shell = blocks.iter().filter(|block| ["sh", "console"].contains(&block.language)).flat_map(|block| &block.lines);
        let spans = page.text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
        named.extend(shell.copied().chain(spans).flat_map(commands));
    }
    assert!(named.contains(&vec!["key", "grant"]), "{named:?}");
    let help = |words: &[&str]| run(std::process::Command::new(built("parsec")).args(words).arg("--help"));
    for words in named.iter().filter(|words| !words.is_empty()) {
        let group = help(&words[..1]).ok().contains("\nCommands:\n");
        if group && words.len() > 1 {
            help(words).ok();
        }
    }
}

#[test]
fn each_link_leads_somewhere() {
    for page in Page::all() {
        for link in page.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let there = if file.is_empty() { page.leads_to(page.path.rsplit('/').next().unwrap()) } else { page.leads_to(file) };
            assert!(there.exists(), "{}: {link} leads nowhere", page.path);
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(there).unwrap();
                let anchors = Page { path: file.to_owned(), text }.anchors();
                assert!(anchors.iter().any(|known| known == anchor), "{}: {link} is none of {anchors:?}", page.path);
            }
        }
    }
}

#[test]
fn the_readme_and_the_cells_of_tables_are_short() {
    assert!(Page::read("README.md").text.lines().count() <= 150);
    for page in Page::all() {
        for line in page.text.lines().filter(|line| line.starts_with('|')) {
            for cell in line.split('|').map(str::trim) {
                assert!(cell.chars().count() <= 250, "{}: {cell}", page.path);
            }
        }
    }
}

#[test]
fn the_chart_of_the_benchmarks_shows_the_tables_of_its_page() {
    let page = Page::root().join("service/docs/performance.md");
    let drawn = run(std::process::Command::new(Page::root().join("tests/benches/plot")).arg(&page)).ok();
    assert!(drawn == std::fs::read_to_string(page.with_extension("svg")).unwrap(), "draw it anew, as tests/benches/plot says");
}
