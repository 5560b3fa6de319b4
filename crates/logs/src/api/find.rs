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
        group.ok_or_else(group_not_found)
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
            (None, Some(identifier)) => own_group_name(caller, &identifier)?.to_owned(),
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

/// `ResourceNotFoundException` for a group.
pub(super) fn group_not_found() -> Error {
    resource_not_found_exception("The specified log group does not exist.")
}

/// The name in an identifier, which is a name or an ARN of the caller's account and region.
///
/// # Errors
/// `ResourceNotFoundException` for an ARN of another's, `InvalidParameterException` for one of another kind.
pub(super) fn own_group_name<'i>(caller: &Caller, identifier: &'i str) -> Result<&'i str, Error> {
    if !identifier.starts_with("arn:") {
        return Ok(identifier);
    }
    let wrong =
        || invalid(format!("'{identifier}' is no ARN of a log group: arn:aws:logs:REGION:ACCOUNT:log-group:NAME"));
    let arn: Arn = identifier.parse().map_err(|_| wrong())?;
    let name = identifier.splitn(7, ':').nth(6).filter(|_| arn.resource_after("log-group:").is_some());
    let name = name.map(|name| name.trim_end_matches(":*")).filter(|name| !name.is_empty()).ok_or_else(wrong)?;
    if arn.service != "logs" || name.contains(':') {
        return Err(wrong());
    }
    if arn.scope() == caller.scope() { Ok(name) } else { Err(group_not_found()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Scope;

    #[test]
    fn identifiers_are_names_or_arns() {
        let caller = Caller::root(&Scope::new("111111111111", "us-east-1"), "r");
        let (absent, wrong) = (Err("ResourceNotFoundException"), Err("InvalidParameterException"));
        for (identifier, name) in [
            ("/a/b", Ok("/a/b")),
            ("arn:aws:logs:us-east-1:111111111111:log-group:/a/b", Ok("/a/b")),
            ("arn:aws:logs:us-east-1:111111111111:log-group:g:*", Ok("g")),
            ("arn:aws:logs:eu-west-1:111111111111:log-group:g", absent),
            ("arn:aws:logs:us-east-1:222222222222:log-group:g", absent),
            ("arn:aws:logs:us-east-1:111111111111:log-group:g:log-stream:s", wrong),
            ("arn:aws:logs:us-east-1:111111111111:destination:d", wrong),
            ("arn:aws:s3:us-east-1:111111111111:log-group:g", wrong),
            ("arn:aws:logs:us-east-1:111111111111:log-group:", wrong),
            ("arn:", wrong),
        ] {
            let found = own_group_name(&caller, identifier);
            assert_eq!(found.as_deref().map_err(|error| error.code.as_str()), name, "{identifier}");
        }
    }
}
