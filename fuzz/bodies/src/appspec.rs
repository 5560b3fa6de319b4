//! `agent::host`: the appspec of a bundle.
//!
//! Held: what is read is written as YAML and read again the same; nothing climbs out of the bundle, destinations are
//! absolute, a hook has time.

use agent::host::fuzz::{Spec, appspec};
use serde_json::{Map, Value, json};

/// The body.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(spec) = appspec(text) else { return };
    let climbs = |path: &str| path.split('/').any(|part| part == "..");
    assert!(spec.files.iter().all(|(source, destination)| !climbs(source) && destination.starts_with('/')));
    assert!(spec.hooks.iter().all(|(_, location, timeout, ..)| !climbs(location) && !location.is_empty() && *timeout > 0));
    let written = write(&spec).to_string();
    assert_eq!(appspec(&written).as_ref(), Ok(&spec), "{written}");
}

/// JSON is YAML.
fn write(spec: &Spec) -> Value {
    let mut hooks = Map::new();
    for (event, location, timeout, runas, sudo) in &spec.hooks {
        let script = json!({"location": location, "timeout": timeout, "runas": runas, "sudo": sudo});
        let scripts = hooks.entry(event.clone()).or_insert_with(|| json!([]));
        scripts.as_array_mut().unwrap().push(script);
    }
    let files: Vec<Value> =
        spec.files.iter().map(|(source, destination)| json!({"source": source, "destination": destination})).collect();
    let permissions: Vec<Value> = spec
        .permissions
        .iter()
        .map(|(object, pattern, mode)| json!({"object": object, "pattern": pattern, "mode": mode}))
        .collect();
    json!({"version": 0.0, "os": "linux", "files": files, "permissions": permissions, "hooks": hooks})
}
