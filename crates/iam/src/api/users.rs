//! Users.

use crate::api::errors::{change, commit, exists, invalid, not_found};
use crate::api::listing::Listing;
use crate::model::{Carrier as _, Identity, User, scope};
use crate::service::Service;
use aws::Error;
use aws::iam::{
    self, AttachedPermissionsBoundary, CreateUserInput, CreateUserOutput, DeleteUserInput, DeleteUserOutput,
    GetUserInput, GetUserOutput, ListUsersInput, ListUsersOutput, Tag, error,
};
use kernel::{Caller, Principal, Stored};

/// `CreateUser`.
pub(crate) async fn create(
    service: &Service,
    caller: &Caller,
    input: CreateUserInput,
) -> Result<CreateUserOutput, Error> {
    let name = input.user_name.unwrap_or_default();
    let identity = new_identity(service, "AIDA", name.clone(), input.path, input.permissions_boundary, input.tags);
    let user = User { identity, access_keys: Vec::new() };
    let stored = service.keyring.documents.insert(&scope(&caller.account), user).await;
    let stored = stored.map_err(|error| commit(error, exists("User", &name)))?;
    Ok(CreateUserOutput { user: Some(shape(&stored, caller)) })
}

/// `GetUser`: the named one, else the caller.
pub(crate) async fn get(service: &Service, caller: &Caller, input: GetUserInput) -> Result<GetUserOutput, Error> {
    if input.user_name.is_none() && caller.principal == Principal::Root {
        let (user_id, arn) = (Some(caller.account.clone()), Some(caller.arn()));
        return Ok(GetUserOutput { user: Some(iam::User { user_id, arn, ..Default::default() }) });
    }
    let user = named(service, caller, input.user_name).await?;
    Ok(GetUserOutput { user: Some(shape(&user, caller)) })
}

/// `ListUsers`.
pub(crate) async fn list(service: &Service, caller: &Caller, input: ListUsersInput) -> Result<ListUsersOutput, Error> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".into());
    let listing = Listing::new(caller, &format!("ListUsers/{prefix}"), input.marker.as_deref(), input.max_items)?;
    let page = listing.page(&prefix);
    let read = service.keyring.documents.find::<User>(&scope(&caller.account), "path", "", page).await?;
    let (users, marker) = listing.cut(read);
    let users = users.iter().map(|user| shape(user, caller)).collect();
    Ok(ListUsersOutput { users: Some(users), is_truncated: Some(marker.is_some()), marker })
}

/// `DeleteUser`, once its keys and policies are gone.
pub(crate) async fn delete(
    service: &Service,
    caller: &Caller,
    input: DeleteUserInput,
) -> Result<DeleteUserOutput, Error> {
    let user = named(service, caller, input.user_name).await?;
    if !user.access_keys.is_empty() {
        return Err(error::delete_conflict_exception("Cannot delete entity, must delete access keys first."));
    }
    if !user.identity.policies.is_empty() {
        return Err(error::delete_conflict_exception("Cannot delete entity, must delete policies first."));
    }
    service.keyring.documents.remove(&scope(&caller.account), &user).await.map_err(change)?;
    Ok(DeleteUserOutput {})
}

/// The user of that name, else the one who calls.
pub(crate) async fn named(service: &Service, caller: &Caller, name: Option<String>) -> Result<Stored<User>, Error> {
    let name = match (name, &caller.principal) {
        (Some(name), _) => name,
        (None, Principal::User { name, .. }) => name.rsplit('/').next().unwrap_or(name).to_owned(),
        (None, _) => return Err(invalid("Must specify userName when calling with non-User credentials")),
    };
    let user = service.keyring.documents.get::<User>(&scope(&caller.account), &Identity::key(&name)).await?;
    user.ok_or_else(|| not_found("user", &name))
}

/// What a new user or role begins with.
pub(crate) fn new_identity(
    service: &Service,
    id_prefix: &str,
    name: String,
    path: Option<String>,
    boundary: Option<String>,
    tags: Option<Vec<Tag>>,
) -> Identity {
    let tags = tags.unwrap_or_default().into_iter();
    Identity {
        name,
        id: service.keyring.entity_id(id_prefix),
        path: path.unwrap_or_else(|| "/".into()),
        created: service.keyring.now(),
        boundary,
        tags: tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default())).collect(),
        policies: Vec::new(),
    }
}

fn shape(user: &User, caller: &Caller) -> iam::User {
    let identity = &user.identity;
    iam::User {
        path: Some(identity.path.clone()),
        user_name: Some(identity.name.clone()),
        user_id: Some(identity.id.clone()),
        arn: Some(user.arn(&caller.account)),
        create_date: Some(identity.created),
        permissions_boundary: boundary(identity),
        tags: tags(identity),
        ..Default::default()
    }
}

/// The permissions boundary as replies show it.
pub(crate) fn boundary(identity: &Identity) -> Option<AttachedPermissionsBoundary> {
    identity.boundary.as_ref().map(|arn| AttachedPermissionsBoundary {
        permissions_boundary_type: Some("Policy".into()),
        permissions_boundary_arn: Some(arn.clone()),
    })
}

/// Tags as replies show them: left out where there are none.
pub(crate) fn tags(identity: &Identity) -> Option<Vec<Tag>> {
    let shape = |(key, value): &(String, String)| Tag { key: Some(key.clone()), value: Some(value.clone()) };
    (!identity.tags.is_empty()).then(|| identity.tags.iter().map(shape).collect())
}
