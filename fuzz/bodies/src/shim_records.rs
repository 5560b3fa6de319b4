//! `agent::shim`: the files and the line by which engine, shim and OCI runtime tell each other what to do and how it ended.
//!
//! Held: each is written and read again the same; an end is a code or a signal.

use agent::shim::{ExitRecord, Report, ShimConfig};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The body.
pub fn body(data: &[u8]) {
    again::<ShimConfig>(data);
    again::<Report>(data);
    again::<ExitRecord>(data);
}

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(data: &[u8]) {
    if let Ok(record) = serde_json::from_slice::<T>(data) {
        let written = serde_json::to_vec(&record).unwrap();
        assert_eq!(serde_json::from_slice::<T>(&written).unwrap(), record);
    }
}
