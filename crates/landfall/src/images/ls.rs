//! `landfall images ls`.

use super::show::{ago, json, short};
use super::store::{Store, told};
use crate::terminal::bytes;
use comfy_table::{CellAlignment, Table, presets};
use images::Image;
use kernel::{Clock as _, SystemClock};
use std::time::{Duration, SystemTime};

/// `landfall images ls`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    store: Store,
    /// As JSON: [{"id", "references", "platform", "bytes", "layers", "created", "pulled", "used", "inUse"}]
    #[arg(long, help_heading = "Output")]
    json: bool,
}

/// Prints the images, the one used last first.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let mut images = arguments.store.existing()?.list().map_err(told)?;
    images.sort_by(|left, right| right.used.cmp(&left.used).then_with(|| left.references.cmp(&right.references)));
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&images.iter().map(json).collect::<Vec<_>>())?);
    } else if images.is_empty() {
        eprintln!(
            "There are no images yet: `landfall images pull REF` gets one, `landfall images load FILE` takes one from a \
             file, `landfall images build standard` makes one."
        );
    } else {
        println!("{}", table(&images, now()).trim_fmt());
    }
    Ok(())
}

/// The time, of the one clock that commands read.
pub(super) fn now() -> SystemTime {
    let millis = u64::try_from(SystemClock.now().millis()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn table(images: &[Image], now: SystemTime) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["image", "id", "size", "platform", "came", "last used"]);
    for image in images {
        let row = |name: &str| {
            let used = if image.in_use { "in use".to_owned() } else { ago(image.used, now) };
            [
                name.to_owned(),
                short(&image.id).to_owned(),
                bytes(image.size),
                image.platform.to_string(),
                ago(image.pulled, now),
                used,
            ]
        };
        match image.references.as_slice() {
            [] => drop(table.add_row(row("-"))),
            names => drop(table.add_rows(names.iter().map(|name| row(name)))),
        }
    }
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::super::show::tests::image;
    use super::*;

    #[test]
    fn every_name_has_a_line() {
        let mut running = image(&[], 0);
        running.in_use = true;
        let images = [image(&["debian:12", "debian:latest"], 0), running];
        let shown = table(&images, SystemTime::UNIX_EPOCH + Duration::from_secs(7_200)).trim_fmt();
        let lines: Vec<Vec<_>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["image", "id", "size", "platform", "came", "last", "used"]);
        assert_eq!(
            lines[2],
            ["debian:latest", "0123456789ab", "120.0", "MB", "linux/amd64", "1", "h", "ago", "2", "h", "ago"]
        );
        assert_eq!((lines[3][0], &lines[3][8..]), ("-", &["in", "use"][..]));
    }
}
