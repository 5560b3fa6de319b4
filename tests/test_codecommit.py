"""CodeCommit as boto3 sees it, and its repositories as git does."""

import concurrent.futures
import os
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid

import pytest

from conftest import ACCOUNT, REGION, code, commit_and_push, git, git_credentials, working_copy

FILES = {"README.md": "# hello\n", "src/main.rs": "fn main() {}\n", "src/deep/er/file.txt": "deep\n", "run.sh": "#!/bin/sh\n"}


@pytest.fixture
def codecommit(client):
    return client("codecommit")


@pytest.fixture
def name(codecommit):
    """An empty repository of its own."""
    name = f"repo-{uuid.uuid4().hex[:8]}"
    codecommit.create_repository(repositoryName=name, repositoryDescription="what it is for", tags={"team": "a"})
    return name


@pytest.fixture
def work(landfall, name, tmp_path):
    """Its working copy, with one commit pushed to main."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "run.sh").touch(mode=0o755)
    working_copy(folder, landfall.clone_url(name), FILES)
    return folder


def head(folder, of: str = "HEAD") -> str:
    return git(folder, "rev-parse", of).stdout.strip()


def remote(folder, *patterns: str) -> dict[str, str]:
    """What the server's references point at."""
    lines = git(folder, "ls-remote", "origin", *patterns).stdout.splitlines()
    return {line.split("\t")[1]: line.split("\t")[0] for line in lines}


# Repositories.


def test_a_repository_is_found_by_all_ways(landfall, codecommit, name):
    found = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert found["Arn"] == f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{name}"
    assert found["cloneUrlHttp"].endswith(f"/v1/repos/{name}") and "defaultBranch" not in found
    assert found["repositoryDescription"] == "what it is for" and found["accountId"] == ACCOUNT
    batch = codecommit.batch_get_repositories(repositoryNames=[name, "absent"])
    assert batch["repositories"] == [found] and batch["repositoriesNotFound"] == ["absent"]
    pages = codecommit.get_paginator("list_repositories").paginate(sortBy="repositoryName", order="ascending")
    listed = [repository for page in pages for repository in page["repositories"]]
    assert {"repositoryName": name, "repositoryId": found["repositoryId"]} in listed
    assert [one["repositoryName"] for one in listed] == sorted(one["repositoryName"] for one in listed)
    assert code(codecommit.create_repository, repositoryName=name) == "RepositoryNameExistsException"
    assert code(codecommit.create_repository, repositoryName="ends.git") == "InvalidRepositoryNameException"
    assert code(codecommit.get_repository, repositoryName="absent") == "RepositoryDoesNotExistException"


def test_a_repository_is_described_renamed_and_deleted(landfall, codecommit, name, work, tmp_path):
    codecommit.update_repository_description(repositoryName=name, repositoryDescription="something else")
    before = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]
    assert before["repositoryDescription"] == "something else"
    codecommit.update_repository_name(oldName=name, newName=f"{name}-new")
    assert code(codecommit.get_repository, repositoryName=name) == "RepositoryDoesNotExistException"
    after = codecommit.get_repository(repositoryName=f"{name}-new")["repositoryMetadata"]
    assert after["repositoryId"] == before["repositoryId"]
    git(tmp_path, "clone", "--quiet", landfall.clone_url(f"{name}-new"), "renamed")
    assert head(tmp_path / "renamed") == head(work)
    assert git(work, "push", "origin", "main", check=False).returncode != 0
    assert codecommit.delete_repository(repositoryName=f"{name}-new")["repositoryId"] == before["repositoryId"]
    assert "repositoryId" not in codecommit.delete_repository(repositoryName=f"{name}-new")
    assert git(tmp_path, "clone", landfall.clone_url(f"{name}-new"), "gone", check=False).returncode != 0


def test_a_new_repository_of_an_old_name_is_empty(landfall, codecommit, name, work):
    codecommit.delete_repository(repositoryName=name)
    codecommit.create_repository(repositoryName=name)
    assert codecommit.list_branches(repositoryName=name)["branches"] == [] and remote(work) == {}


