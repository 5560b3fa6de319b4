//! `codepipeline::rules::variables`: `#{namespace.key}` in texts.
//!
//! Held: a text whose references stand for themselves stays what it is; as many references are put in as were found; what
//! is put into JSON stays one string; time goes with the text's length.

use codepipeline::rules::variables::{Escaping, references, resolve};

/// The body.
pub fn body(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = references(text);
    let same = resolve(text, Escaping::None, |reference| Some(reference.to_string()));
    assert_eq!(same.as_deref(), Ok(text), "{found:?}");
    let put = std::cell::Cell::new(0);
    let gone = resolve(text, Escaping::None, |_| {
        put.set(put.get() + 1);
        Some(String::new())
    });
    assert_eq!(put.get(), found.len());
    let taken: usize = found.iter().map(|reference| reference.to_string().len()).sum();
    assert_eq!(gone.unwrap().len() + taken, text.len());
    assert_eq!(resolve(text, Escaping::None, |_| None).err(), found.first().cloned());
    let document = r##"{"a":"#{x.y}"}"##;
    let filled = resolve(document, Escaping::Json, |_| Some(text.to_owned())).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&filled).unwrap(), serde_json::json!({"a": text}));
}
