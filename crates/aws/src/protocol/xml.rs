//! A writer of small XML documents.

use bytes::Bytes;

/// Collects elements; the caller opens and closes them in order.
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn new() -> Self {
        Self(String::new())
    }

    pub(super) fn open(&mut self, name: &str) {
        self.0.extend(["<", name, ">"]);
    }

    pub(super) fn open_with_namespace(&mut self, name: &str, namespace: &str) {
        self.0.extend(["<", name, " xmlns=\"", namespace, "\">"]);
    }

    pub(super) fn close(&mut self, name: &str) {
        self.0.extend(["</", name, ">"]);
    }

    /// An element with text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        for character in text.chars() {
            match character {
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '&' => self.0.push_str("&amp;"),
                '"' => self.0.push_str("&quot;"),
                '\r' => self.0.push_str("&#13;"),
                // XML 1.0 cannot carry other control characters, nor these two.
                '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                control if control.is_control() && !matches!(control, '\n' | '\t') => self.0.push('\u{fffd}'),
                other => self.0.push(other),
            }
        }
        self.close(name);
    }

    pub(super) fn finish(self) -> Bytes {
        self.0.into()
    }
}
