//! Terminal output as HTML: colours, bold and underline are kept, a line that was drawn over shows what was drawn last,
//! every other control sequence is dropped, all text is escaped.
//!
//! Source: ECMA-48, 5.4 (sequences) and 8.3.117 (SGR); ISO 8613-6 for colours by number and by value. A line is bounded
//! whatever it holds; what is cut is said.

mod colour;
mod style;

pub(crate) use colour::style_sheet;
pub(crate) use style::Style;

use std::iter::Peekable;
use std::str::Chars;

/// The most characters of a line that are shown.
const LONGEST_LINE: usize = 16 * 1024;
/// The most characters of a control sequence; what is longer is no sequence that means anything here.
const LONGEST_SEQUENCE: usize = 256;
/// Behind a line that was cut.
const CUT: &str = "<span class=\"cut\"> … the line goes on in the raw log</span>";

/// One line as HTML. `style` is what the lines before left in force, and is what this one leaves.
pub(crate) fn line(style: &mut Style, text: &str) -> String {
    let mut screen = Screen { cells: Vec::new(), cursor: 0, cut: false };
    let mut rest = text.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            '\u{1b}' => match sequence(&mut rest) {
                Sequence::Style(parameters) => style.apply(&parameters),
                Sequence::Erase(which) => screen.erase(which),
                Sequence::Dropped => {}
            },
            '\r' => screen.cursor = 0,
            '\u{8}' => screen.cursor = screen.cursor.saturating_sub(1),
            '\t' => screen.put('\t', *style),
            control if control.is_control() => {}
            letter => screen.put(letter, *style),
        }
    }
    screen.html()
}

/// The line as a terminal would hold it.
struct Screen {
    cells: Vec<(char, Style)>,
    cursor: usize,
    cut: bool,
}

impl Screen {
    fn put(&mut self, letter: char, style: Style) {
        if self.cursor >= LONGEST_LINE {
            self.cut = true;
            return;
        }
        match self.cells.get_mut(self.cursor) {
            Some(cell) => *cell = (letter, style),
            None => self.cells.push((letter, style)),
        }
        self.cursor += 1;
    }

    /// EL: from the cursor on, up to the cursor, or all.
    fn erase(&mut self, which: char) {
        match which {
            '0' => self.cells.truncate(self.cursor),
            '1' => self.cells.iter_mut().take(self.cursor).for_each(|cell| *cell = (' ', Style::default())),
            _ => self.cells.clear(),
        }
        // What is drawn next stands where the cursor is.
        while self.cells.len() < self.cursor {
            self.cells.push((' ', Style::default()));
        }
    }

    fn html(&self) -> String {
        let mut html = String::with_capacity(self.cells.len() + 16);
        for run in self.cells.chunk_by(|left, right| left.1 == right.1) {
            let classes = run.first().map(|(_, style)| style.classes()).unwrap_or_default();
            if !classes.is_empty() {
                html.push_str(&format!("<span class=\"{classes}\">"));
            }
            run.iter().for_each(|(letter, _)| escape(&mut html, *letter));
            if !classes.is_empty() {
                html.push_str("</span>");
            }
        }
        if self.cut {
            html.push_str(CUT);
        }
        html
    }
}

fn escape(html: &mut String, letter: char) {
    match letter {
        '&' => html.push_str("&amp;"),
        '<' => html.push_str("&lt;"),
        '>' => html.push_str("&gt;"),
        '"' => html.push_str("&quot;"),
        '\'' => html.push_str("&#39;"),
        letter => html.push(letter),
    }
}

/// What follows an escape character.
enum Sequence {
    /// SGR with its parameters.
    Style(String),
    /// EL with its parameter.
    Erase(char),
    /// Anything else.
    Dropped,
}

fn sequence(rest: &mut Peekable<Chars<'_>>) -> Sequence {
    match rest.peek() {
        Some('[') => {
            rest.next();
            control(rest)
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
            Sequence::Dropped
        }
        _ => {
            // Intermediate characters and one that ends the sequence.
            while rest.next_if(|letter| (' '..='/').contains(letter)).is_some() {}
            rest.next_if(|letter| ('0'..='~').contains(letter));
            Sequence::Dropped
        }
    }
}

/// CSI: parameters, intermediates, the letter that says what it is.
fn control(rest: &mut Peekable<Chars<'_>>) -> Sequence {
    let mut parameters = String::new();
    while let Some(letter) = rest.next_if(|letter| (' '..='?').contains(letter)) {
        if parameters.len() < LONGEST_SEQUENCE {
            parameters.push(letter);
        }
    }
    match rest.next_if(|letter| ('@'..='~').contains(letter)) {
        Some('m') if parameters.len() < LONGEST_SEQUENCE => Sequence::Style(parameters),
        Some('K') => Sequence::Erase(parameters.chars().next().unwrap_or('0')),
        _ => Sequence::Dropped,
    }
}

/// OSC and its like: up to BEL or ESC `\`; a string without an end is the rest of the line.
fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(letter) = rest.next() {
        if letter == '\u{7}' || (letter == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