def test_tags_of_a_repository(codecommit, name):
    arn = codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["Arn"]
    codecommit.tag_resource(resourceArn=arn, tags={"stage": "test", "team": "b"})
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"stage": "test", "team": "b"}
    codecommit.untag_resource(resourceArn=arn, tagKeys=["team", "absent"])
    assert codecommit.list_tags_for_resource(resourceArn=arn)["tags"] == {"stage": "test"}
    assert code(codecommit.tag_resource, resourceArn=f"{arn}-absent", tags={"a": "b"}) == "RepositoryDoesNotExistException"
    assert code(codecommit.tag_resource, resourceArn=arn, tags={"aws:a": "b"}) == "InvalidSystemTagUsageException"
    assert code(codecommit.tag_resource, resourceArn=arn, tags={str(n): "" for n in range(50)}) == "TooManyTagsException"
    assert code(codecommit.list_tags_for_resource, resourceArn="arn:aws:s3:::bucket") == "InvalidResourceArnException"


# Branches, commits and files.


def test_branches_are_made_listed_and_deleted(codecommit, name, work):
    tip = head(work)
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "main"
    codecommit.create_branch(repositoryName=name, branchName="feature/one", commitId=tip)
    assert codecommit.get_branch(repositoryName=name, branchName="feature/one")["branch"] == {
        "branchName": "feature/one", "commitId": tip}
    assert remote(work, "refs/heads/feature/one") == {"refs/heads/feature/one": tip}
    assert codecommit.list_branches(repositoryName=name)["branches"] == ["feature/one", "main"]
    assert code(codecommit.create_branch, repositoryName=name, branchName="main", commitId=tip) == "BranchNameExistsException"
    assert code(codecommit.create_branch, repositoryName=name, branchName="a..b", commitId=tip) == "InvalidBranchNameException"
    assert code(codecommit.create_branch, repositoryName=name, branchName="x", commitId="0" * 39 + "1") == "CommitDoesNotExistException"
    codecommit.update_default_branch(repositoryName=name, defaultBranchName="feature/one")
    assert codecommit.get_repository(repositoryName=name)["repositoryMetadata"]["defaultBranch"] == "feature/one"
    assert code(codecommit.delete_branch, repositoryName=name, branchName="feature/one") == "DefaultBranchCannotBeDeletedException"
    assert code(codecommit.update_default_branch, repositoryName=name, defaultBranchName="absent") == "BranchDoesNotExistException"
    assert codecommit.delete_branch(repositoryName=name, branchName="main")["deletedBranch"]["commitId"] == tip
    assert "deletedBranch" not in codecommit.delete_branch(repositoryName=name, branchName="main")
    assert code(codecommit.get_branch, repositoryName=name, branchName="main") == "BranchDoesNotExistException"
    assert list(remote(work, "refs/heads/*")) == ["refs/heads/feature/one"]


def test_a_commit_is_what_git_made(codecommit, name, work):
    parent = head(work)
    stamp = {"GIT_AUTHOR_DATE": "1517591592 -0800", "GIT_COMMITTER_DATE": "1517591593 +0100"}
    git(work, "commit", "--quiet", "--allow-empty", "--message", "Größe\n\nlines", "--author", "Änne <a@example.org>", **stamp)
    git(work, "push", "--quiet", "origin", "main")
    commit = codecommit.get_commit(repositoryName=name, commitId=head(work))["commit"]
    assert commit["author"] == {"name": "Änne", "email": "a@example.org", "date": "1517591592 -0800"}
    assert commit["committer"] == {"name": "Test", "email": "test@example.org", "date": "1517591593 +0100"}
    assert (commit["parents"], commit["message"]) == ([parent], "Größe\n\nlines\n")
    assert commit["treeId"] == head(work, "HEAD^{tree}")
    assert code(codecommit.get_commit, repositoryName=name, commitId="0" * 39 + "1") == "CommitIdDoesNotExistException"
    assert code(codecommit.get_commit, repositoryName=name, commitId="main") == "InvalidCommitIdException"


