//! The build projects of a pipeline: as their definitions say, or by the buildspec of what they are given.

use super::super::build::{ROLE, environment};
use crate::exit::user_error;
use codebuild::rules::buildspec::Buildspec;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// The largest definition that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// What a project's definition says that matters here.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Definition {
    /// A path in the source, or the text itself.
    pub(super) buildspec: Option<String>,
    /// As AWS has it.
    pub(super) image: Option<String>,
    privileged: bool,
    variables: Vec<Value>,
    timeout: Option<u64>,
}

/// Reads a definition, as `create-project` takes it or as `batch-get-projects` answers it.
///
/// # Errors
/// The user's.
pub(super) fn read(name: &str, path: &Path) -> anyhow::Result<Definition> {
    let wrong = |what: String| user_error(format!("--project {name}={}: {what}", path.display()));
    let size = path.metadata().map_err(|error| wrong(error.to_string()))?.len();
    if size > LARGEST {
        return Err(wrong(format!("{size} bytes are more than a project's definition has")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    parse(name, &text).map_err(wrong)
}

fn parse(name: &str, text: &str) -> Result<Definition, String> {
    let document: Value = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
    let listed = document["projects"].as_array().into_iter().flatten().find(|project| project["name"] == name);
    let project = listed.unwrap_or(if document["project"].is_object() { &document["project"] } else { &document });
    if !project["environment"].is_object() && !project["source"].is_object() {
        return Err(format!(
            "it describes no build project; `aws codebuild batch-get-projects --names {name}` writes one"
        ));
    }
    let environment = &project["environment"];
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Ok(Definition {
        buildspec: text(&project["source"]["buildspec"]),
        image: text(&environment["image"]),
        privileged: environment["privilegedMode"] == true,
        variables: environment["environmentVariables"].as_array().cloned().unwrap_or_default(),
        timeout: project["timeoutInMinutes"].as_u64(),
    })
}

impl Definition {
    /// The project for CreateProject; `given` outweighs its own variables, secrets that lie elsewhere too.
    pub(super) fn project(&self, name: &str, image: &str, privileged: bool, given: &BTreeMap<String, String>) -> Value {
        let own = self
            .variables
            .iter()
            .filter(|variable| variable["name"].as_str().is_none_or(|name| !given.contains_key(name)));
        let given = given.iter().map(|(name, value)| json!({"name": name, "value": value}));
        let mut environment = environment(image, privileged || self.privileged);
        environment["environmentVariables"] = own.cloned().chain(given).collect();
        let mut source = json!({"type": "CODEPIPELINE"});
        if let Some(buildspec) = &self.buildspec {
            source["buildspec"] = buildspec.as_str().into();
        }
        json!({
            "name": name,
            "source": source,
            "artifacts": {"type": "CODEPIPELINE"},
            "environment": environment,
            "serviceRole": ROLE,
            "timeoutInMinutes": self.timeout.unwrap_or(60),
        })
    }

    /// The buildspec's text, where the definition has it.
    pub(super) fn inline(&self) -> Option<&str> {
        self.buildspec.as_deref().filter(|text| text.contains('\n') || text.starts_with(['{']))
    }

    /// Refuses a buildspec in the definition that is wrong.
    ///
    /// # Errors
    /// A sentence with its line.
    pub(super) fn check(&self, name: &str) -> Result<(), String> {
        let parsed = self.inline().map(Buildspec::parse).transpose();
        parsed.map(drop).map_err(|error| format!("the buildspec in the definition of project {name}: {error}"))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn sample() -> Value {
        json!({
            "name": "app",
            "source": {"type": "GITHUB", "location": "https://example.com/a.git", "buildspec": "ci/build.yml"},
            "vpcConfig": {"vpcId": "vpc-1"},
            "environment": {
                "image": "aws/codebuild/standard:7.0",
                "privilegedMode": true,
                "environmentVariables": [
                    {"name": "A", "value": "own"},
                    {"name": "TOKEN", "value": "/p", "type": "PARAMETER_STORE"},
                ],
            },
            "timeoutInMinutes": 10,
        })
    }

    #[test]
    fn a_definition_keeps_what_matters_here() {
        for document in [sample(), json!({"project": sample()}), json!({"projects": [{"name": "x"}, sample()]})] {
            let definition = parse("app", &document.to_string()).unwrap();
            let given = BTreeMap::from([("TOKEN".to_owned(), "given".to_owned())]);
            let project = definition.project("app", "debian:12", false, &given);
            assert_eq!(project["source"], json!({"type": "CODEPIPELINE", "buildspec": "ci/build.yml"}));
            assert_eq!(project["environment"]["image"], "debian:12");
            assert_eq!(project["environment"]["privilegedMode"], true);
            let variables = &project["environment"]["environmentVariables"];
            assert_eq!(*variables, json!([{"name": "A", "value": "own"}, {"name": "TOKEN", "value": "given"}]));
            assert_eq!(project["vpcConfig"], Value::Null);
        }
    }

    #[test]
    fn what_is_no_project_or_has_a_wrong_buildspec_is_refused() {
        assert!(parse("app", "{}").unwrap_err().contains("batch-get-projects"));
        let wrong = Definition { buildspec: Some("version: 9\nphases: {}\n".into()), ..Definition::default() };
        assert!(wrong.check("app").unwrap_err().contains("project app"));
        assert_eq!(Definition { buildspec: Some("a.yml".into()), ..Definition::default() }.check("app"), Ok(()));
    }
}
