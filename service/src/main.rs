//! `parsec`: the service and its command line in one program.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
