//! `landfall tls`: the local authority, printed and trusted.

use super::Authority;
use super::trust::Installation;
use crate::exit::user_error;
use clap::{Args, Subcommand};
use kernel::store::DATABASE;
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
    /// The data folder; default: LANDFALL_DATA_DIR, the configuration file's, else landfall-data
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Folder {
    /// The folder's authority. A folder that is no server's is most likely misspelt: nobody should come to trust an authority
    /// that no server uses.
    fn authority(&self) -> anyhow::Result<Authority> {
        let folder = crate::config::data_dir_or(self.data_dir.as_deref())?;
        if !folder.join(DATABASE).is_file() {
            return Err(user_error(format!(
                "{} is no data folder of Landfall: start `landfall serve --tls` first, or name the server's --data-dir",
                folder.display()
            )));
        }
        Authority::in_folder(&folder.canonicalize()?, SystemClock.now())
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
