//! References in every layout that files of keys have, in both forms, alone and among other blocks.

use std::process::Command;

use interface::reference::{PKCS8_LABEL, Reference};

use crate::{
    KINDS,
    bench::{Bench, text},
    service::Service,
};

/// The layouts of a file, by names.
fn layouts(pem: &str) -> Vec<(&'static str, String)> {
    let lines: Vec<_> = pem.lines().collect();
    let body = lines[1..lines.len() - 1].concat();
    let folded = |columns: usize| {
        let body = body.as_bytes().chunks(columns).map(|line| String::from_utf8_lossy(line) + "\n");
        format!("{}\n{}{}\n", lines[0], body.collect::<String>(), lines[lines.len() - 1])
    };
    vec![
        ("labelled", pem.to_owned()),
        ("one-line", folded(body.len())),
        ("20-columns", folded(20)),
        ("76-columns", folded(76)),
        ("crlf", pem.replace('\n', "\r\n")),
        ("trailing-blanks", pem.replace('\n', "  \n")),
        ("indented", pem.replace('\n', "\n  ")),
        ("empty-lines", pem.replace('\n', "\n\n")),
        ("bom", format!("\u{feff}{pem}")),
        ("no-last-newline", pem.trim_end().to_owned()),
        ("text-around", format!("# the key of the web server\nBag Attributes\n    friendlyName: web\n{pem}the rest\n")),
    ]
}

/// Runs `pem.c`: see there for what it does.
#[test]
fn references_are_read_in_every_layout_and_behind_what_is_public() {
    let bench = Bench::new();
    let program = bench.compile("pem");
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        bench.plain(&format!("req -x509 -key {name}.key -subj /CN={name} -out certificate"));
        let certificate = std::fs::read_to_string(bench.path("certificate")).unwrap();
        let plain = std::fs::read_to_string(bench.path(&format!("{name}.pem"))).unwrap();
        let reference = Reference::from_pem(plain.as_bytes()).unwrap();
        std::fs::write(bench.path("pkcs8.der"), reference.to_pkcs8().unwrap()).unwrap();
        let public = std::fs::read_to_string(bench.path(&format!("{name}.pub"))).unwrap();
        assert_eq!(bench.ok("pkey -in pkcs8.der -inform der -pubout"), public);

        let pkcs8 = der::pem::encode_string(PKCS8_LABEL, der::pem::LineEnding::LF, &reference.to_pkcs8().unwrap()).unwrap();
        let mut files = Vec::new();
        for (form, pem) in [("plain", plain), ("pkcs8", pkcs8)] {
            for (layout, text) in layouts(&pem) {
                for (place, before) in [("alone", ""), ("chained", &certificate.repeat(3)), ("public", &public)] {
                    let file = format!("{form}-{layout}-{place}");
                    std::fs::write(bench.path(&file), [before, &text].concat()).unwrap();
                    if place == "alone" {
                        assert_eq!(bench.ok(&format!("pkey -in {file} -pubout")), public, "{file}");
                    }
                    files.push(file);
                }
            }
        }
        for order in [["default", "parsec"], ["parsec", "default"]] {
            bench.load(&order);
            let mut command = Command::new(&program);
            command.arg("openssl.cnf").arg(format!("{name}.pub")).args(&files);
            let output = command.current_dir(bench.path("")).env("OPENSSL_CONF", "/dev/null").output().unwrap();
            assert!(output.status.success(), "{name} {order:?}\n{}", text(&output));
        }
    }
}

#[test]
fn keys_of_others_in_the_same_form_are_theirs() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    for (name, algorithm, option) in KINDS {
        bench.key(name, algorithm, option);
        let read = |file: &str| std::fs::read_to_string(bench.path(file)).unwrap();
        bench.plain(&format!("req -x509 -key {name}.key -subj /CN={name} -out certificate"));
        // the first key of a file is the one that is meant
        let files = [format!("{name}.key"), "certificate".to_owned(), format!("{name}.pem")];
        std::fs::write(bench.path("both"), files.map(|file| read(&file)).concat()).unwrap();
        bench.ok("pkey -in both -outform der -out private");
        bench.plain("pkey -inform der -in private -noout");
    }
    assert_eq!(service.calls(), []);
}
