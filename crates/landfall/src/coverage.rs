//! `landfall api coverage`: which operations are built, read from what is dispatched.

use crate::serve::registry;
use comfy_table::{Table, presets};
use serde_json::{Map, json};

/// Prints the built operations of each service.
pub(crate) fn print(as_json: bool) -> anyhow::Result<()> {
    let rows = registry::coverage();
    if as_json {
        let services: Map<_, _> =
            rows.iter().map(|row| (row.service.to_owned(), json!({"model": row.model, "built": row.built}))).collect();
        println!("{}", serde_json::to_string_pretty(&services)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["service", "built", "of"]);
    for row in &rows {
        table.add_row([row.service.to_owned(), row.built.len().to_string(), row.model.to_string()]);
    }
    println!("{table}");
    Ok(())
}
