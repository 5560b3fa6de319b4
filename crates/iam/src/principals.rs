//! Roles for services: [`kernel::Principals`].

use crate::assumption::{Wanted, principal};
use crate::rules::decision::Mode;
use crate::service::Service;
use async_trait::async_trait;
use kernel::{Arn, Caller, Credentials, Principal, PrincipalError, Principals, Scope, Session};
use std::time::Duration;

#[async_trait]
impl Principals for Service {
    async fn assume(
        &self,
        scope: &Scope,
        role_arn: &str,
        service: &str,
        session_name: &str,
    ) -> Result<Caller, PrincipalError> {
        let (account, name) = role_of(role_arn).ok_or_else(|| not_a_role(role_arn))?;
        let own = account == scope.account;
        let role = if own || self.is_open() { self.role(&account, &name, role_arn).await? } else { None };
        let principal = match role {
            Some(role) => {
                if !self.trusts_service(&role, service, scope) {
                    let (service, role_arn) = (service.to_owned(), role_arn.to_owned());
                    return Err(PrincipalError::NotTrusted { service, role_arn });
                }
                (account, principal(&role))
            }
            // In open mode a role that was never created acts in the account that asks, whatever its ARN names: state is
            // kept by account, and definitions written for AWS should run unchanged.
            None if self.is_open() => (scope.account.clone(), Principal::Role { id: unknown_role_id(&name), name }),
            None => return Err(PrincipalError::NoSuchRole { role_arn: role_arn.to_owned() }),
        };
        Ok(session_caller(principal, &scope.region, session_name))
    }

    async fn chain(&self, caller: &Caller, role_arn: &str, session_name: &str) -> Result<Caller, PrincipalError> {
        // What the first session said of who is behind it goes on.
        let own = caller.session.clone().unwrap_or_default();
        let session = inherited(own, session_name);
        let wanted = Wanted { role_arn: role_arn.to_owned(), session, external_id: None };
        let taken = self.take(caller, &wanted).await.map_err(|error| match error.code.as_str() {
            "AccessDenied" => PrincipalError::NotTrusted { service: caller.arn(), role_arn: role_arn.to_owned() },
            _ => PrincipalError::Invalid(error.message),
        })?;
        // In open mode a role that was never created acts in the account that asks.
        let account = if taken.longest.is_none() { caller.account.clone() } else { taken.account };
        Ok(Caller { account, principal: taken.principal, session: Some(wanted.session), ..caller.clone() })
    }

    async fn session_credentials(&self, role: &Caller, duration: Duration) -> Result<Credentials, PrincipalError> {
        let (Principal::Role { .. }, Some(session)) = (&role.principal, &role.session) else {
            let text = format!("{} is no role session, so it has no temporary credentials", role.arn());
            return Err(PrincipalError::Invalid(text));
        };
        self.keyring
            .issue(&role.account, role.principal.clone(), session.clone(), duration)
            .map_err(|error| PrincipalError::Invalid(error.to_string()))
    }
}

impl Service {
    pub(crate) fn is_open(&self) -> bool {
        self.mode == Mode::Open
    }
}

/// A session that is assumed from another, before the request adds to it: transitive tags and source identity stay.
pub(crate) fn inherited(from: Session, name: &str) -> Session {
    let Session { mut tags, transitive_tags, source_identity, .. } = from;
    tags.retain(|key, _| transitive_tags.contains(key));
    Session { name: name.to_owned(), tags, transitive_tags, source_identity, policy: None }
}

/// Account and name of `arn:aws:iam::ACCOUNT:role/PATH/NAME`.
pub(crate) fn role_of(arn: &str) -> Option<(String, String)> {
    let arn: Arn = arn.parse().ok().filter(|arn: &Arn| arn.service == "iam" && arn.account.len() == 12)?;
    let name = arn.resource_after("role/")?.rsplit('/').next().filter(|name| !name.is_empty())?;
    Some((arn.account.clone(), name.to_owned()))
}

/// The id of a role that open mode accepts without a document: the same for the same name.
pub(crate) fn unknown_role_id(name: &str) -> String {
    let digest = sigv4::sha256_hex(name.as_bytes()).to_ascii_uppercase();
    format!("AROA{}", &digest[..17])
}

fn session_caller((account, principal): (String, Principal), region: &str, session_name: &str) -> Caller {
    let session = Session { name: session_name.to_owned(), ..Session::default() };
    let scope = Scope::new(account, region);
    Caller { principal, session: Some(session), ..Caller::root(&scope, "") }
}

fn not_a_role(arn: &str) -> PrincipalError {
    let form = "arn:aws:iam::ACCOUNT:role/NAME";
    PrincipalError::Invalid(format!("'{arn:.200}' is not the ARN of a role; it would be {form}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn role_arns_name_account_and_role() {
        let role = |account: &str, name: &str| Some((account.to_owned(), name.to_owned()));
        for (arn, expected) in [
            ("arn:aws:iam::111111111111:role/build", role("111111111111", "build")),
            ("arn:aws:iam::111111111111:role/service-role/build", role("111111111111", "build")),
            ("arn:aws:iam::111111111111:user/build", None),
            ("arn:aws:iam::1:role/build", None),
            ("arn:aws:iam::111111111111:role/", None),
            ("build", None),
        ] {
            assert_eq!(role_of(arn), expected, "{arn}");
        }
    }
}
