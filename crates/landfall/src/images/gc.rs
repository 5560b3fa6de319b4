//! `landfall images gc`.

use super::ls::now;
use super::show::{ago, json, name};
use super::store::{Store, told};
use crate::span;
use crate::terminal::bytes;
use images::Unused;
use std::time::{Duration, SystemTime};

/// `landfall images gc`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Remove what was not used for this long, such as 12h or 30d; 0s: all that no container uses
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = time)]
    unused_for: Duration,
    /// Also those that were loaded or made here, which no registry has
    #[arg(long)]
    all: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: Store,
    /// As JSON: {"dryRun", "images": […], "bytes"}
    #[arg(long, help_heading = "Output")]
    json: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    span::read(text).ok_or_else(|| "must be a time like 30d, 2w or 12h".to_owned())
}

/// Collects, and says what was freed.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (images, now) = (arguments.store.existing()?, now());
    let since = now.checked_sub(arguments.unused_for).unwrap_or(SystemTime::UNIX_EPOCH);
    let collection =
        images.collect(&Unused { since, only_pulled: !arguments.all, dry_run: arguments.dry_run }).map_err(told)?;
    if arguments.json {
        let images: Vec<_> = collection.images.iter().map(json).collect();
        let answer = serde_json::json!({"dryRun": arguments.dry_run, "images": images, "bytes": collection.bytes});
        println!("{}", serde_json::to_string_pretty(&answer)?);
        return Ok(());
    }
    for image in &collection.images {
        println!("{}  {}  last used {}", name(image), bytes(image.size), ago(image.used, now));
    }
    eprintln!("{}", summary(collection.images.len(), collection.bytes, arguments.dry_run));
    Ok(())
}

fn summary(count: usize, freed: u64, dry_run: bool) -> String {
    let images = if count == 1 { "1 image".to_owned() } else { format!("{count} images") };
    if dry_run {
        format!("{images} would go, and free {}. Nothing was removed: that was a dry run.", bytes(freed))
    } else {
        format!("{images} removed, {} freed.", bytes(freed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_what_was_freed() {
        assert_eq!(summary(1, 2_000_000, false), "1 image removed, 2.0 MB freed.");
        assert!(summary(0, 0, true).starts_with("0 images would go, and free 0 B."));
    }

    #[test]
    fn a_time_is_a_number_with_a_unit() {
        assert_eq!(time("30d"), Ok(Duration::from_secs(2_592_000)));
        assert!(time("soon").is_err_and(|sentence| sentence.contains("30d")));
    }
}
