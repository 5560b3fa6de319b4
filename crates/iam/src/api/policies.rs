//! Inline policies of users and roles: the same for both, under two sets of operations.

use crate::api::errors::{change, not_found};
use crate::api::listing::{Listed, Listing};
use crate::model::{Carrier, Identity, InlinePolicy, Role, User, scope};
use crate::rules::policy_document::{Use, parse};
use crate::service::Service;
use aws::Error;
use aws::iam::*;
use kernel::{Batch, Caller, Stored};
use sigv4::uri_encode;

/// `PutUserPolicy`.
pub(crate) async fn put_on_user(
    service: &Service,
    caller: &Caller,
    input: PutUserPolicyInput,
) -> Result<PutUserPolicyOutput, Error> {
    put::<User>(service, caller, input.user_name, input.policy_name, input.policy_document).await?;
    Ok(PutUserPolicyOutput {})
}

/// `PutRolePolicy`.
pub(crate) async fn put_on_role(
    service: &Service,
    caller: &Caller,
    input: PutRolePolicyInput,
) -> Result<PutRolePolicyOutput, Error> {
    put::<Role>(service, caller, input.role_name, input.policy_name, input.policy_document).await?;
    Ok(PutRolePolicyOutput {})
}

/// `GetUserPolicy`.
pub(crate) async fn get_of_user(
    service: &Service,
    caller: &Caller,
    input: GetUserPolicyInput,
) -> Result<GetUserPolicyOutput, Error> {
    let (user_name, policy) = get::<User>(service, caller, input.user_name, input.policy_name).await?;
    let policy_document = Some(uri_encode(policy.document.as_bytes()));
    Ok(GetUserPolicyOutput { user_name: Some(user_name), policy_name: Some(policy.name), policy_document })
}

/// `GetRolePolicy`.
pub(crate) async fn get_of_role(
    service: &Service,
    caller: &Caller,
    input: GetRolePolicyInput,
) -> Result<GetRolePolicyOutput, Error> {
    let (role_name, policy) = get::<Role>(service, caller, input.role_name, input.policy_name).await?;
    let policy_document = Some(uri_encode(policy.document.as_bytes()));
    Ok(GetRolePolicyOutput { role_name: Some(role_name), policy_name: Some(policy.name), policy_document })
}

/// `ListUserPolicies`.
pub(crate) async fn list_of_user(
    service: &Service,
    caller: &Caller,
    input: ListUserPoliciesInput,
) -> Result<ListUserPoliciesOutput, Error> {
    let (names, marker) = list::<User>(service, caller, input.user_name, input.marker, input.max_items).await?;
    Ok(ListUserPoliciesOutput { policy_names: Some(names), is_truncated: Some(marker.is_some()), marker })
}

/// `ListRolePolicies`.
pub(crate) async fn list_of_role(
    service: &Service,
    caller: &Caller,
    input: ListRolePoliciesInput,
) -> Result<ListRolePoliciesOutput, Error> {
    let (names, marker) = list::<Role>(service, caller, input.role_name, input.marker, input.max_items).await?;
    Ok(ListRolePoliciesOutput { policy_names: Some(names), is_truncated: Some(marker.is_some()), marker })
}

/// `DeleteUserPolicy`.
pub(crate) async fn delete_of_user(
    service: &Service,
    caller: &Caller,
    input: DeleteUserPolicyInput,
) -> Result<DeleteUserPolicyOutput, Error> {
    delete::<User>(service, caller, input.user_name, input.policy_name).await?;
    Ok(DeleteUserPolicyOutput {})
}

/// `DeleteRolePolicy`.
pub(crate) async fn delete_of_role(
    service: &Service,
    caller: &Caller,
    input: DeleteRolePolicyInput,
) -> Result<DeleteRolePolicyOutput, Error> {
    delete::<Role>(service, caller, input.role_name, input.policy_name).await?;
    Ok(DeleteRolePolicyOutput {})
}

