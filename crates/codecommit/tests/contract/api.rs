//! The operations, each seen through another one or through git.

use aws::codecommit::*;
use kernel::Caller;

use crate::server::{Clone, Server, caller, scope};

fn named(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_created_listed_renamed_and_deleted() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    let service = &server.service;
    for name in ["b", "a", "c"] {
        server.create(name).await;
    }
    let again = CreateRepositoryInput { repository_name: named("a"), ..Default::default() };
    assert!(service.create_repository(&caller(), again).await.unwrap_err().is("RepositoryNameExistsException"));
    let bad = CreateRepositoryInput { repository_name: named("x.git"), ..Default::default() };
    assert!(service.create_repository(&caller(), bad).await.unwrap_err().is("InvalidRepositoryNameException"));

    let tip = work.commit("file", "1");
    work.push(&server.url_of("a"), "main");
    let update =
        UpdateRepositoryDescriptionInput { repository_name: named("a"), repository_description: named("best") };
    service.update_repository_description(&caller(), update).await.unwrap();
    let rename = UpdateRepositoryNameInput { old_name: named("a"), new_name: named("z") };
    service.update_repository_name(&caller(), rename).await.unwrap();
    let renamed = server.metadata("z").await;
    assert_eq!((renamed.repository_description, renamed.clone_url_http), (named("best"), Some(server.url_of("z"))));
    assert_eq!(server.tip("z", "main").await, Some(tip));

    let listed = service.list_repositories(&caller(), ListRepositoriesInput::default()).await.unwrap();
    let names =
        |list: Vec<RepositoryNameIdPair>| list.into_iter().filter_map(|pair| pair.repository_name).collect::<Vec<_>>();
    assert_eq!(names(listed.repositories.unwrap()), ["b", "c", "z"]);
    let newest =
        ListRepositoriesInput { sort_by: named("lastModifiedDate"), order: named("descending"), next_token: None };
    let listed = service.list_repositories(&caller(), newest).await.unwrap();
    assert_eq!(names(listed.repositories.unwrap())[0], "z");
    let batch = BatchGetRepositoriesInput { repository_names: Some(vec!["c".to_owned(), "a".to_owned()]) };
    let batch = service.batch_get_repositories(&caller(), batch).await.unwrap();
    assert_eq!((batch.repositories.unwrap().len(), batch.repositories_not_found), (1, Some(vec!["a".to_owned()])));

    let folder = server.folder("z").await;
    let delete = DeleteRepositoryInput { repository_name: named("z") };
    assert!(service.delete_repository(&caller(), delete.clone()).await.unwrap().repository_id.is_some());
    assert!(service.delete_repository(&caller(), delete).await.unwrap().repository_id.is_none());
    let cleared = async {
        while folder.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), cleared).await.unwrap();
    let missing = service.get_repository(&caller(), GetRepositoryInput { repository_name: named("z") }).await;
    assert!(missing.unwrap_err().is("RepositoryDoesNotExistException"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_account_or_region_sees_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    server.create("mine").await;
    for (account, region) in [("111111111111", "us-east-1"), ("000000000000", "eu-west-1")] {
        let stranger = Caller::root(&kernel::Scope::new(account, region), "r");
        let input = GetRepositoryInput { repository_name: named("mine") };
        assert!(server.service.get_repository(&stranger, input).await.is_err());
    }
    assert_eq!(server.service.regions_of(&scope().account, "mine").await.unwrap(), ["us-east-1"]);
    assert!(server.service.regions_of("111111111111", "mine").await.unwrap().is_empty());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_files_and_folders_are_read() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    let service = &server.service;
    server.create("demo").await;
    let first = work.commit("readme.md", "hello\n");
    let second = work.commit("src/a b.rs", [0, 255, 10]);
    work.push(&server.url_of("demo"), "main");

    let get = |id: &str| GetCommitInput { repository_name: named("demo"), commit_id: named(id) };
    let commit = service.get_commit(&caller(), get(&second)).await.unwrap().commit.unwrap();
    assert_eq!((commit.message, commit.parents), (named("Write src/a b.rs\n"), Some(vec![first.clone()])));
    assert_eq!(commit.author.unwrap().name, named("Jane Doe"));
    assert!(service.get_commit(&caller(), get(&"1".repeat(40))).await.unwrap_err().is("CommitIdDoesNotExistException"));
    assert!(service.get_commit(&caller(), get("main")).await.unwrap_err().is("InvalidCommitIdException"));

    let file = |path: &str, at: Option<&str>| GetFileInput {
        repository_name: named("demo"),
        file_path: named(path),
        commit_specifier: at.map(str::to_owned),
    };
    let read = service.get_file(&caller(), file("src/a b.rs", None)).await.unwrap();
    assert_eq!((read.file_content.unwrap().to_vec(), read.file_mode), (vec![0, 255, 10], named("NORMAL")));
    assert_eq!((read.commit_id, read.file_size), (Some(second), Some(3)));
    let then = service.get_file(&caller(), file("src/a b.rs", Some(&first))).await.unwrap_err();
    assert!(then.is("FileDoesNotExistException"), "{then}");
    let outside = service.get_file(&caller(), file("../x", None)).await.unwrap_err();
    assert!(outside.is("InvalidPathException"), "{outside}");

    let folder = |path: &str| GetFolderInput {
        repository_name: named("demo"),
        folder_path: named(path),
        commit_specifier: named("main"),
    };
    let root = service.get_folder(&caller(), folder("/")).await.unwrap();
    assert_eq!(root.files.unwrap()[0].absolute_path, named("readme.md"));
    assert_eq!(root.sub_folders.unwrap()[0].relative_path, named("src"));
    let inner = service.get_folder(&caller(), folder("src")).await.unwrap();
    assert_eq!(inner.files.unwrap()[0].absolute_path, named("src/a b.rs"));
    assert!(service.get_folder(&caller(), folder("readme.md")).await.unwrap_err().is("FolderDoesNotExistException"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_are_listed_and_the_default_one_is_kept() {
    let (dir, work) = (tempfile::tempdir().unwrap(), Clone::new());
    let server = Server::start(dir.path()).await;
    let service = &server.service;
    server.create("demo").await;
    work.commit("file", "1");
    work.git(&["push", "--quiet", &server.url_of("demo"), "main", "main:feature/x"]);
    let list = ListBranchesInput { repository_name: named("demo"), next_token: None };
    let listed = service.list_branches(&caller(), list.clone()).await.unwrap();
    assert_eq!(listed.branches.unwrap(), ["feature/x", "main"]);
    let forged = ListBranchesInput { next_token: named("forged"), ..list };
    assert!(service.list_branches(&caller(), forged).await.unwrap_err().is("InvalidContinuationTokenException"));

    let delete = |branch: &str| DeleteBranchInput { repository_name: named("demo"), branch_name: named(branch) };
    let kept = service.delete_branch(&caller(), delete("main")).await.unwrap_err();
    assert!(kept.is("DefaultBranchCannotBeDeletedException"), "{kept}");
    let default =
        |branch: &str| UpdateDefaultBranchInput { repository_name: named("demo"), default_branch_name: named(branch) };
    assert!(
        service.update_default_branch(&caller(), default("none")).await.unwrap_err().is("BranchDoesNotExistException")
    );
    service.update_default_branch(&caller(), default("feature/x")).await.unwrap();
    service.delete_branch(&caller(), delete("main")).await.unwrap();
    assert_eq!(server.tip("demo", "main").await, None);
    work.git(&["clone", "--quiet", &server.url_of("demo"), "copy"]);
    assert!(work.path().join("copy/file").exists(), "HEAD follows the default branch");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_kept_by_their_rules() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(dir.path()).await;
    let service = &server.service;
    server.create("demo").await;
    let arn = server.metadata("demo").await.arn;
    let tags = |key: &str| Some([(key.to_owned(), "v".to_owned())].into());
    let tag = |key: &str| TagResourceInput { resource_arn: arn.clone(), tags: tags(key) };
    service.tag_resource(&caller(), tag("team")).await.unwrap();
    service.tag_resource(&caller(), tag("stage")).await.unwrap();
    assert!(service.tag_resource(&caller(), tag("aws:x")).await.unwrap_err().is("InvalidSystemTagUsageException"));
    let untag = UntagResourceInput { resource_arn: arn.clone(), tag_keys: Some(vec!["stage".to_owned()]) };
    service.untag_resource(&caller(), untag).await.unwrap();
    let list = ListTagsForResourceInput { resource_arn: arn, next_token: None };
    assert_eq!(service.list_tags_for_resource(&caller(), list).await.unwrap().tags, tags("team"));
    let foreign =
        ListTagsForResourceInput { resource_arn: named("arn:aws:codecommit:eu-west-1:1:demo"), next_token: None };
    assert!(service.list_tags_for_resource(&caller(), foreign).await.unwrap_err().is("InvalidResourceArnException"));
    server.end().await;
}
