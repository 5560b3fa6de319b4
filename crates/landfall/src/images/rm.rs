//! `landfall images rm`.

use super::show::short;
use super::store::{Store, told};
use crate::exit::{Failed, user_error};
use crate::terminal::bytes;
use images::ImageError;
use serde_json::json;

/// `landfall images rm`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Names or ids (also their beginnings); a name of several goes alone
    #[arg(value_name = "REF|ID", required = true)]
    names: Vec<String>,
    #[command(flatten)]
    store: Store,
    /// As JSON: [{"name", "id", "removed", "bytes"}]
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Removes each; goes on after one that cannot be removed, and fails then.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let images = arguments.store.existing()?;
    let (mut rows, mut failed) = (vec![], false);
    for name in &arguments.names {
        match images.remove(name) {
            Ok(removed) => {
                if !arguments.json {
                    println!("{}", said(name, removed.image.as_deref(), removed.bytes));
                }
                rows.push(
                    json!({"name": name, "id": removed.id, "removed": removed.image.is_some(), "bytes": removed.bytes}),
                );
            }
            Err(error) => {
                let told = refused(name, error);
                if arguments.names.len() == 1 {
                    return Err(told);
                }
                eprintln!("landfall: {told}");
                failed = true;
            }
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    }
    if failed { Err(Failed.into()) } else { Ok(()) }
}

/// An error of the store; who wanted an image gone is not told how to get it.
fn refused(name: &str, error: ImageError) -> anyhow::Error {
    match error {
        ImageError::NotHere(_) => {
            user_error(format!("image {name} is not here: `landfall images ls` lists those that are"))
        }
        other => told(other),
    }
}

fn said(name: &str, image: Option<&str>, freed: u64) -> String {
    match image {
        Some(id) => format!("removed {name} ({}), freed {}", short(id), bytes(freed)),
        None => format!("removed the name {name}; its image has others"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_is_not_an_image() {
        assert_eq!(said("a", Some("sha256:0123456789abcdef"), 1_000), "removed a (0123456789ab), freed 1.0 kB");
        assert_eq!(said("a", None, 0), "removed the name a; its image has others");
    }
}