/// The text of a policy document that follows the grammar.
pub(crate) fn checked(document: Option<String>, used: Use) -> Result<String, Error> {
    let text = document.unwrap_or_default();
    match parse(&text, used) {
        Ok(_) => Ok(text),
        Err(malformed) => Err(error::malformed_policy_document_exception(malformed.to_string())),
    }
}

async fn put<T: Carrier>(
    service: &Service,
    caller: &Caller,
    carrier: Option<String>,
    name: Option<String>,
    document: Option<String>,
) -> Result<(), Error> {
    let document = checked(document, Use::Identity)?;
    let mut carrier = carrier_named::<T>(service, caller, carrier).await?;
    let (scope, name) = (scope(&caller.account), name.unwrap_or_default());
    let owner = format!("{}/{}", T::NOUN, carrier.key());
    let policy = InlinePolicy { carrier: owner, name: name.clone(), document };
    let documents = &service.keyring.documents;
    let batch = match documents.get::<InlinePolicy>(&scope, &kernel::Document::key(&policy)).await? {
        Some(mut stored) => {
            stored.value = policy;
            Batch::new(&scope).replace(&stored)
        }
        None => {
            let names = &mut carrier.identity_mut().policies;
            names.push(name);
            names.sort_unstable();
            Batch::new(&scope).insert(&policy)
        }
    };
    // The carrier is written in both cases, so that it cannot be deleted at the same time.
    documents.commit(batch.replace(&carrier)).await.map_err(change)
}

async fn get<T: Carrier>(
    service: &Service,
    caller: &Caller,
    carrier: Option<String>,
    name: Option<String>,
) -> Result<(String, InlinePolicy), Error> {
    let carrier = carrier_named::<T>(service, caller, carrier).await?;
    let carrier = &carrier.identity().name;
    let policy = policy_named::<T>(service, caller, carrier, &name.unwrap_or_default()).await?;
    Ok((carrier.clone(), policy.value))
}

async fn list<T: Carrier>(
    service: &Service,
    caller: &Caller,
    carrier: Option<String>,
    marker: Option<String>,
    max_items: Option<i32>,
) -> Result<Listed<String>, Error> {
    let carrier = carrier_named::<T>(service, caller, carrier).await?;
    let what = format!("Policies/{}/{}", T::NOUN, carrier.key());
    let listing = Listing::new(caller, &what, marker.as_deref(), max_items)?;
    Ok(listing.names(&carrier.identity().policies))
}

async fn delete<T: Carrier>(
    service: &Service,
    caller: &Caller,
    carrier: Option<String>,
    name: Option<String>,
) -> Result<(), Error> {
    let mut carrier = carrier_named::<T>(service, caller, carrier).await?;
    let name = name.unwrap_or_default();
    let policy = policy_named::<T>(service, caller, &carrier.identity().name, &name).await?;
    carrier.identity_mut().policies.retain(|policy| *policy != name);
    let batch = Batch::new(&scope(&caller.account)).remove(&policy).replace(&carrier);
    service.keyring.documents.commit(batch).await.map_err(change)
}

async fn carrier_named<T: Carrier>(
    service: &Service,
    caller: &Caller,
    name: Option<String>,
) -> Result<Stored<T>, Error> {
    let name = name.unwrap_or_default();
    let carrier = service.keyring.documents.get::<T>(&scope(&caller.account), &Identity::key(&name)).await?;
    carrier.ok_or_else(|| not_found(T::NOUN, &name))
}

async fn policy_named<T: Carrier>(
    service: &Service,
    caller: &Caller,
    carrier: &str,
    name: &str,
) -> Result<Stored<InlinePolicy>, Error> {
    let key = InlinePolicy::key_of::<T>(carrier, name);
    let policy = service.keyring.documents.get::<InlinePolicy>(&scope(&caller.account), &key).await?;
    policy.ok_or_else(|| not_found(&format!("{} policy", T::NOUN), name))
}
