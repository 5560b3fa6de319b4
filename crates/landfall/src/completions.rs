//! `landfall completions`: what a shell needs to complete our commands and flags.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

/// `landfall completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bash   landfall completions bash > /etc/bash_completion.d/landfall
  zsh    landfall completions zsh > \"${fpath[1]}/_landfall\"
  fish   landfall completions fish > ~/.config/fish/completions/landfall.fish")]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the shell.
pub(crate) fn run<C: CommandFactory>(arguments: &Arguments) {
    clap_complete::generate(arguments.shell, &mut C::command(), "landfall", &mut std::io::stdout());
}
