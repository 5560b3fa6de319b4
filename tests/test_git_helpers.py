"""Git with AWS's own helpers: `aws codecommit credential-helper` and git-remote-codecommit, in enforce mode.

Each call of the aws command line takes most of a second, so several of these tests take more than two.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import uuid

import boto3
import pytest

from conftest import ACCOUNT, REGION, Server, git

BIN = pathlib.Path(sys.executable).parent


@dataclasses.dataclass
class Host:
    """A server that checks signatures, and how clients reach it."""

    server: Server

    @property
    def ca(self) -> str:
        return str(self.server.data_dir / "tls/ca.pem")

    @property
    def authority(self) -> str:
        return self.server.endpoint.split("://")[1].replace("127.0.0.1", "localhost")

    @property
    def scheme(self) -> str:
        return self.server.endpoint.split("://")[0]

    def client(self, service: str, region: str = REGION):
        access_key, secret = self.server.root_key()
        return boto3.client(service, endpoint_url=self.server.endpoint, region_name=region, aws_access_key_id=access_key,
                            aws_secret_access_key=secret, verify=self.ca if self.scheme == "https" else None)

    def repository(self, region: str = REGION) -> str:
        name = f"app-{uuid.uuid4().hex[:8]}"
        self.client("codecommit", region).create_repository(repositoryName=name)
        return name

    def url(self, repository: str) -> str:
        return f"{self.scheme}://{self.authority}/v1/repos/{repository}"

    def environment(self, key: tuple[str, ...]) -> dict[str, str]:
        """What a user exports."""
        access_key, secret, *token = key
        session = {"AWS_SESSION_TOKEN": token[0]} if token else {}
        return {
            "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret, **session, "AWS_DEFAULT_REGION": REGION,
            "GIT_SSL_CAINFO": self.ca, "CODE_COMMIT_ENDPOINT": self.authority, "PATH": f"{BIN}:{os.environ['PATH']}",
        }


@pytest.fixture(scope="module")
def secure(servers) -> Host:
    return Host(servers("enforce", "dummy", "--tls"))


@pytest.fixture(scope="module")
def plain(servers) -> Host:
    return Host(servers("enforce", "dummy"))


@pytest.fixture(params=["https", "http"])
def host(request) -> Host:
    return request.getfixturevalue("secure" if request.param == "https" else "plain")


HELPER = (
    "-c", "credential.helper=!aws codecommit credential-helper $@ --ignore-host-check", "-c", "credential.UseHttpPath=true",
)


def with_helper(host: Host, folder, key: tuple[str, ...], *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    return git(folder, *HELPER, *arguments, check=check, **host.environment(key))


def round_trip(run, folder: pathlib.Path, url: str) -> None:
    """Clones, pushes a commit and clones again; `run(folder, *arguments)` is git with credentials."""
    run(folder, "clone", "--quiet", url, "first")
    (folder / "first/file").write_text("text\n")
    git(folder / "first", "add", "file")
    git(folder / "first", "commit", "--quiet", "--message", "one")
    run(folder / "first", "push", "--quiet", "origin", "HEAD:main")
    run(folder, "clone", "--quiet", "--branch", "main", url, "second")
    assert (folder / "second/file").read_text() == "text\n"


def assumed(host: Host, **settings) -> tuple[str, str, str]:
    """A session of a role that the account trusts."""
    iam, name = host.client("iam"), f"role-{uuid.uuid4().hex[:8]}"
    trust = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
    given = host.client("sts").assume_role(RoleArn=role["Arn"], RoleSessionName="me", **settings)["Credentials"]
    return given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]


def user(host: Host, *actions: str) -> tuple[str, str]:
    """A user that may do these."""
    iam, name = host.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    if actions:
        iam.put_user_policy(UserName=name, PolicyName="git", PolicyDocument=policy(*actions))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def policy(*actions: str) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


def test_the_credential_helper(host, tmp_path):
    key, url = host.server.root_key(), host.url(host.repository())
    round_trip(lambda folder, *arguments: with_helper(host, folder, key, *arguments), tmp_path, url)


def test_the_credential_helper_with_temporary_credentials(host, tmp_path):
    key, url = assumed(host), host.url(host.repository())
    round_trip(lambda folder, *arguments: with_helper(host, folder, key, *arguments), tmp_path, url)


def test_the_helper_of_a_wrong_secret_is_refused(host, tmp_path):
    url = host.url(host.repository())
    for key in ((host.server.root_key()[0], "not the secret"), ("AKIAIOSFODNN7EXAMPLE", "unknown"),
                (*assumed(host)[:2], "not the token")):
        refused = with_helper(host, tmp_path, key, "ls-remote", url, check=False)
        assert refused.returncode == 128 and f"Authentication failed for '{url}/'" in refused.stderr, refused.stderr


def remote(host: Host, folder, key: tuple[str, ...], *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
    return git(folder, *arguments, check=check, **host.environment(key))


@pytest.mark.parametrize("kind", ["long-term", "temporary"])
def test_git_remote_codecommit(secure, tmp_path, kind):
    key = secure.server.root_key() if kind == "long-term" else assumed(secure)
    url = f"codecommit://{secure.repository()}"
    round_trip(lambda folder, *arguments: remote(secure, folder, key, *arguments), tmp_path, url)


def test_git_remote_codecommit_in_another_region(secure, tmp_path):
    """Only regions of botocore's list are taken, and the repository is found in the one that the URL names."""
    key, repository = secure.server.root_key(), secure.repository("eu-west-1")
    url = f"codecommit::eu-west-1://{repository}"
    round_trip(lambda folder, *arguments: remote(secure, folder, key, *arguments), tmp_path, url)
    refused = remote(secure, tmp_path, key, "ls-remote", f"codecommit::xx-nowhere-1://{repository}", check=False)
    assert "AWS Region is not available" in refused.stderr


