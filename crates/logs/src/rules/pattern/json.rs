//! Patterns for JSON events: `{ $.a.b[0] = "x" && ($.c > 5 || $.d IS NULL) }`.

use super::PatternError;
use super::compare::Comparison;
use super::reader::Reader;
use super::regexes::Regexes;
use serde_json::Value;

/// Brackets in brackets.
const DEEPEST: usize = 32;

/// What an event must be like.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Field(Vec<Step>, Test),
}

/// One step of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Member(String),
    Item(usize),
    /// `*`: any member or item.
    Each,
}

/// What is asked of a field.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Compare(Comparison),
    Null,
    True,
    False,
    Exists,
    NotExists,
}

/// Reads `{ … }`.
pub(super) fn parse(text: &str) -> Result<Condition, PatternError> {
    let mut parser = Parser { reader: Reader::new(text), regexes: Regexes::default() };
    parser.reader.must("{", "{")?;
    let condition = parser.any(0)?;
    parser.reader.must("}", "&&, || or }")?;
    parser.reader.space();
    if parser.reader.is_empty() { Ok(condition) } else { Err(parser.reader.expected("the end")) }
}

struct Parser<'t> {
    reader: Reader<'t>,
    regexes: Regexes,
}

impl Parser<'_> {
    fn any(&mut self, depth: usize) -> Result<Condition, PatternError> {
        let mut parts = vec![self.all(depth)?];
        while self.reader.take("||") {
            parts.push(self.all(depth)?);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self, depth: usize) -> Result<Condition, PatternError> {
        let mut parts = vec![self.one(depth)?];
        while self.reader.take("&&") {
            parts.push(self.one(depth)?);
        }
        Ok(Condition::All(parts))
    }

    fn one(&mut self, depth: usize) -> Result<Condition, PatternError> {
        if depth > DEEPEST {
            return Err(PatternError::Deep);
        }
        if self.reader.take("(") {
            let inner = self.any(depth + 1)?;
            self.reader.must(")", "&&, || or )")?;
            return Ok(inner);
        }
        let selector = self.selector()?;
        Ok(Condition::Field(selector, self.test()?))
    }

    fn selector(&mut self) -> Result<Vec<Step>, PatternError> {
        self.reader.must("$", "a selector such as $.field")?;
        let mut steps = Vec::new();
        loop {
            match self.reader.peek() {
                Some('.') => {
                    self.reader.take(".");
                    // `$.["a b"]` is as `$["a b"]`.
                    if self.reader.peek() != Some('[') {
                        steps.push(self.member()?);
                    }
                }
                Some('[') => steps.push(self.bracket()?),
                _ if steps.is_empty() => return Err(self.reader.expected("a selector such as $.field")),
                _ => return Ok(steps),
            }
        }
    }

    fn member(&mut self) -> Result<Step, PatternError> {
        let in_name = |letter: char| letter.is_alphanumeric() || "_-@:/#*".contains(letter);
        match self.reader.take_while(in_name) {
            "" => Err(self.reader.expected("the name of a field")),
            "*" => Ok(Step::Each),
            name => Ok(Step::Member(name.to_owned())),
        }
    }

    fn bracket(&mut self) -> Result<Step, PatternError> {
        self.reader.must("[", "[")?;
        self.reader.space();
        let step = match self.reader.peek() {
            Some('"') => Step::Member(self.reader.quoted()?),
            Some('\'') => Step::Member(self.reader.between('\'')?.to_owned()),
            Some('*') => {
                self.reader.take("*");
                Step::Each
            }
            _ => {
                let number = self.reader.take_while(|letter| letter.is_ascii_digit()).parse();
                Step::Item(number.map_err(|_| self.reader.expected("a number, * or a quoted name"))?)
            }
        };
        self.reader.must("]", "]")?;
        Ok(step)
    }

    fn test(&mut self) -> Result<Test, PatternError> {
        if self.reader.take_word("IS") {
            let states = [("NULL", Test::Null), ("TRUE", Test::True), ("FALSE", Test::False)];
            let found = states.into_iter().find(|(word, _)| self.reader.take_word(word));
            return found.map(|(_, test)| test).ok_or_else(|| self.reader.expected("NULL, TRUE or FALSE"));
        }
        if self.reader.take_word("EXISTS") {
            return Ok(Test::Exists);
        }
        if self.reader.take_word("NOT") {
            let exists = self.reader.take_word("EXISTS");
            return if exists { Ok(Test::NotExists) } else { Err(self.reader.expected("EXISTS")) };
        }
        let ends = |letter: char| letter.is_whitespace() || "&|(){}".contains(letter);
        Comparison::read(&mut self.reader, &mut self.regexes, ends).map(Test::Compare)
    }
}

