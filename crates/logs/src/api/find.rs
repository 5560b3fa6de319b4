//! Groups and streams by what requests call them.

use crate::api::errors::invalid;
use crate::model::{Group, Stream};
use crate::service::Service;
use aws::Error;
use aws::logs::error::resource_not_found_exception;
use kernel::{Arn, Caller, Stored};

impl Service {
    /// The group of that name.
    pub(super) async fn group(&self, caller: &Caller, name: Option<&str>) -> Result<Stored<Group>, Error> {
        let group = self.documents.get::<Group>(&caller.scope(), name.unwrap_or_default()).await?;
        group.ok_or_else(|| resource_not_found_exception("The specified log group does not exist."))
    }

    /// The group by its name or its identifier, of which exactly one must be given.
    pub(super) async fn identified_group(
        &self,
        caller: &Caller,
        name: Option<String>,
        identifier: Option<String>,
    ) -> Result<Stored<Group>, Error> {
        let name = match (name, identifier) {
            (Some(name), None) => name,
            (None, Some(identifier)) => group_name(&identifier).to_owned(),
            _ => return Err(invalid("Exactly one of logGroupName and logGroupIdentifier must be specified.")),
        };
        self.group(caller, Some(&name)).await
    }

    /// The stream of that name in a group.
    pub(super) async fn stream(
        &self,
        caller: &Caller,
        group: &Group,
        name: Option<&str>,
    ) -> Result<Stored<Stream>, Error> {
        let key = Stream::key_of(&group.id, name.unwrap_or_default());
        let stream = self.documents.get::<Stream>(&caller.scope(), &key).await?;
        stream.ok_or_else(stream_not_found)
    }
}

/// `ResourceNotFoundException` for a stream.
pub(super) fn stream_not_found() -> Error {
    resource_not_found_exception("The specified log stream does not exist.")
}

/// The name in an identifier, which is a name or an ARN.
pub(super) fn group_name(identifier: &str) -> &str {
    let name = identifier.parse::<Arn>().is_ok().then(|| identifier.splitn(7, ':').nth(6)).flatten();
    name.map_or(identifier, |name| name.trim_end_matches(":*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_names_or_arns() {
        for (identifier, name) in [
            ("/a/b", "/a/b"),
            ("arn:aws:logs:us-east-1:111111111111:log-group:/a/b", "/a/b"),
            ("arn:aws:logs:us-east-1:111111111111:log-group:g:*", "g"),
        ] {
            assert_eq!(group_name(identifier), name);
        }
    }
}
