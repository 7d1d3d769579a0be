//! Every function that OpenSSL has for keys like ours, by `walk.c`. What OpenSSL exports is the list of what has to be tried.

use std::process::Command;

use crate::{
    KINDS,
    bench::{Bench, text},
    mistakes::OTHERS,
    service::Service,
};

#[test]
fn keys_answer_every_function_as_those_in_files_do() {
    let bench = Bench::new();
    let _service = Service::start(&bench);
    let program = bench.compile("walk");
    for (key, algorithm, option) in KINDS.into_iter().chain(OTHERS) {
        bench.key(key, algorithm, option);
        let arguments = ["openssl.cnf".to_owned(), format!("{key}.pem"), format!("parsec:object={key}"), format!("{key}.key")];
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(bench.path("")).env("OPENSSL_CONF", "/dev/null");
        let output = command.output().unwrap();
        println!("{key}:\n{}", text(&output));
        assert!(output.status.success(), "{key} {}\n{}", output.status, text(&output));
    }
}
