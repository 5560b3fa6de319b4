//! What the references point at now.

use std::path::Path;

use super::{Git, GitError};
use crate::rules::changes::References;

/// References of ours, hidden from clients.
const HIDDEN: &str = "refs/internal/";

impl Git {
    /// All references of the repository in `folder`, or those of `names` that exist.
    pub(crate) async fn references(&self, folder: &Path, names: Option<&[String]>) -> Result<References, GitError> {
        let mut arguments = vec!["for-each-ref", "--format=%(objectname) %(refname)"];
        // A name is also a pattern that matches what lies below it: hence the filter.
        arguments.extend(names.unwrap_or_default().iter().map(String::as_str));
        let output = self.run(folder, &arguments).await?;
        let text = String::from_utf8_lossy(&output);
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        let wanted = |name: &str| match names {
            Some(names) => names.iter().any(|wanted| wanted == name),
            None => !name.starts_with(HIDDEN),
        };
        Ok(pairs.filter(|(_, name)| wanted(name)).map(|(id, name)| (name.to_owned(), id.to_owned())).collect())
    }

    /// Sets a reference if it still has the value `old`; `None` is no reference. False if it has another.
    pub(crate) async fn update_reference(
        &self,
        folder: &Path,
        name: &str,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Result<bool, GitError> {
        let none = "0".repeat(40);
        let arguments = ["update-ref", name, new.unwrap_or(&none), old.unwrap_or(&none)];
        match self.run(folder, &arguments).await {
            Ok(_) => Ok(true),
            Err(GitError::Failed { message, .. }) if message.contains("cannot lock ref") => Ok(false),
            Err(error) => Err(error),
        }
    }
}
