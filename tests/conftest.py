"""Black-box tests: unmodified clients against the built binary."""

import datetime
import hashlib
import hmac
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

import boto3
import botocore.config
import pytest
from botocore.exceptions import ClientError

ROOT = pathlib.Path(__file__).resolve().parent.parent
LANDFALL = pathlib.Path(os.environ.get("LANDFALL", ROOT / "target/debug/landfall"))
ACCOUNT = "000000000000"
REGION = "us-east-1"

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


def git_credentials(access_key: str, secret: str, host: str, path: str) -> tuple[str, str]:
    """User and password as `aws codecommit credential-helper` makes them."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%S")
    canonical = f"GIT\n{path}\n\nhost:{host}\n\nhost\n"
    scope = f"{now[:8]}/{REGION}/codecommit/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4" + secret.encode()
    for part in (now[:8], REGION, "codecommit", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return access_key, f"{now}Z{hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()}"


class Server:
    """One `landfall serve` on a data folder of its own."""

    def __init__(self, data_dir: pathlib.Path, auth: str = "open", engine: str = "sandbox", *arguments: str):
        self.data_dir = data_dir
        self.auth = auth
        self.command = [
            str(LANDFALL), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data_dir),
            "--auth", auth, "--engine", engine, *arguments,
        ]
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.environment: dict[str, str] = {}
        self.process: subprocess.Popen | None = None
        self.endpoint = ""

    def start(self) -> "Server":
        """Starts and waits for the line that tells the port."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=subprocess.PIPE, stderr=log, env={**os.environ, **self.environment}
            )
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on "), f"{line!r}; log:\n{self.tail()}"
        self.endpoint = line.removeprefix("listening on ").strip()
        return self

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=10)

    def tail(self, lines: int = 60) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def get(self, path: str) -> tuple[int, str]:
        with urllib.request.urlopen(self.endpoint + path, timeout=10) as reply:
            return reply.status, reply.read().decode()

    def root_key(self) -> tuple[str, str]:
        """The key made at first start; any will do in open mode."""
        if self.auth == "open":
            return "test", "test"
        text = (self.data_dir / "root-credentials").read_text()
        values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        values = {name.strip(): value.strip() for name, value in values.items()}
        return values["aws_access_key_id"], values["aws_secret_access_key"]

    def client(self, service: str, key: tuple[str, ...] | None = None, **settings):
        """A boto3 client; `key` is (id, secret[, session token]), the root key by default."""
        access_key, secret, *token = key or self.root_key()
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name=settings.pop("region_name", REGION),
            aws_access_key_id=access_key, aws_secret_access_key=secret,
            aws_session_token=token[0] if token else None,
            config=botocore.config.Config(retries={"max_attempts": 0}, read_timeout=90, **settings),
        )

    def clone_url(self, repository: str) -> str:
        """A URL that any git takes: a plain password in open mode, a signature in enforce mode."""
        user, password = "test", "test"
        scheme, host = self.endpoint.split("://")
        path = f"/v1/repos/{repository}"
        if self.auth == "enforce":
            user, password = git_credentials(*self.root_key(), host, path)
        return f"{scheme}://{urllib.parse.quote(user, safe='')}:{password}@{host}{path}"

    def aws(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """The aws command line, as a user of AWS_ENDPOINT_URL runs it."""
        access_key, secret = self.root_key()
        environment = {
            **os.environ, "AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret,
        }
        command = [str(pathlib.Path(sys.executable).parent / "aws"), *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert not check or result.returncode == 0, result.stderr
        return result


def sysroot() -> str:
    return subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()


VENV = pathlib.Path(sys.prefix)
"""The venv of the tests; builds see it read-only, so that they have pip, pytest and the aws CLI."""

HOST_IMAGE = (
    "--image-map", "aws/codebuild/*=host", "--host-share", sysroot(), "--host-share", str(VENV),
)


def code(call, *arguments, **members) -> str:
    """The code of the error that a call of boto3 must end with."""
    with pytest.raises(ClientError) as refused:
        call(*arguments, **members)
    return refused.value.response["Error"]["Code"]


def trust(service: str) -> str:
    """A trust policy for a service."""
    return json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


@pytest.fixture(scope="session")
def servers():
    """Starts servers and ends them with the session."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="landfall-"))
    started: list[Server] = []

    def start(auth: str = "open", engine: str = "sandbox", *arguments: str, environment: dict | None = None) -> Server:
        server = Server(folder / f"s{len(started)}", auth, engine, *arguments)
        server.environment = environment or {}
        started.append(server)
        return server.start()

    yield start
    for server in started:
        if server.process and server.process.poll() is None:
            server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def landfall(servers) -> Server:
    """The server that most tests share: open, builds in the sandbox on image `host`."""
    return servers("open", "sandbox", *HOST_IMAGE)


@pytest.fixture(scope="session")
def enforcing(servers) -> Server:
    """A server that checks signatures."""
    return servers("enforce", "sandbox", "--trust-host-image", *HOST_IMAGE)


@pytest.fixture(scope="session")
def standard(servers) -> Server:
    """A server with a standard image, also named team/tools:1: what builds take where nothing can be pulled.

    Making it takes a minute: Debian's packages are unpacked and set up, which is what the command does.
    """
    server = servers("open", "sandbox")
    parts = [word for part in ("gcc", "python", "nodejs", "rust") for word in ("--with", part)]
    command = [LANDFALL, "images", "build", "standard", *parts, "--tag", "team/tools:1", "--json", "--data-dir", server.data_dir]
    built = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert built.returncode == 0, built.stderr
    image = json.loads(built.stdout)
    assert image["references"] == ["landfall/standard:latest", "team/tools:1"] and image["bytes"] > 100_000_000
    return server


@pytest.fixture(scope="session")
def client(landfall):
    """boto3 clients of the shared server."""
    return landfall.client


def git(folder, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
    """git, without the machine's own configuration."""
    command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", "-C", str(folder), *arguments]
    quiet = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}
    result = subprocess.run(command, env={**os.environ, **quiet, **environment}, capture_output=True, text=True, timeout=120)
    assert not check or result.returncode == 0, result.stderr
    return result


def working_copy(folder: pathlib.Path, url: str, files: dict[str, str]) -> pathlib.Path:
    """A Git repository with these files committed and pushed to main."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "remote", "add", "origin", url)
    commit_and_push(folder, files)
    return folder


def commit_and_push(folder: pathlib.Path, files: dict[str, str], message: str = "change") -> str:
    """Commits these files, pushes main and answers the commit id."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    git(folder, "push", "--quiet", "origin", "main")
    return git(folder, "rev-parse", "HEAD").stdout.strip()


def eventually(check, seconds: float = 60, what: str = "the condition"):
    """Polls until `check()` is true; bounded."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.1)
