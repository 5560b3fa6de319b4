//! Handlers, a file per resource, and the traits that hand calls to them.

mod access_keys;
mod errors;
mod listing;
mod policies;
mod roles;
mod sessions;
mod users;

use crate::service::Service;
use async_trait::async_trait;
use aws::Error;
use aws::iam::*;
use aws::sts::{
    AssumeRoleInput, AssumeRoleOutput, GetAccessKeyInfoInput, GetAccessKeyInfoOutput, GetCallerIdentityInput,
    GetCallerIdentityOutput, GetSessionTokenInput, GetSessionTokenOutput, Sts,
};
use kernel::Caller;

#[async_trait]
impl Iam for Service {
    async fn create_access_key(
        &self,
        caller: &Caller,
        input: CreateAccessKeyInput,
    ) -> Result<CreateAccessKeyOutput, Error> {
        access_keys::create(self, caller, input).await
    }

    async fn create_role(&self, caller: &Caller, input: CreateRoleInput) -> Result<CreateRoleOutput, Error> {
        roles::create(self, caller, input).await
    }

    async fn create_user(&self, caller: &Caller, input: CreateUserInput) -> Result<CreateUserOutput, Error> {
        users::create(self, caller, input).await
    }

    async fn delete_access_key(
        &self,
        caller: &Caller,
        input: DeleteAccessKeyInput,
    ) -> Result<DeleteAccessKeyOutput, Error> {
        access_keys::delete(self, caller, input).await
    }

    async fn delete_role(&self, caller: &Caller, input: DeleteRoleInput) -> Result<DeleteRoleOutput, Error> {
        roles::delete(self, caller, input).await
    }

    async fn delete_role_policy(
        &self,
        caller: &Caller,
        input: DeleteRolePolicyInput,
    ) -> Result<DeleteRolePolicyOutput, Error> {
        policies::delete_of_role(self, caller, input).await
    }

    async fn delete_user(&self, caller: &Caller, input: DeleteUserInput) -> Result<DeleteUserOutput, Error> {
        users::delete(self, caller, input).await
    }

    async fn delete_user_policy(
        &self,
        caller: &Caller,
        input: DeleteUserPolicyInput,
    ) -> Result<DeleteUserPolicyOutput, Error> {
        policies::delete_of_user(self, caller, input).await
    }

    async fn get_role(&self, caller: &Caller, input: GetRoleInput) -> Result<GetRoleOutput, Error> {
        roles::get(self, caller, input).await
    }

    async fn get_role_policy(&self, caller: &Caller, input: GetRolePolicyInput) -> Result<GetRolePolicyOutput, Error> {
        policies::get_of_role(self, caller, input).await
    }

    async fn get_user(&self, caller: &Caller, input: GetUserInput) -> Result<GetUserOutput, Error> {
        users::get(self, caller, input).await
    }

    async fn get_user_policy(&self, caller: &Caller, input: GetUserPolicyInput) -> Result<GetUserPolicyOutput, Error> {
        policies::get_of_user(self, caller, input).await
    }

    async fn list_access_keys(
        &self,
        caller: &Caller,
        input: ListAccessKeysInput,
    ) -> Result<ListAccessKeysOutput, Error> {
        access_keys::list(self, caller, input).await
    }

    async fn list_role_policies(
        &self,
        caller: &Caller,
        input: ListRolePoliciesInput,
    ) -> Result<ListRolePoliciesOutput, Error> {
        policies::list_of_role(self, caller, input).await
    }

    async fn list_roles(&self, caller: &Caller, input: ListRolesInput) -> Result<ListRolesOutput, Error> {
        roles::list(self, caller, input).await
    }

    async fn list_user_policies(
        &self,
        caller: &Caller,
        input: ListUserPoliciesInput,
    ) -> Result<ListUserPoliciesOutput, Error> {
        policies::list_of_user(self, caller, input).await
    }

    async fn list_users(&self, caller: &Caller, input: ListUsersInput) -> Result<ListUsersOutput, Error> {
        users::list(self, caller, input).await
    }

    async fn put_role_policy(&self, caller: &Caller, input: PutRolePolicyInput) -> Result<PutRolePolicyOutput, Error> {
        policies::put_on_role(self, caller, input).await
    }

    async fn put_user_policy(&self, caller: &Caller, input: PutUserPolicyInput) -> Result<PutUserPolicyOutput, Error> {
        policies::put_on_user(self, caller, input).await
    }

    async fn update_access_key(
        &self,
        caller: &Caller,
        input: UpdateAccessKeyInput,
    ) -> Result<UpdateAccessKeyOutput, Error> {
        access_keys::update(self, caller, input).await
    }

    async fn update_assume_role_policy(
        &self,
        caller: &Caller,
        input: UpdateAssumeRolePolicyInput,
    ) -> Result<UpdateAssumeRolePolicyOutput, Error> {
        roles::update_trust(self, caller, input).await
    }
}

#[async_trait]
impl Sts for Service {
    async fn assume_role(&self, caller: &Caller, input: AssumeRoleInput) -> Result<AssumeRoleOutput, Error> {
        sessions::assume_role(self, caller, input).await
    }

    async fn get_access_key_info(
        &self,
        _: &Caller,
        input: GetAccessKeyInfoInput,
    ) -> Result<GetAccessKeyInfoOutput, Error> {
        sessions::access_key_info(input)
    }

    async fn get_session_token(
        &self,
        caller: &Caller,
        input: GetSessionTokenInput,
    ) -> Result<GetSessionTokenOutput, Error> {
        sessions::session_token(self, caller, input)
    }

    async fn get_caller_identity(
        &self,
        caller: &Caller,
        _: GetCallerIdentityInput,
    ) -> Result<GetCallerIdentityOutput, Error> {
        Ok(sessions::caller_identity(caller))
    }
}