def test_git_remote_codecommit_with_a_profile(secure, tmp_path):
    access_key, secret = secure.server.root_key()
    (tmp_path / "credentials").write_text(f"[work]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret}\n")
    (tmp_path / "config").write_text(f"[profile work]\nregion = {REGION}\n")
    files = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "AWS_CONFIG_FILE": str(tmp_path / "config")}
    environment = {name: value for name, value in secure.environment(("", "")).items() if not name.startswith("AWS_")}
    url = f"codecommit://work@{secure.repository()}"
    round_trip(lambda folder, *arguments: git(folder, *arguments, **environment, **files), tmp_path, url)


def test_a_repository_that_is_not_there(secure, tmp_path):
    refused = remote(secure, tmp_path, secure.server.root_key(), "ls-remote", "codecommit://nowhere", check=False)
    assert refused.returncode != 0 and "not found" in refused.stderr


def test_who_may_not_is_told_403_and_not_asked_again(secure, tmp_path):
    stranger, url = user(secure), f"codecommit://{secure.repository()}"
    refused = remote(secure, tmp_path, stranger, "ls-remote", url, check=False)
    assert "The requested URL returned error: 403" in refused.stderr, refused.stderr


@pytest.mark.parametrize("who", ["user", "session"])
def test_who_may_pull_may_not_push(secure, tmp_path, who):
    url = f"codecommit://{secure.repository()}"
    key = user(secure, "codecommit:GitPull") if who == "user" else assumed(secure, Policy=policy("codecommit:GitPull"))
    remote(secure, tmp_path, key, "clone", "--quiet", url, "copy")
    git(tmp_path / "copy", "commit", "--quiet", "--allow-empty", "--message", "one")
    refused = remote(secure, tmp_path / "copy", key, "push", "origin", "HEAD:main", check=False)
    assert "The requested URL returned error: 403" in refused.stderr, refused.stderr


def test_no_secret_is_in_the_log_or_the_audit(secure):
    temporary = assumed(secure)
    with_helper(secure, "/", temporary, "ls-remote", secure.url(secure.repository()))
    seen = secure.server.tail(10_000) + "".join(
        path.read_text() for path in (secure.server.data_dir / "audit").rglob("*") if path.is_file()
    )
    assert temporary[0] not in seen or temporary[1] not in seen
    for secret in (secure.server.root_key()[1], *temporary[1:]):
        assert secret not in seen
