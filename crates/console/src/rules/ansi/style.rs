//! Select Graphic Rendition: what is in force.

use super::colour;

/// Flags of a [`Style`], with their CSS classes.
const FLAGS: [(u8, &str); 6] =
    [(BOLD, "sb"), (DIM, "sd"), (ITALIC, "si"), (UNDERLINE, "su"), (INVERSE, "sv"), (STRIKE, "ss")];
const BOLD: u8 = 1;
const DIM: u8 = 2;
const ITALIC: u8 = 4;
const UNDERLINE: u8 = 8;
const INVERSE: u8 = 16;
const STRIKE: u8 = 32;

/// Colours and looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    foreground: Option<u8>,
    background: Option<u8>,
    flags: u8,
}

impl Style {
    /// Applies the parameters of one SGR sequence; those that mean nothing here are passed over.
    pub(crate) fn apply(&mut self, parameters: &str) {
        let mut rest = parameters.split(';');
        while let Some(parameter) = rest.next() {
            let mut parts = parameter.split(':');
            let code = parts.next().unwrap_or_default();
            match code {
                "38" | "48" => {
                    let colour = if parameter.contains(':') { by_colons(parts) } else { by_number(&mut rest) };
                    if code == "38" { self.foreground = colour } else { self.background = colour }
                }
                "4" => self.set(UNDERLINE, parts.next() != Some("0")),
                code => self.simple(if code.is_empty() { Some(0) } else { code.parse().ok() }),
            }
        }
    }

    fn simple(&mut self, code: Option<u8>) {
        match code {
            Some(0) => *self = Self::default(),
            Some(1) => self.set(BOLD, true),
            Some(2) => self.set(DIM, true),
            Some(3) => self.set(ITALIC, true),
            Some(7) => self.set(INVERSE, true),
            Some(9) => self.set(STRIKE, true),
            Some(21) => self.set(UNDERLINE, true),
            Some(22) => self.set(BOLD | DIM, false),
            Some(23) => self.set(ITALIC, false),
            Some(24) => self.set(UNDERLINE, false),
            Some(27) => self.set(INVERSE, false),
            Some(29) => self.set(STRIKE, false),
            Some(code @ 30..=37) => self.foreground = Some(code - 30),
            Some(39) => self.foreground = None,
            Some(code @ 40..=47) => self.background = Some(code - 40),
            Some(49) => self.background = None,
            Some(code @ 90..=97) => self.foreground = Some(code - 90 + 8),
            Some(code @ 100..=107) => self.background = Some(code - 100 + 8),
            _ => {}
        }
    }

    fn set(&mut self, flag: u8, on: bool) {
        if on { self.flags |= flag } else { self.flags &= !flag }
    }

    /// The CSS classes, separated by spaces; nothing for plain text.
    pub(crate) fn classes(&self) -> String {
        let inverse = self.flags & INVERSE != 0;
        let (foreground, background) =
            if inverse { (self.background, self.foreground) } else { (self.foreground, self.background) };
        let colours = [foreground.map(|colour| format!("f{colour}")), background.map(|colour| format!("g{colour}"))];
        let looks = FLAGS.iter().filter(|(flag, _)| self.flags & flag != 0).map(|(_, class)| (*class).to_owned());
        colours.into_iter().flatten().chain(looks).collect::<Vec<_>>().join(" ")
    }

    /// As text, for the id of the event that leaves it in force.
    pub(crate) fn code(&self) -> String {
        let number = |colour: Option<u8>| colour.map(|colour| colour.to_string()).unwrap_or_default();
        format!("{}.{}.{}", number(self.foreground), number(self.background), self.flags)
    }

    /// Reads [`Style::code`]; anything else is plain.
    pub(crate) fn parse(code: &str) -> Self {
        let mut parts = code.split('.').map(|part| part.parse::<u8>().ok());
        let mut next = || parts.next().flatten();
        Self { foreground: next(), background: next(), flags: next().unwrap_or(0) & 63 }
    }
}

/// `38:5:n`, `38:2:r:g:b` and `38:2::r:g:b`.
fn by_colons<'p>(parts: impl Iterator<Item = &'p str>) -> Option<u8> {
    let parts: Vec<&str> = parts.collect();
    match *parts.as_slice() {
        ["5", number, ..] => number.parse().ok(),
        ["2", red, green, blue] | ["2", _, red, green, blue, ..] => by_value([red, green, blue]),
        _ => None,
    }
}

/// `38;5;n` and `38;2;r;g;b`.
fn by_number<'p>(rest: &mut impl Iterator<Item = &'p str>) -> Option<u8> {
    match rest.next() {
        Some("5") => rest.next()?.parse().ok(),
        Some("2") => by_value([rest.next()?, rest.next()?, rest.next()?]),
        _ => None,
    }
}

fn by_value([red, green, blue]: [&str; 3]) -> Option<u8> {
    Some(colour::nearest(red.parse().ok()?, green.parse().ok()?, blue.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_become_classes() {
        for (parameters, classes) in [
            ("", ""),
            ("1;31", "f1 sb"),
            ("1;31;0", ""),
            ("1;31;", ""),
            ("97;44", "f15 g4"),
            ("38;5;208", "f208"),
            ("48;5;17;4", "g17 su"),
            ("38;2;255;0;0", "f196"),
            ("38:2::0:0:255", "f21"),
            ("38:2:0:0:255;1", "f21 sb"),
            ("38:5:99", "f99"),
            ("31;7", "g1 sv"),
            ("1;2;22;3;9", "si ss"),
            ("4:0", ""),
            ("4:3", "su"),
            ("38;5;256", ""),
            ("38;5", ""),
            ("38;9;1", "sb"),
            ("999;x;31", "f1"),
            ("31;39", ""),
        ] {
            let mut style = Style::default();
            style.apply(parameters);
            assert_eq!(style.classes(), classes, "{parameters}");
            assert_eq!(Style::parse(&style.code()), style);
        }
        assert_eq!(Style::parse("x.300.-1"), Style::default());
        assert_eq!(Style::parse(""), Style::default());
    }
}