def test_files_and_folders_at_any_commit(codecommit, name, work):
    first = head(work)
    (work / "link").symlink_to("README.md")
    commit_and_push(work, {"README.md": "# changed\n"})
    git(work, "tag", "v1", first)
    git(work, "push", "--quiet", "origin", "v1")
    for specifier, text in [(None, b"# changed\n"), (first, b"# hello\n"), ("v1", b"# hello\n"), ("refs/heads/main", b"# changed\n"), ("main", b"# changed\n")]:
        chosen = {"commitSpecifier": specifier} if specifier else {}
        found = codecommit.get_file(repositoryName=name, filePath="README.md", **chosen)
        assert (found["fileContent"], found["fileSize"], found["fileMode"]) == (text, len(text), "NORMAL"), specifier
    assert found["blobId"] == head(work, "HEAD:README.md") and found["commitId"] == head(work)
    assert codecommit.get_file(repositoryName=name, filePath="run.sh")["fileMode"] == "EXECUTABLE"

    root = codecommit.get_folder(repositoryName=name, folderPath="/")
    assert [file["relativePath"] for file in root["files"]] == ["README.md", "run.sh"]
    assert [folder["absolutePath"] for folder in root["subFolders"]] == ["src"]
    assert [link["relativePath"] for link in root["symbolicLinks"]] == ["link"]
    deep = codecommit.get_folder(repositoryName=name, folderPath="src/deep/er", commitSpecifier=first)
    assert deep["files"][0]["absolutePath"] == "src/deep/er/file.txt" and deep["treeId"] == head(work, "HEAD:src/deep/er")
    for call, members, expected in [
        (codecommit.get_file, {"filePath": "absent"}, "FileDoesNotExistException"),
        (codecommit.get_file, {"filePath": "src"}, "FileDoesNotExistException"),
        (codecommit.get_file, {"filePath": "../../etc/passwd"}, "InvalidPathException"),
        (codecommit.get_folder, {"folderPath": "README.md"}, "FolderDoesNotExistException"),
        (codecommit.get_folder, {"folderPath": "absent"}, "FolderDoesNotExistException"),
        (codecommit.get_file, {"filePath": "README.md", "commitSpecifier": "absent"}, "CommitDoesNotExistException"),
    ]:
        assert code(call, repositoryName=name, **members) == expected, members


# Git.


def test_push_fetch_force_and_delete(landfall, codecommit, name, work, tmp_path):
    git(tmp_path, "clone", "--quiet", landfall.clone_url(name), "other")
    other = tmp_path / "other"
    assert {str(path.relative_to(other)) for path in other.rglob("*") if path.is_file() and ".git" not in path.parts} == set(FILES)
    assert (other / "run.sh").stat().st_mode & 0o111

    second = commit_and_push(other, {"new": "1\n"})
    git(work, "fetch", "--quiet", "origin")
    assert head(work, "origin/main") == second
    git(work, "commit", "--quiet", "--amend", "--message", "rewritten")
    behind = git(work, "push", "origin", "main", check=False)
    assert behind.returncode != 0 and "rejected" in behind.stderr
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == second
    git(work, "push", "--quiet", "--force", "origin", "main")
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == head(work)
    leased = git(other, "push", "--force-with-lease", "origin", "main:main", check=False)
    assert leased.returncode != 0 and "stale info" in leased.stderr

    git(work, "push", "--quiet", "origin", "HEAD:refs/heads/gone", "HEAD:refs/heads/stays")
    git(work, "push", "--quiet", "origin", "--delete", "gone")
    assert codecommit.list_branches(repositoryName=name)["branches"] == ["main", "stays"]
    nothing = git(work, "push", "origin", "main")
    assert "Everything up-to-date" in nothing.stderr


def test_tags_go_with_their_objects(landfall, name, work, tmp_path):
    git(work, "tag", "light")
    git(work, "tag", "--annotate", "heavy", "--message", "the release")
    git(work, "push", "--quiet", "--tags", "origin")
    refs = remote(work)
    assert refs["refs/tags/light"] == head(work) == refs["refs/tags/heavy^{}"] and refs["refs/tags/heavy"] != head(work)
    git(tmp_path, "clone", "--quiet", "--branch", "heavy", landfall.clone_url(name), "tagged")
    assert git(tmp_path / "tagged", "tag", "--list", "--format=%(contents:subject)", "heavy").stdout == "the release\n"
    git(work, "push", "--quiet", "origin", ":refs/tags/heavy")
    assert "refs/tags/heavy" not in remote(work)