impl Condition {
    /// Whether an event is as wanted. A field that is not there is as nothing but `NOT EXISTS` wants it.
    pub(super) fn holds(&self, event: &Value) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Field(steps, Test::NotExists) => !any_at(event, steps, &|_| true),
            Self::Field(steps, test) => any_at(event, steps, &|value| test.holds(value)),
        }
    }
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Null => value.is_null(),
            Self::True => value == &Value::Bool(true),
            Self::False => value == &Value::Bool(false),
            Self::Exists => true,
            Self::NotExists => false,
            Self::Compare(comparison) => match value {
                Value::String(text) => comparison.holds_for_text(text),
                Value::Number(number) => {
                    number.as_f64().is_some_and(|value| comparison.holds_for_number(value, &number.to_string()))
                }
                Value::Bool(value) => comparison.holds_for_text(if *value { "true" } else { "false" }),
                _ => false,
            },
        }
    }
}

/// Whether some value to which these steps lead is as wanted.
fn any_at(value: &Value, steps: &[Step], wanted: &dyn Fn(&Value) -> bool) -> bool {
    let Some((step, rest)) = steps.split_first() else { return wanted(value) };
    match (step, value) {
        (Step::Member(name), Value::Object(members)) => {
            members.get(name).is_some_and(|member| any_at(member, rest, wanted))
        }
        (Step::Item(index), Value::Array(items)) => items.get(*index).is_some_and(|item| any_at(item, rest, wanted)),
        (Step::Each, Value::Object(members)) => members.values().any(|member| any_at(member, rest, wanted)),
        (Step::Each, Value::Array(items)) => items.iter().any(|item| any_at(item, rest, wanted)),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"eventType": "UpdateTrail", "sourceIPAddress": "111.111.111.111", "arrayKey": ["value", "other"],
        "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}], "SomeObject": null, "ThisFlag": true, "bandwidth": 75.5,
        "cluster.name": "c", "latency": 1e3, "text": "5", "off": false}"#;

    fn matched(pattern: &str) -> bool {
        parse(pattern).unwrap().holds(&serde_json::from_str(EVENT).unwrap())
    }

    #[test]
    fn as_the_user_guide_shows() {
        for (pattern, holds) in [
            ("{ $.eventType = \"UpdateTrail\" }", true),
            ("{ $.eventType = UpdateTrail }", true),
            ("{$.eventType=Update*}", true),
            ("{ $.eventType != \"UpdateTrail\" }", false),
            ("{ $.sourceIPAddress != 123.123.* }", true),
            ("{ $.arrayKey[0] = \"value\" }", true),
            ("{ $.arrayKey[1] = \"value\" }", false),
            ("{ $.arrayKey[*] = \"other\" }", true),
            ("{ $.objectList[1].id = 2 }", true),
            ("{ $.objectList[*].name = b }", true),
            ("{ $.*[0].id = 1 }", true),
            ("{ $.SomeObject IS NULL }", true),
            ("{ $.SomeOtherObject NOT EXISTS }", true),
            ("{ $.SomeObject NOT EXISTS }", false),
            ("{ $.SomeObject EXISTS }", true),
            ("{ $.ThisFlag IS TRUE }", true),
            ("{ $.off is false }", true),
            ("{ $.ThisFlag IS FALSE }", false),
            ("{ $.bandwidth > 75 }", true),
            ("{ $.latency = 1000 }", true),
            ("{ $.latency >= 1.1E3 }", false),
            ("{ $.text = 5 }", true),
            ("{ $.['cluster.name'] = \"c\" }", true),
            ("{ $[\"cluster.name\"] = c }", true),
            ("{ $.absent != 1 }", false),
            ("{ $.eventType = %Trail$% }", true),
            ("{ $.eventType = %^Trail% }", false),
        ] {
            assert_eq!(matched(pattern), holds, "{pattern}");
        }
    }

    #[test]
    fn and_binds_before_or() {
        let (yes, no) = ("$.text = 5", "$.text = 6");
        for (pattern, holds) in [
            (format!("{{ {yes} || {no} && {no} }}"), true),
            (format!("{{ ({yes} || {no}) && {no} }}"), false),
            (format!("{{ {no} && {no} || {yes} }}"), true),
            (format!("{{ ({yes}) && ({no} || ({yes})) }}"), true),
        ] {
            assert_eq!(matched(&pattern), holds, "{pattern}");
        }
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (pattern, at) in [
            ("{ }", 3),
            ("{ $.a }", 7),
            ("{ $.a = }", 9),
            ("{ $ = 1 }", 4),
            ("{ $.a = 1", 10),
            ("{ $.a = 1 } x", 13),
            ("{ $.a = 1 && }", 14),
            ("{ ($.a = 1 }", 12),
            ("{ $.a[x] = 1 }", 7),
            ("{ $.a IS BLUE }", 10),
            ("{ $.a > high }", 13),
        ] {
            let error = parse(pattern).map(drop).unwrap_err();
            assert!(matches!(error, PatternError::Expected { at: found, .. } if found == at), "{pattern}: {error}");
        }
    }
}
