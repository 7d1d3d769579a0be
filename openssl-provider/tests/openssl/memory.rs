//! Memory and instructions, as Valgrind sees them.

use std::process::Command;

use crate::{
    bench::{Bench, text},
    service::Service,
};

fn valgrind(bench: &Bench, options: &[&str], program: &str, arguments: &str) -> String {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(options).arg(program).args(arguments.split(' ')).current_dir(bench.path(""));
    let output = valgrind.env("OPENSSL_CONF", bench.path("openssl.cnf")).output().expect("apt-get install valgrind");
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// The server ends by itself after the last handshake.
#[test]
fn a_server_shows_valgrind_no_error_and_no_leak_in_100_handshakes() {
    let bench = Bench::new();
    let service = Service::start(&bench);
    bench.key("p256", "EC", "group:P-256");
    bench.plain("req -x509 -key p256.key -subj /CN=localhost -out certificate");
    let address = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let server = format!("s_server -accept {address} -cert certificate -key p256.pem -no_ticket -naccept 100 -quiet");
    let options = ["--quiet", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite"];
    std::thread::scope(|scope| {
        let server = scope.spawn(|| valgrind(&bench, &options, "openssl", &server));
        let mut done = 0;
        while done < 100 && !server.is_finished() {
            // it listens when it does
            let client = bench.openssl(&format!("s_client -connect {address} -CAfile certificate -verify_return_error"));
            done += usize::from(client.status.success());
        }
        let said = server.join().unwrap();
        assert!(!said.contains("definitely lost"), "{said}");
    });
    assert_eq!(service.calls().len(), 100);
}
