//! Tokens for GitHub accounts. AWS makes them in its console by OAuth; this server makes none, so there are none.

use crate::Service;
use aws::Error;
use aws::codedeploy::error;
use aws::codedeploy::*;
use kernel::{Scope, paging};

pub(super) async fn list(
    _: &Service,
    scope: &Scope,
    input: ListGitHubAccountTokenNamesInput,
) -> Result<ListGitHubAccountTokenNamesOutput, Error> {
    let query = super::query("ListGitHubAccountTokenNames", scope, ());
    paging::start(&query, input.next_token.as_deref()).map_err(super::invalid_token)?;
    Ok(ListGitHubAccountTokenNamesOutput { token_name_list: Some(Vec::new()), next_token: None })
}

pub(super) async fn delete(
    _: &Service,
    _: &Scope,
    input: DeleteGitHubAccountTokenInput,
) -> Result<DeleteGitHubAccountTokenOutput, Error> {
    let name = input.token_name.unwrap_or_default();
    if name.is_empty() {
        return Err(error::git_hub_account_token_name_required_exception("The token's name is missing."));
    }
    Err(error::git_hub_account_token_does_not_exist_exception(format!("There is no GitHub token named {name}.")))
}
