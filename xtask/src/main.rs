//! Repository chores, run as `cargo xtask COMMAND`.
//!
//! `codegen` writes the crates under `crates/aws-models` from AWS's published
//! service models, as the Python package botocore carries them. `codegen --check`
//! writes nothing and fails where a committed file differs. `soak` kills servers at random and looks what they forget.

mod codegen;
mod soak;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Repository chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate crates/aws-models from AWS's service models.
    Codegen {
        /// Change nothing; fail where a committed file is not what would be written.
        #[arg(long)]
        check: bool,
        /// botocore's `data` folder; default: the one in the test venv.
        #[arg(long, value_name = "DIR", env = "BOTOCORE_DATA")]
        botocore: Option<PathBuf>,
    },
    /// Kill the server, hosts and containers at random while users work, and check that nothing is lost or doubled.
    Soak(soak::Arguments),
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().command {
        Command::Codegen { check, botocore } => codegen::run(check, botocore).map(|()| ExitCode::SUCCESS),
        Command::Soak(arguments) => soak::run(&arguments),
    }
}
