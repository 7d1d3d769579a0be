//! The command line. `serve` is the service itself; everything else is an ordinary client of a running one, with no rights beyond
//! those of the user who types.
//!
//! Results go to stdout, as text or with `--json` as one object; errors go to stderr and into the exit code.

mod accept;
mod algorithm;
mod attest;
mod cert;
mod challenge;
mod chown;
mod completion;
mod context;
mod csr;
mod doctor;
mod end;
mod ending;
mod error;
mod examples;
mod expire;
mod export;
mod grant;
mod hex;
mod import;
mod key;
mod keys;
mod label;
mod list;
mod openssl;
mod output;
mod principal;
mod purpose;
mod reference;
mod rename;
mod rotate;
mod same_user;
mod servers;
mod service;
mod setup;
mod successor;
mod token;
mod view;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use context::Context;
use error::{Exit, Result};
use interface::text;
use parsec_service::worker;
use std::path::PathBuf;
use std::process::ExitCode;

/// Keys that stay in a TPM, an HSM or the service's own store, and the programs that use them
#[derive(Parser)]
#[command(name = "parsec", version, arg_required_else_help = true, after_help = Exit::help())]
struct Cli {
    #[command(flatten)]
    connection: context::Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve {
        /// The configuration [default: config.toml in $CONFIGURATION_DIRECTORY, for root in /etc/parsec; without one software keys under
        /// $STATE_DIRECTORY, /var/lib/parsec, or as a user $XDG_STATE_HOME/parsec]
        #[arg(short, long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Stay root, where the user 'parsec' does not exist
        #[arg(long)]
        allow_root: bool,
        /// Go on although rows of the key store were lost, or taken from an older copy of it
        #[arg(long)]
        accept_loss: bool,
    },
    /// Ask whether the service answers
    Ping,
    /// Show how the service is doing, and as whom it knows you
    Status,
    /// Check the installation, and say how to mend what is wrong
    Doctor(doctor::Doctor),
    /// Make a server, ssh or git use keys of the service; shows each change first
    Setup(setup::Setup),
    /// List where keys can live
    Providers,
    /// Make, list and use keys
    #[command(subcommand)]
    Key(keys::Command),
    /// Keep certificates beside their keys
    #[command(subcommand)]
    Cert(cert::Command),
    /// Print the TPM's signed statement about its platform configuration registers (PCRs)
    Quote(attest::QuotePcrs),
    /// See and reset the PINs of PKCS#11 programs
    #[command(subcommand)]
    Token(token::Command),
    /// Print the openssl.cnf with which OpenSSL's programs use keys of the service
    OpensslEnv(openssl::OpensslEnv),
    /// Print the completions of a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Run a token's library for the service, which starts this itself
    #[command(hide = true)]
    Worker {
        /// Start such processes
        #[arg(long)]
        launcher: bool,
        /// Of the token's vendor
        #[arg(long)]
        library: PathBuf,
    },
    /// Write the pages of the manual, as packages have them
    #[command(hide = true)]
    Man {
        /// Where
        folder: PathBuf,
    },
}

/// Runs the command that was typed.
pub(crate) fn main() -> ExitCode {
    completion::answer(Cli::command);
    let cli = match grammar().try_get_matches().and_then(|words| Cli::from_arg_matches(&words)) {
        Ok(cli) => cli,
        Err(wrong) if wrong.use_stderr() => {
            output::complain(&in_lines(wrong));
            return Exit::Usage.into();
        }
        Err(asked) => asked.exit(),
    };
    if let Command::Worker { launcher, library } = &cli.command {
        return if *launcher { worker::launch(library) } else { worker::work(library) };
    }
    match cli.command.run(&cli.connection) {
        Ok(()) => Exit::Done,
        Err(error) => {
            output::complain(&format_args!("parsec: {error}"));
            error.exit()
        }
    }
    .into()
}

/// The grammar, as people see it.
fn grammar() -> clap::Command {
    examples::shown(Cli::command())
}

/// A wrong command, in which each word that was typed is part of one line.
fn in_lines(mut wrong: clap::Error) -> clap::Error {
    let typed = |(kind, value): (ContextKind, &ContextValue)| match value {
        ContextValue::String(word) => Some((kind, ContextValue::String(text::line(word).into_owned()))),
        _ => None,
    };
    let typed: Vec<_> = wrong.context().filter_map(typed).collect();
    for (kind, word) in typed {
        wrong.insert(kind, word);
    }
    wrong
}

impl Command {
    fn run(self, connection: &context::Connection) -> Result<()> {
        match self {
            Self::Serve { config, allow_root, accept_loss } => {
                connection.refuse_endpoint()?;
                return Ok(parsec_service::serve(config.as_deref(), allow_root, accept_loss)?);
            }
            Self::OpensslEnv(command) => {
                return command.run(connection.endpoint()?.as_ref(), connection.json);
            }
            Self::Completions { shell } => {
                return output::write(&completion::script(shell)?);
            }
            Self::Doctor(doctor) => return doctor.run(connection),
            Self::Setup(setup) => return setup.run(connection),
            Self::Man { folder } => {
                let written = clap_mangen::generate_to(grammar(), &folder);
                return written.map_err(error::Error::io(format!("write {}", folder.display())));
            }
            _ => {}
        }
        let context = Context::new(connection)?;
        match self {
            Self::Serve { .. }
            | Self::OpensslEnv(_)
            | Self::Completions { .. }
            | Self::Worker { .. }
            | Self::Man { .. }
            | Self::Doctor(_)
            | Self::Setup(_) => Ok(()),
            Self::Ping => service::ping(&context),
            Self::Status => service::status(&context),
            Self::Providers => service::providers(&context),
            Self::Key(command) => command.run(&context),
            Self::Cert(command) => command.run(&context),
            Self::Quote(args) => args.run(&context),
            Self::Token(command) => command.run(&context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        grammar().debug_assert();
    }

    #[test]
    fn the_examples_are_commands() {
        let mut grammar = grammar();
        for (words, line) in examples::all() {
            let parsed = grammar.try_get_matches_from_mut(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            assert!(line.len() < 70, "{line} is too long for a page of the manual");
            assert!(line.strip_prefix("parsec ").is_some_and(|line| line.starts_with(words)), "{line} is no {words}");
        }
    }

    #[test]
    fn help_names_every_exit_code() {
        let help = grammar().render_long_help().to_string();
        for exit in Exit::ALL {
            assert!(help.contains(exit.meaning()), "{exit:?}");
        }
    }
}
