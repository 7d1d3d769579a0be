//! `parsec`: the service and its command line in one program.

#![forbid(unsafe_code)]

mod cli;

#[global_allocator]
static ALLOCATOR: interface::Allocator = interface::ALLOCATOR;

fn main() -> std::process::ExitCode {
    cli::main()
}
