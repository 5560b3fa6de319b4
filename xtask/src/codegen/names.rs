//! Model names as Rust names.

/// Words that cannot name a field or module.
const RESERVED: &[&str] = &[
    "as", "async", "await", "box", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub",
    "ref", "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "unsafe", "use", "virtual",
    "where", "while", "yield",
];

/// `projectName` → `project_name`, `ETag` → `e_tag`, `type` → `type_`.
pub(crate) fn snake(name: &str) -> String {
    let characters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (index, &character) in characters.iter().enumerate() {
        if !character.is_ascii_alphanumeric() {
            if !text.ends_with('_') && !text.is_empty() {
                text.push('_');
            }
            continue;
        }
        let previous = index.checked_sub(1).map(|before| characters[before]);
        let next = characters.get(index + 1);
        let starts_word = character.is_ascii_uppercase()
            && previous.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_ascii_uppercase() && next.is_some_and(char::is_ascii_lowercase))
            });
        if starts_word && !text.ends_with('_') {
            text.push('_');
        }
        text.push(character.to_ascii_lowercase());
    }
    let text = text.trim_end_matches('_').to_owned();
    if RESERVED.contains(&text.as_str()) { text + "_" } else { text }
}

/// The name of a constant: `IN_PROGRESS` for `InProgress`, `in-progress` and `IN_PROGRESS`.
pub(crate) fn constant(name: &str) -> String {
    let shouting = !name.chars().any(|character| character.is_ascii_lowercase());
    let text = if shouting {
        name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
    } else {
        snake(name).trim_end_matches('_').to_uppercase()
    };
    if text.starts_with(|character: char| character.is_ascii_digit()) || text.is_empty() {
        format!("_{text}")
    } else {
        text
    }
}

/// `buildStatus` → `BuildStatus`.
pub(crate) fn camel(name: &str) -> String {
    let mut text: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snake_case() {
        for (model, rust) in [
            ("projectName", "project_name"),
            ("eTag", "e_tag"),
            ("ETag", "e_tag"),
            ("ec2TagFilters", "ec2_tag_filters"),
            ("AllowedIPRange", "allowed_ip_range"),
            ("type", "type_"),
            ("ARN", "arn"),
            ("ListOnPremisesInstances", "list_on_premises_instances"),
            ("aws:tag-Key", "aws_tag_key"),
        ] {
            assert_eq!(snake(model), rust);
        }
    }

    #[test]
    fn constants() {
        for (value, rust) in [
            ("InProgress", "IN_PROGRESS"),
            ("IN_PROGRESS", "IN_PROGRESS"),
            ("in-use", "IN_USE"),
            ("7", "_7"),
            ("S3", "S3"),
        ] {
            assert_eq!(constant(value), rust);
        }
    }
}
