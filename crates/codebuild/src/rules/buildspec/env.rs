//! The `env` section (0.2) and `environment_variables` (0.1).

use crate::rules::yaml::{Located, YamlError};

/// Variables, exported names and shell. Pairs keep the file's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Env {
    /// `bash` or `/bin/sh`, as written; the image's `sh` where absent.
    pub shell: Option<String>,
    /// Literal values.
    pub variables: Vec<(String, String)>,
    /// Name of the variable → name of the SSM parameter.
    pub parameter_store: Vec<(String, String)>,
    /// Name of the variable → `secret-id:json-key:version-stage:version-id`.
    pub secrets_manager: Vec<(String, String)>,
    /// Names whose last values the build hands on.
    pub exported_variables: Vec<String>,
    /// Whether Git is to use the build's own credential helper.
    pub git_credential_helper: bool,
}

impl Env {
    pub(super) fn parse(root: &Located) -> Result<Self, YamlError> {
        let mut env = root.get("env").map(current).transpose()?.unwrap_or_default();
        if let Some(legacy) = root.get("environment_variables") {
            env.variables.extend(pairs(legacy, "plaintext")?);
        }
        Ok(env)
    }
}

fn current(node: &Located) -> Result<Env, YamlError> {
    node.map("env")?;
    Ok(Env {
        shell: node.get("shell").map(shell).transpose()?,
        variables: pairs(node, "variables")?,
        parameter_store: pairs(node, "parameter-store")?,
        secrets_manager: pairs(node, "secrets-manager")?,
        exported_variables: node
            .get("exported-variables")
            .map_or(Ok(vec![]), |list| list.texts("exported-variables"))?,
        git_credential_helper: node
            .get("git-credential-helper")
            .map_or(Ok(false), |flag| flag.flag("git-credential-helper"))?,
    })
}

fn shell(node: &Located) -> Result<String, YamlError> {
    let shell = node.text("shell")?;
    match shell.as_str() {
        "bash" | "sh" | "/bin/bash" | "/bin/sh" => Ok(shell),
        _ => Err(node.error(format!("Invalid shell: {shell}. Expecting: bash,/bin/sh"))),
    }
}

fn pairs(parent: &Located, section: &str) -> Result<Vec<(String, String)>, YamlError> {
    let Some(node) = parent.get(section) else { return Ok(vec![]) };
    let entries = node.map(section)?.iter();
    entries.map(|(name, value)| Ok((name.clone(), value.text(&format!("{section}.{name}"))?))).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::rules::yaml;

    fn parse(text: &str) -> Result<Env, YamlError> {
        Env::parse(&yaml::parse(text).unwrap())
    }

    #[test]
    fn values_are_the_text_as_written() {
        let env = parse("env:\n  variables:\n    A: 007\n    B: no\n    C: 1.50\n    D: ''\n    E:\n").unwrap();
        let values: Vec<_> = env.variables.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["007", "no", "1.50", "", ""]);
    }

    #[test]
    fn every_key() {
        let env = parse("env:\n  shell: bash\n  parameter-store: {P: /a/b}\n  secrets-manager: {S: 'id:key'}\n  exported-variables: [X, Y]\n  git-credential-helper: yes\n").unwrap();
        assert_eq!(env.parameter_store, [("P".into(), "/a/b".into())]);
        assert_eq!(env.secrets_manager, [("S".into(), "id:key".into())]);
        assert_eq!(env.exported_variables, ["X", "Y"]);
        assert!(env.git_credential_helper && env.shell.as_deref() == Some("bash"));
    }

    #[test]
    fn legacy_and_empty_forms() {
        let env = parse("environment_variables:\n  plaintext:\n    A: b\n").unwrap();
        assert_eq!(env.variables, [("A".into(), "b".into())]);
        assert_eq!(parse("env:\n").unwrap(), Env::default());
        assert_eq!(parse("env: {exported-variables: X}").unwrap().exported_variables, ["X"]);
    }

    #[test]
    fn errors() {
        for (text, message) in [
            ("env: [a]", "Expected env to be a mapping at line 1, column 6"),
            (
                "env: {variables: {A: {B: c}}}",
                "Expected variables.A to be of string type: found subkeys instead at line 1, column 22",
            ),
            ("env: {shell: zsh}", "Invalid shell: zsh. Expecting: bash,/bin/sh at line 1, column 14"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), message);
        }
    }
}