def test_shallow_and_partial_clones(landfall, name, work, tmp_path):
    for number in range(5):
        commit_and_push(work, {"counter": f"{number}\n"})
    url = landfall.clone_url(name)
    git(tmp_path, "clone", "--quiet", "--depth", "2", url, "shallow")
    shallow = tmp_path / "shallow"
    assert len(git(shallow, "rev-list", "HEAD").stdout.split()) == 2
    git(shallow, "fetch", "--quiet", "--unshallow")
    assert len(git(shallow, "rev-list", "HEAD").stdout.split()) == 6
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", "--no-checkout", url, "partial")
    assert git(tmp_path / "partial", "show", f"{head(work, 'HEAD~2')}:counter").stdout == "2\n"
    wanted = head(work, "HEAD~3")
    git(tmp_path, "init", "--quiet", "one")
    git(tmp_path / "one", "fetch", "--quiet", "--depth", "1", url, wanted)
    assert head(tmp_path / "one", "FETCH_HEAD") == wanted


def test_a_push_of_many_megabytes(landfall, codecommit, name, work, tmp_path):
    # Over http.postBuffer git sends it in chunks; random bytes do not pack.
    for number in range(6):
        (work / f"large-{number}").write_bytes(os.urandom(4 * 1024 * 1024))
    for number in range(300):
        (work / f"small-{number}").write_text(f"{number}\n")
    tip = commit_and_push(work, {})
    git(tmp_path, "clone", "--quiet", landfall.clone_url(name), "copy")
    assert head(tmp_path / "copy") == tip
    assert (tmp_path / "copy/large-5").read_bytes() == (work / "large-5").read_bytes()
    content = codecommit.get_file(repositoryName=name, filePath="large-0")["fileContent"]
    assert content == (work / "large-0").read_bytes()
    (work / "too-large").write_bytes(b"x" * (6 * 1024 * 1024 + 1))
    commit_and_push(work, {})
    assert code(codecommit.get_file, repositoryName=name, filePath="too-large") == "FileTooLargeException"
    git(work, "fsck", "--full")


def test_of_two_pushes_at_once_one_wins(landfall, codecommit, name, work, tmp_path):
    copies = []
    for number in range(4):
        git(tmp_path, "clone", "--quiet", landfall.clone_url(name), f"copy-{number}")
        copies.append(tmp_path / f"copy-{number}")
        (copies[-1] / "who").write_text(f"{number}\n")
        git(copies[-1], "add", "--all")
        git(copies[-1], "commit", "--quiet", "--message", f"by {number}")
    together = threading.Barrier(len(copies))

    def push(copy):
        together.wait()
        return git(copy, "push", "origin", "main", check=False).returncode == 0

    with concurrent.futures.ThreadPoolExecutor(len(copies)) as pool:
        accepted = list(pool.map(push, copies))
    assert accepted.count(True) == 1, accepted
    winner = copies[accepted.index(True)]
    assert codecommit.get_branch(repositoryName=name, branchName="main")["branch"]["commitId"] == head(winner)
    assert remote(work, "refs/heads/main") == {"refs/heads/main": head(winner)}


def test_pushes_to_different_branches_at_once_all_win(landfall, codecommit, name, work):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda n: git(work, "push", "origin", f"HEAD:refs/heads/b{n}", check=False).returncode, range(6)))
    assert done == [0] * 6
    assert codecommit.list_branches(repositoryName=name)["branches"] == [*(f"b{n}" for n in range(6)), "main"]


# What Git is refused.


