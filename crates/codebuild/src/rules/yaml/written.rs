//! Writes a tree as YAML in random styles, for tests that read it back.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

/// Writes the document; each choice takes a byte of `style`, from the start again when they are used up.
pub(crate) fn write(value: &Value, style: &[u8]) -> String {
    let mut writer = Writer { style, used: 0, anchors: BTreeMap::new(), out: String::new() };
    let windows = writer.chance(6);
    if writer.chance(6) {
        writer.out.push('\u{feff}');
    }
    if writer.chance(4) {
        writer.out.push_str("# made by hand\n---\n");
    }
    match writer.chance(8) {
        true => writer.flow(value, 0),
        false => writer.block(value, 0),
    }
    writer.out.push('\n');
    if windows { writer.out.replace('\n', "\r\n") } else { writer.out }
}

struct Writer<'a> {
    style: &'a [u8],
    used: usize,
    /// Texts that have an anchor, by its number.
    anchors: BTreeMap<String, usize>,
    out: String,
}

impl Writer<'_> {
    fn choice(&mut self, of: u8) -> u8 {
        let byte = self.style[self.used % self.style.len()];
        // Further rounds differ from the first.
        let turned = byte.wrapping_add((self.used / self.style.len()) as u8);
        self.used += 1;
        turned % of
    }

    fn chance(&mut self, one_in: u8) -> bool {
        self.choice(one_in) == 0
    }

    fn indent(&mut self, depth: usize) {
        if self.chance(8) {
            self.out.push_str("# a remark: with a colon\n");
        }
        self.out.extend(std::iter::repeat_n(' ', depth * 2));
    }

    /// A collection whose place is a line of its own.
    fn block(&mut self, value: &Value, depth: usize) {
        match value {
            Value::Map(entries) if !entries.is_empty() => {
                for (place, (key, value)) in entries.iter().enumerate() {
                    if place > 0 {
                        self.out.push('\n');
                    }
                    self.indent(depth);
                    self.text(key, None);
                    self.out.push(':');
                    self.nested(value, depth);
                }
            }
            Value::List(items) if !items.is_empty() => {
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        self.out.push('\n');
                    }
                    self.indent(depth);
                    self.out.push('-');
                    self.nested(item, depth);
                }
            }
            other => {
                self.indent(depth);
                self.flow(other, depth);
            }
        }
    }

    /// What follows a key's colon or an item's dash.
    fn nested(&mut self, value: &Value, depth: usize) {
        let flow = self.chance(4);
        match value {
            Value::Text(text) => {
                let between = if self.chance(10) { '\t' } else { ' ' };
                self.out.push(between);
                self.text(text, Some(depth + 1));
            }
            Value::Map(entries) if !flow && !entries.is_empty() => {
                self.out.push('\n');
                self.block(value, depth + 1);
            }
            Value::List(items) if !flow && !items.is_empty() => {
                self.out.push('\n');
                self.block(value, depth + 1);
            }
            collection => {
                self.out.push(' ');
                self.flow(collection, depth + 1);
            }
        }
    }

    fn flow(&mut self, value: &Value, depth: usize) {
        let (open, close, count) = match value {
            Value::Text(text) => return self.quoted(text),
            Value::List(items) => ('[', ']', items.len()),
            Value::Map(entries) => ('{', '}', entries.len()),
        };
        self.out.push(open);
        for place in 0..count {
            if place > 0 {
                self.out.push(',');
            }
            match self.choice(6) {
                0 => {
                    self.out.push('\n');
                    self.out.extend(std::iter::repeat_n(' ', depth * 2 + 2));
                }
                _ => self.out.push(' '),
            }
            match value {
                Value::List(items) => self.flow(&items[place], depth + 1),
                Value::Map(entries) => {
                    self.quoted(&entries[place].0);
                    self.out.push_str(": ");
                    self.flow(&entries[place].1, depth + 1);
                }
                Value::Text(_) => {}
            }
        }
        self.out.push(close);
    }

    /// A scalar in block context: as a block scalar or an alias where `depth` is given.
    fn text(&mut self, text: &str, depth: Option<usize>) {
        if let Some(depth) = depth {
            if let Some(number) = self.anchors.get(text).copied()
                && self.chance(2)
            {
                return self.out.push_str(&format!("*t{number}"));
            }
            if self.chance(10) && !self.anchors.contains_key(text) {
                let number = self.anchors.len();
                self.anchors.insert(text.to_owned(), number);
                self.out.push_str(&format!("&t{number} "));
            }
            if self.chance(3) && fits_a_block(text) {
                return self.literal(text, depth);
            }
        }
        if self.chance(2) && is_plain(text) {
            self.out.push_str(text);
        } else {
            self.quoted(text);
        }
        if depth.is_some() && self.chance(8) {
            self.out.push_str("  # why");
        }
    }

    fn literal(&mut self, text: &str, depth: usize) {
        let lines = text.trim_end_matches('\n');
        let chomping = match text.len() - lines.len() {
            0 => "|-",
            1 => "|",
            _ => "|+",
        };
        self.out.push_str(chomping);
        let kept = if chomping == "|+" { &text[..text.len() - 1] } else { lines };
        for line in kept.split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.out.extend(std::iter::repeat_n(' ', depth * 2));
                self.out.push_str(line);
            }
        }
    }

    fn quoted(&mut self, text: &str) {
        if self.chance(2) && !text.contains(char::is_control) {
            return self.out.push_str(&format!("'{}'", text.replace('\'', "''")));
        }
        self.out.push('"');
        for letter in text.chars() {
            match letter {
                '"' | '\\' => self.out.extend(['\\', letter]),
                '\n' => self.out.push_str("\\n"),
                '\t' => self.out.push_str("\\t"),
                letter if letter > '~' && self.chance(2) => {
                    // Writing to a text cannot fail.
                    let _ = write!(self.out, "\\U{:08X}", letter as u32);
                }
                letter => self.out.push(letter),
            }
        }
        self.out.push('"');
    }
}

/// Begins with neither space nor line end (its indentation could not be told), and has no tab that could be taken for one.
fn fits_a_block(text: &str) -> bool {
    !text.trim_matches('\n').is_empty() && !text.starts_with([' ', '\n', '\t']) && !text.contains("\n\t")
}

/// Says the same without quotes.
fn is_plain(text: &str) -> bool {
    let ok = |letter: char| letter.is_ascii_alphanumeric() || "_./$ é日".contains(letter);
    text.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '/')
        && text.chars().all(ok)
        && !text.ends_with(' ')
        && !text.eq_ignore_ascii_case("null")
}
