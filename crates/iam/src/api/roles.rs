//! Roles and their trust policies.

use crate::api::errors::{change, commit, exists, not_found};
use crate::api::listing::Listing;
use crate::api::policies::checked;
use crate::api::users::{boundary, new_identity, tags};
use crate::model::{Carrier as _, Identity, Role, scope};
use crate::rules::policy_document::Use;
use crate::service::Service;
use aws::Error;
use aws::iam::{
    self, CreateRoleInput, CreateRoleOutput, DeleteRoleInput, DeleteRoleOutput, GetRoleInput, GetRoleOutput,
    ListRolesInput, ListRolesOutput, UpdateAssumeRolePolicyInput, UpdateAssumeRolePolicyOutput, error,
};
use kernel::{Caller, Stored};
use sigv4::uri_encode;

/// Seconds where the request says nothing.
const DEFAULT_SESSION_DURATION: i32 = 3_600;

/// `CreateRole`.
pub(crate) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateRoleInput,
) -> Result<CreateRoleOutput, Error> {
    let trust = checked(input.assume_role_policy_document, Use::Trust)?;
    let name = input.role_name.unwrap_or_default();
    let role = Role {
        identity: new_identity(service, "AROA", name.clone(), input.path, input.permissions_boundary, input.tags),
        trust,
        description: input.description,
        max_session_duration: input.max_session_duration.unwrap_or(DEFAULT_SESSION_DURATION),
    };
    let stored = service.keyring.documents.insert(&scope(&caller.account), role).await;
    let stored = stored.map_err(|error| commit(error, exists("Role", &name)))?;
    Ok(CreateRoleOutput { role: Some(shape(&stored, caller)) })
}

/// `GetRole`.
pub(crate) async fn get(service: &Service, caller: &Caller, input: GetRoleInput) -> Result<GetRoleOutput, Error> {
    let role = named(service, caller, input.role_name).await?;
    Ok(GetRoleOutput { role: Some(shape(&role, caller)) })
}

/// `ListRoles`.
pub(crate) async fn list(service: &Service, caller: &Caller, input: ListRolesInput) -> Result<ListRolesOutput, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".into());
    let listing = Listing::new(caller, &format!("ListRoles/{prefix}"), input.marker.as_deref(), input.max_items)?;
    let page = listing.page(&prefix);
    let read = service.keyring.documents.find::<Role>(&scope(&caller.account), "path", "", page).await?;
    let (roles, marker) = listing.cut(read);
    let roles = roles.iter().map(|role| shape(role, caller)).collect();
    Ok(ListRolesOutput { roles: Some(roles), is_truncated: Some(marker.is_some()), marker })
}

/// `UpdateAssumeRolePolicy`.
pub(crate) async fn update_trust(
    service: &Service,
    caller: &Caller,
    input: UpdateAssumeRolePolicyInput,
) -> Result<UpdateAssumeRolePolicyOutput, Error> {
    let trust = checked(input.policy_document, Use::Trust)?;
    let name = input.role_name.unwrap_or_default();
    let documents = &service.keyring.documents;
    let change_trust = |role: &mut Role| role.trust.clone_from(&trust);
    let updated = documents.update(&scope(&caller.account), &Identity::key(&name), change_trust).await;
    updated.map_err(change)?.ok_or_else(|| not_found("role", &name))?;
    Ok(UpdateAssumeRolePolicyOutput {})
}

/// `DeleteRole`, once its policies are gone. Sessions that are out keep working until they end.
pub(crate) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteRoleInput,
) -> Result<DeleteRoleOutput, Error> {
    let role = named(service, caller, input.role_name).await?;
    if !role.identity.policies.is_empty() {
        return Err(error::delete_conflict_exception("Cannot delete entity, must delete policies first."));
    }
    service.keyring.documents.remove(&scope(&caller.account), &role).await.map_err(change)?;
    Ok(DeleteRoleOutput {})
}

async fn named(service: &Service, caller: &Caller, name: Option<String>) -> Result<Stored<Role>, Error> {
    let name = name.unwrap_or_default();
    let role = service.keyring.documents.get::<Role>(&scope(&caller.account), &Identity::key(&name)).await?;
    role.ok_or_else(|| not_found("role", &name))
}

fn shape(role: &Role, caller: &Caller) -> iam::Role {
    let identity = &role.identity;
    iam::Role {
        path: Some(identity.path.clone()),
        role_name: Some(identity.name.clone()),
        role_id: Some(identity.id.clone()),
        arn: Some(role.arn(&caller.account)),
        create_date: Some(identity.created),
        assume_role_policy_document: Some(uri_encode(role.trust.as_bytes())),
        description: role.description.clone(),
        max_session_duration: Some(role.max_session_duration),
        permissions_boundary: boundary(identity),
        tags: tags(identity),
        ..Default::default()
    }
}
