//! Patterns for events that are divided by spaces: `[ip, user, ..., status = 4* && status != 404, bytes > 100]`.
//!
//! An event matches if it has as many fields as the pattern has columns and each is as its column wants it. `[…]` and
//! `"…"` in an event are one field. `...` stands for any number of fields.

use super::PatternError;
use super::compare::Comparison;
use super::reader::Reader;
use super::regexes::Regexes;

/// The columns before `...`, and those behind it if it is there.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    first: Vec<Column>,
    last: Option<Vec<Column>>,
}

/// What is asked of one column: one row of comparisons, all of which must hold. Without any, nothing is asked.
#[derive(Debug, Clone, Default)]
struct Column {
    rows: Vec<Vec<Comparison>>,
}

/// Reads `[ … ]`.
pub(super) fn parse(text: &str) -> Result<Columns, PatternError> {
    let (mut reader, mut regexes) = (Reader::new(text), Regexes::default());
    reader.must("[", "[")?;
    let mut columns = Columns { first: Vec::new(), last: None };
    loop {
        reader.space();
        if reader.sees("...") {
            if columns.last.is_some() {
                return Err(reader.expected("a name, because ... was there already"));
            }
            reader.take("...");
            columns.last = Some(Vec::new());
        } else {
            let column = column(&mut reader, &mut regexes)?;
            columns.last.as_mut().unwrap_or(&mut columns.first).push(column);
        }
        if !reader.take(",") {
            break;
        }
    }
    reader.must("]", "a comma or ]")?;
    reader.space();
    if reader.is_empty() { Ok(columns) } else { Err(reader.expected("the end")) }
}

fn column(reader: &mut Reader<'_>, regexes: &mut Regexes) -> Result<Column, PatternError> {
    let name = name(reader)?;
    reader.space();
    if reader.peek().is_none_or(|next| next == ',' || next == ']') {
        return Ok(Column::default());
    }
    let mut rows = vec![Vec::new()];
    loop {
        let comparison = Comparison::read(reader, regexes, |letter| letter.is_whitespace() || "&|,]".contains(letter))?;
        // The list is never empty.
        if let Some(row) = rows.last_mut() {
            row.push(comparison);
        }
        if reader.take("||") {
            rows.push(Vec::new());
        } else if !reader.take("&&") {
            return Ok(Column { rows });
        }
        reader.space();
        let again = self::name(reader)?;
        if again != name {
            return Err(reader.expected("a condition for the same column"));
        }
    }
}

fn name<'t>(reader: &mut Reader<'t>) -> Result<&'t str, PatternError> {
    let name = reader.take_while(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-');
    if name.is_empty() { Err(reader.expected("the name of a column, or ...")) } else { Ok(name) }
}

impl Columns {
    /// Whether a message matches.
    pub(super) fn match_text(&self, message: &str) -> bool {
        let fields = fields(message);
        let last = self.last.as_deref().unwrap_or_default();
        let wanted = self.first.len() + last.len();
        let enough = if self.last.is_some() { fields.len() >= wanted } else { fields.len() == wanted };
        let all =
            |columns: &[Column], fields: &[&str]| columns.iter().zip(fields).all(|(column, field)| column.holds(field));
        enough && all(&self.first, &fields) && all(last, &fields[fields.len() - last.len()..])
    }
}

impl Column {
    fn holds(&self, field: &str) -> bool {
        let holds = |row: &Vec<Comparison>| row.iter().all(|comparison| comparison.holds_for_text(field));
        self.rows.is_empty() || self.rows.iter().any(holds)
    }
}

/// The fields of an event. A bracket or quotation mark that is never closed is a part of its field.
fn fields(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim_start();
    while let Some(first) = rest.chars().next() {
        let close = match first {
            '[' => Some(']'),
            '"' => Some('"'),
            _ => None,
        };
        let closed = close.and_then(|close| rest[1..].find(close).map(|at| (&rest[1..=at], &rest[at + 2..])));
        let (field, behind) = closed.unwrap_or_else(|| {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest.split_at(end)
        });
        fields.push(field);
        rest = behind.trim_start();
    }
    fields
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const EVENT: &str = "127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] \"GET /index.html HTTP/1.0\" 404 1534";

    #[test]
    fn events_are_divided_into_fields() {
        for (message, wanted) in [
            (
                EVENT,
                &["127.0.0.1", "-", "frank", "10/Oct/2000:13:25:15 -0700", "GET /index.html HTTP/1.0", "404", "1534"][..],
            ),
            ("  a   b ", &["a", "b"]),
            ("a [never closed", &["a", "[never", "closed"]),
            ("\"\" x", &["", "x"]),
            ("[é] ü", &["é", "ü"]),
            ("", &[]),
        ] {
            assert_eq!(fields(message), wanted);
        }
    }

    #[test]
    fn as_the_user_guide_shows() {
        for (pattern, matched) in [
            ("[ip, id, user, timestamp, request, status_code, size]", true),
            ("[ip, user, timestamp]", false),
            ("[ip=%127\\.0\\.0\\.[1-9]%, user, username, timestamp, request =*.html*, status_code = 4*, bytes]", true),
            ("[ip, user, username, timestamp, request, status_code = 5*, bytes]", false),
            ("[..., request =*.html*, status_code = 4*, bytes]", true),
            ("[ip, ..., bytes > 1000]", true),
            ("[ip, ..., bytes > 2000]", false),
            ("[..., status_code = 404 || status_code = 410, bytes]", true),
            ("[..., status_code = 4* && status_code != 404, bytes]", false),
            ("[..., status_code = 5* && status_code != 500 || status_code = 404, bytes]", true),
            ("[...]", true),
            ("[ip = \"127.0.0.1\", ...]", true),
        ] {
            assert_eq!(parse(pattern).unwrap().match_text(EVENT), matched, "{pattern}");
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (pattern, at) in [
            ("[", 2),
            ("[]", 2),
            ("[a b]", 4),
            ("[a,]", 4),
            ("[a, ..., ...]", 10),
            ("[a] x", 5),
            ("[a = 1 && b = 2]", 12),
        ] {
            let error = parse(pattern).map(drop).unwrap_err();
            assert!(matches!(error, PatternError::Expected { at: found, .. } if found == at), "{pattern}: {error}");
        }
    }
}
