//! Files and folders at a commit.

use aws::Error;
use aws::codecommit::*;
use kernel::Caller;

use crate::Service;
use crate::git::{Found, ObjectReader};
use crate::repositories::internal;
use crate::rules::objects::{self, Entry, Kind};

/// The largest file that the API gives: 6 MB.
const LARGEST_FILE: u64 = 6 * 1024 * 1024;

/// A place in a commit's tree.
struct Place {
    objects: ObjectReader,
    commit: String,
    /// Without slashes around it.
    path: String,
    entry: Option<Entry>,
}

impl Service {
    async fn place(
        &self,
        caller: &Caller,
        name: Option<String>,
        specifier: Option<String>,
        path: Option<String>,
    ) -> Result<Place, Error> {
        let scope = caller.scope();
        let repository = self.repository(&scope, &name.unwrap_or_default()).await?;
        let path = path.unwrap_or_default();
        let parts = objects::path(&path)
            .ok_or_else(|| error::invalid_path_exception(format!("{path} is not a path within a repository")))?;
        let named = || specifier.as_deref().unwrap_or("the default branch");
        let missing = || error::commit_does_not_exist_exception(format!("There is no commit at {}", named()));
        let id = self.resolve(&scope, &repository, specifier.as_deref()).await?.ok_or_else(missing)?;
        let folder = self.git.ensure(&repository.id).await.map_err(internal)?;
        let mut objects = self.git.objects(&folder).map_err(internal)?;
        let (commit, found) = objects.commit(&id).await.map_err(internal)?.ok_or_else(missing)?;
        let entry = objects.entry(&found.tree, &parts).await.map_err(internal)?;
        Ok(Place { objects, commit, path: parts.join("/"), entry })
    }
}

pub(super) async fn get_file(service: &Service, caller: &Caller, input: GetFileInput) -> Result<GetFileOutput, Error> {
    let place = service.place(caller, input.repository_name, input.commit_specifier, input.file_path).await?;
    let Place { mut objects, commit, path, entry } = place;
    let missing = || error::file_does_not_exist_exception(format!("File {path} does not exist in commit {commit}"));
    let entry = entry.ok_or_else(missing)?;
    let mode = entry.kind.file_mode().ok_or_else(missing)?;
    match objects.read(&entry.id, None, LARGEST_FILE).await.map_err(internal)? {
        Found::Missing => Err(missing()),
        Found::TooLarge(size) => {
            let message =
                format!("File {path} has {size} bytes, more than the limit of {LARGEST_FILE}; fetch it with Git");
            Err(error::file_too_large_exception(message))
        }
        Found::Object { id, content, .. } => Ok(GetFileOutput {
            blob_id: Some(id),
            commit_id: Some(commit),
            file_mode: Some(mode.to_owned()),
            file_path: Some(path),
            file_size: i64::try_from(content.len()).ok(),
            file_content: Some(content.into()),
        }),
    }
}

pub(super) async fn get_folder(
    service: &Service,
    caller: &Caller,
    input: GetFolderInput,
) -> Result<GetFolderOutput, Error> {
    let place = service.place(caller, input.repository_name, input.commit_specifier, input.folder_path).await?;
    let Place { mut objects, commit, path, entry } = place;
    let missing = || error::folder_does_not_exist_exception(format!("Folder {path} does not exist in commit {commit}"));
    let folder = entry.filter(|entry| entry.kind == Kind::Folder).ok_or_else(missing)?;
    let entries = objects.tree(&folder.id).await.map_err(internal)?.ok_or_else(missing)?;
    let mut output = GetFolderOutput {
        commit_id: Some(commit),
        tree_id: Some(folder.id),
        files: Some(Vec::new()),
        sub_folders: Some(Vec::new()),
        sub_modules: Some(Vec::new()),
        symbolic_links: Some(Vec::new()),
        folder_path: None,
    };
    for entry in entries {
        add(&mut output, &path, entry);
    }
    output.folder_path = Some(path);
    Ok(output)
}

/// Adds the entry to the list of its kind.
fn add(output: &mut GetFolderOutput, folder: &str, entry: Entry) {
    let Entry { kind, name, id } = entry;
    let absolute_path = Some(if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") });
    let (relative_path, id) = (Some(name), Some(id));
    let file_mode = kind.file_mode().map(str::to_owned);
    match kind {
        Kind::Folder => {
            let folder = Folder { absolute_path, relative_path, tree_id: id };
            output.sub_folders.get_or_insert_default().push(folder);
        }
        Kind::SubModule => {
            let module = SubModule { absolute_path, relative_path, commit_id: id };
            output.sub_modules.get_or_insert_default().push(module);
        }
        Kind::SymbolicLink => {
            let link = SymbolicLink { absolute_path, relative_path, blob_id: id, file_mode };
            output.symbolic_links.get_or_insert_default().push(link);
        }
        Kind::File | Kind::Executable => {
            let file = File { absolute_path, relative_path, blob_id: id, file_mode };
            output.files.get_or_insert_default().push(file);
        }
    }
}
