"""Black-box tests: unmodified clients against the built binary."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

import boto3
import botocore.config
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LANDFALL = pathlib.Path(os.environ.get("LANDFALL", ROOT / "target/debug/landfall"))
ACCOUNT = "000000000000"
REGION = "us-east-1"

os.environ["AWS_EC2_METADATA_DISABLED"] = "true"


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

    def aws(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """The aws command line, as a user of AWS_ENDPOINT_URL runs it."""
        access_key, secret = self.root_key()
        environment = {
            **os.environ, "AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret,
        }
        command = [str(pathlib.Path(os.sys.executable).parent / "aws"), *arguments]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
        assert not check or result.returncode == 0, result.stderr
        return result


def sysroot() -> str:
    return subprocess.run(["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True).stdout.strip()


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
    return servers("open", "sandbox", "--image-map", "aws/codebuild/*=host", "--host-share", sysroot())


@pytest.fixture(scope="session")
def enforcing(servers) -> Server:
    """A server that checks signatures."""
    return servers("enforce", "sandbox", "--trust-host-image", "--image-map", "aws/codebuild/*=host", "--host-share", sysroot())


@pytest.fixture(scope="session")
def client(landfall):
    """boto3 clients of the shared server."""
    return landfall.client


def eventually(check, seconds: float = 60, what: str = "the condition"):
    """Polls until `check()` is true; bounded."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.1)
