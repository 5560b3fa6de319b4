//! Where to look at what an action is about: pages of the console of the server that answers.

use super::definition::ActionKind;

/// Whose links.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// Scheme and host by which the server was asked, where that is known.
    pub endpoint: Option<&'a str>,
    /// The region whose things they are.
    pub region: &'a str,
}

impl Links<'_> {
    /// The page of what runs, or ran, outside for an action: a build or a deployment.
    #[must_use]
    pub fn external(self, kind: &ActionKind, id: &str) -> Option<String> {
        match kind.provider.as_str() {
            "CodeBuild" => self.page("builds", id),
            "CodeDeploy" => self.page("deployments", id),
            _ => None,
        }
    }

    /// The page of what an action works with: a build project.
    #[must_use]
    pub fn entity(self, kind: &ActionKind, setting: impl Fn(&str) -> Option<String>) -> Option<String> {
        match kind.provider.as_str() {
            // A name with a variable in it is known only when the action runs.
            "CodeBuild" => {
                setting("ProjectName").filter(|name| !name.contains('#')).and_then(|name| self.page("projects", &name))
            }
            "CodeDeploy" => {
                self.endpoint.map(|endpoint| format!("{endpoint}/_landfall/console/{}/deployments", self.region))
            }
            _ => None,
        }
    }

    /// Names and ids of builds, projects and deployments need no escaping.
    fn page(self, section: &str, id: &str) -> Option<String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        let endpoint = self.endpoint.filter(|_| id.bytes().all(plain))?;
        Some(format!("{endpoint}/_landfall/console/{}/{section}/{id}", self.region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(provider: &str) -> ActionKind {
        ActionKind { provider: provider.into(), ..ActionKind::default() }
    }

    #[test]
    fn builds_and_deployments_have_pages() {
        let links = Links { endpoint: Some("http://localhost:4566"), region: "eu-west-1" };
        let base = "http://localhost:4566/_landfall/console/eu-west-1";
        assert_eq!(links.external(&kind("CodeBuild"), "app:1-2"), Some(format!("{base}/builds/app:1-2")));
        assert_eq!(links.external(&kind("CodeDeploy"), "d-1"), Some(format!("{base}/deployments/d-1")));
        assert_eq!(links.external(&kind("Manual"), "token"), None);
        assert_eq!(links.external(&kind("CodeBuild"), "a b"), None);
        let named = |name: &'static str| links.entity(&kind("CodeBuild"), |_| Some(name.to_owned()));
        assert_eq!(named("app"), Some(format!("{base}/projects/app")));
        assert_eq!(named("#{variables.project}"), None);
        let nowhere = Links { endpoint: None, ..links };
        assert_eq!(nowhere.external(&kind("CodeBuild"), "app:1"), None);
        assert_eq!(nowhere.entity(&kind("CodeDeploy"), |_| None), None);
    }
}
