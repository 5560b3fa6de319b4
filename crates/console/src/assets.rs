//! The style sheets and the script: in the program, at addresses that change with their content.

use std::sync::LazyLock;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::reply::{self, Body};
use crate::rules::{ansi, route, secret};

/// One file.
pub(crate) struct Asset {
    name: &'static str,
    content_type: &'static str,
    content: String,
    /// Its address.
    pub(crate) address: String,
}

/// The files that every page names.
pub(crate) struct Assets {
    /// How pages look.
    pub(crate) style: Asset,
    /// The colours of logs.
    pub(crate) colours: Asset,
    /// What keeps an open page up to date.
    pub(crate) script: Asset,
}

/// All files.
pub(crate) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: asset("console.css", "text/css; charset=utf-8", include_str!("../assets/console.css").to_owned()),
    colours: asset("colours.css", "text/css; charset=utf-8", ansi::style_sheet()),
    script: asset("console.js", "text/javascript; charset=utf-8", include_str!("../assets/console.js").to_owned()),
});

fn asset(name: &'static str, content_type: &'static str, content: String) -> Asset {
    let version: String = secret::hash(&content).chars().take(12).collect();
    let address = format!("{}/assets/{name}?v={version}", route::PATH);
    Asset { name, content_type, content, address }
}

/// The file of this name.
pub(crate) fn serve(name: &str) -> Option<Response<Body>> {
    let assets = &*ASSETS;
    let asset = [&assets.style, &assets.colours, &assets.script].into_iter().find(|asset| asset.name == name)?;
    let content = Bytes::from(asset.content.clone());
    Some(reply::lasting(reply::bytes(StatusCode::OK, asset.content_type, content)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_name_and_small() {
        let assets = &*ASSETS;
        for asset in [&assets.style, &assets.colours, &assets.script] {
            assert!(serve(asset.name).is_some());
            assert!(asset.address.contains("?v="));
            assert!(asset.content.len() < 32 * 1024, "{} has {} bytes", asset.name, asset.content.len());
        }
        assert!(serve("other").is_none());
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let assets = &*ASSETS;
        for asset in [&assets.style, &assets.script] {
            for foreign in ["http:", "https:", "@import", "url(", "innerHTML =", "eval("] {
                assert!(!asset.content.contains(foreign), "{}: {foreign}", asset.name);
            }
        }
    }
}
