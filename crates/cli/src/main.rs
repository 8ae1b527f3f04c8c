//! The `creditbank` command line: one program for the registrar, the operator and the curious.
//!
//! Here is only the way in and the way out: what was typed becomes a command, what went wrong becomes
//! a sentence and an exit status.

mod account;
mod args;
mod bulk;
mod demo;
mod doctor;
mod error;
mod following;
mod head;
mod host;
mod import;
mod input;
mod institution;
mod judge;
mod keys;
mod learner;
mod lines;
mod log;
mod mapping;
mod output;
mod pending;
mod progress;
mod publish;
mod records;
mod sending;
mod serve;
mod signing;
mod submit;
mod supersede;
mod table;
mod tabular;
mod watch;
mod wire;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use args::{Cli, Command};
use error::{COULD_NOT_RUN, Failure};

/// A record passes through some hundred small allocations: with the system's allocator a fifth of the
/// server's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.global.json;
    match start(cli) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<Failure>() {
            Some(failure) => {
                if !failure.is_closed_output() {
                    let text = if json {
                        failure.to_json().to_string()
                    } else {
                        format!("error: {failure}")
                    };
                    output::note(&text);
                }
                failure.exit_code()
            }
            None => {
                output::note(&format!("error: {error:#}"));
                ExitCode::from(COULD_NOT_RUN)
            }
        },
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("the runtime could not start")?;
    let result = runtime.block_on(run(cli));
    // A read of standard input that is still waiting must not hold up the end.
    runtime.shutdown_background();
    Ok(result?)
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let global = &cli.global;
    match &cli.command {
        Command::Serve(args) => serve::run(args).await,
        Command::Demo(args) => demo::run(global, args).await,
        Command::Verify(args) => judge::run(global, args),
        Command::Doctor(args) => doctor::run(global, args).await,
        Command::Head(at) => head::run(global, at).await,
        Command::Institution(command) => institution::run(global, command).await,
        Command::Learner(command) => learner::run(global, command).await,
        Command::Submit(args) => submit::run(global, args).await,
        Command::Import(args) => import::run(global, args).await,
        Command::Balance(args) => account::balance(global, args).await,
        Command::Statement(args) => account::statement(global, args).await,
        Command::Watch(args) => watch::run(global, args).await,
        Command::Log(command) => log::run(global, command).await,
        Command::Records(command) => records::run(global, command).await,
    }
}