def test_git_is_refused_what_is_not_there(landfall, name, work, tmp_path):
    absent = git(tmp_path, "clone", landfall.clone_url("absent"), "absent", check=False)
    assert absent.returncode != 0 and "not found" in absent.stderr.lower()
    for path in ("../etc/passwd", "..%2f..%2fetc", f"{name}/../{name}/HEAD", f"{name}/objects/info/packs", f"{name}/config"):
        request = urllib.request.Request(f"{landfall.endpoint}/v1/repos/{path}", headers={"Authorization": "Basic dGVzdDp0ZXN0"})
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=10)
        assert 400 <= caught.value.code < 500, path
    # Not a request of git's at all.
    for service, body in [("git-receive-pack", b"0000"), ("git-receive-pack", b"zzzz"), ("git-upload-pack", b"\xff" * 100), ("git-receive-pack", b"ffff" + b"x" * 10)]:
        headers = {"Authorization": "Basic dGVzdDp0ZXN0", "Content-Type": f"application/x-{service}-request"}
        request = urllib.request.Request(f"{landfall.endpoint}/v1/repos/{name}/{service}", body, headers)
        try:
            assert urllib.request.urlopen(request, timeout=10).status == 200
        except urllib.error.HTTPError as error:
            assert 400 <= error.code < 500, body
    assert remote(work, "refs/heads/main") == {"refs/heads/main": head(work)}


def test_broken_objects_are_refused(landfall, codecommit, name, work):
    """A tree with a file `.git` would overwrite the settings of whoever checks it out."""
    entry = b"100644 .git\0" + bytes.fromhex(head(work, "HEAD:README.md"))
    make = ["git", "-C", work, "hash-object", "--literally", "-w", "-t", "tree", "--stdin"]
    tree = subprocess.run(make, input=entry, capture_output=True, check=True).stdout.decode().strip()
    commit = git(work, "commit-tree", tree, "-m", "evil").stdout.strip()
    pushed = git(work, "push", "origin", f"{commit}:refs/heads/evil", check=False)
    assert pushed.returncode != 0 and "hasDotgit" in pushed.stderr
    assert codecommit.list_branches(repositoryName=name)["branches"] == ["main"]


def test_enforced_signatures_of_git(enforcing, tmp_path):
    codecommit, iam = enforcing.client("codecommit"), enforcing.client("iam")
    codecommit.create_repository(repositoryName="closed")
    working_copy(tmp_path / "work", enforcing.clone_url("closed"), {"file": "content\n"})
    host, path = enforcing.endpoint.removeprefix("http://"), "/v1/repos/closed"
    key, secret = enforcing.root_key()

    def clone(user: str, password: str) -> str:
        """git's complaint; empty if it was let in."""
        target = f"copy-{uuid.uuid4().hex}"
        signed_in = f"{urllib.parse.quote(user, safe='')}:{urllib.parse.quote(password, safe='')}"
        done = git(tmp_path, "clone", "--quiet", f"http://{signed_in}@{host}{path}", target, check=False)
        assert (done.returncode == 0) == (tmp_path / target / "file").exists()
        return done.stderr

    assert clone(*git_credentials(key, secret, host, path)) == ""
    assert clone(*git_credentials(key, secret, host.split(":")[0], path)) == "", "aws credential-helper leaves out the port"
    for credentials in [
        ("test", "test"), (key, secret), git_credentials(key, "wrong", host, path), git_credentials("AKIAUNKNOWN000000000", secret, host, path),
        git_credentials(key, secret, host, "/v1/repos/other"), git_credentials(key, secret, "evil.example", path),
        (key, "20200101T000000Z" + "0" * 64),
    ]:
        complaint = clone(*credentials)
        assert "Authentication failed" in complaint or "403" in complaint, credentials
    iam.create_user(UserName="no-git")
    user = iam.create_access_key(UserName="no-git")["AccessKey"]
    assert "403" in clone(*git_credentials(user["AccessKeyId"], user["SecretAccessKey"], host, path))


def test_a_push_outlives_kill_minus_9(servers, tmp_path):
    server = servers("open", "dummy")
    server.client("codecommit").create_repository(repositoryName="kept")
    folder = working_copy(tmp_path / "work", server.clone_url("kept"), {"file": "1\n"})
    server.kill()
    server.start()
    git(folder, "remote", "set-url", "origin", server.clone_url("kept"))
    assert remote(folder, "refs/heads/main") == {"refs/heads/main": head(folder)}
    tip = commit_and_push(folder, {"file": "2\n"})
    codecommit = server.client("codecommit")
    assert codecommit.get_branch(repositoryName="kept", branchName="main")["branch"]["commitId"] == tip
    assert codecommit.get_file(repositoryName="kept", filePath="file")["fileContent"] == b"2\n"
