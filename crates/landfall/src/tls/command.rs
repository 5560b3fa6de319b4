//! `landfall tls`: the local authority, printed and trusted.

use super::Authority;
use super::trust::Installation;
use crate::exit::user_error;
use clap::{Args, Subcommand};
use kernel::{Clock as _, SystemClock};
use std::io::Write as _;
use std::path::PathBuf;

/// The authority behind `landfall serve --tls`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the authority's certificate (PEM), for programs to trust
    Ca {
        #[command(flatten)]
        folder: Folder,
    },
    /// Let this machine trust the authority; needs root
    Trust {
        #[command(flatten)]
        folder: Folder,
        /// Only print the commands that do it
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct Folder {
    /// The server's data folder
    #[arg(long, value_name = "DIR", default_value = "landfall-data")]
    data_dir: PathBuf,
}

impl Folder {
    /// The folder's authority. A folder that is not there is most likely misspelt: nobody should come to trust an authority
    /// that no server uses.
    fn authority(&self) -> anyhow::Result<Authority> {
        if !self.data_dir.is_dir() {
            return Err(user_error(format!(
                "there is no data folder {}: start `landfall serve --tls` first, or name the server's --data-dir",
                self.data_dir.display()
            )));
        }
        Authority::in_folder(&self.data_dir.canonicalize()?, SystemClock.now())
    }
}

/// Runs one of them.
///
/// # Errors
/// A user's, with the next step.
pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    match options.command {
        Command::Ca { folder } => out.write_all(folder.authority()?.pem().as_bytes())?,
        Command::Trust { folder, dry_run } => {
            let (authority, installation) = (folder.authority()?, Installation::of_this_machine()?);
            if dry_run {
                out.write_all(installation.as_commands(&authority.certificate_file()).as_bytes())?;
            } else {
                installation.install(authority.pem())?;
            }
            eprint!("{}", installation.advice());
        }
    }
    Ok(())
}
