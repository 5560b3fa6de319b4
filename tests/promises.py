"""A walk through a server in steps that may be walked again after the server died at any of them.

Each step looks first and makes what is missing. What the server acknowledged becomes a promise, checked after each
restart and at the end; nothing that was promised is ever made a second time.
"""

import pathlib
import threading

from botocore.exceptions import ClientError

from commands import run
from conftest import Server

making_clients = threading.Lock()
"""boto3's default session makes one client at a time."""


class CommandDied(Exception):
    """A command line of the server's own died, as it was armed to."""


class Walk:
    """The walk, and what it was promised on the way. A journey adds its steps, in order."""

    AUTH, ENGINE = "enforce", "dummy"
    OPTIONS: tuple[str, ...] = ()
    """How the journey's server is started."""

    def __init__(self, server: Server, folder: pathlib.Path):
        self.server, self.folder = server, folder
        self.clients: dict[str, object] = {}
        self.promises: dict[str, object] = {}
        folder.mkdir(parents=True)

    def steps(self) -> list:
        raise NotImplementedError

    def check(self) -> None:
        """What must hold at the end, while the server runs."""
        raise NotImplementedError

    def walk(self) -> None:
        """From the start to the end, over what is there."""
        self.keep_promises()
        for step in self.steps():
            step()

    def keep_promises(self) -> None:
        """Fails with the name of the first promise that the server has not kept."""
        for name, kept in self.promises.items():
            assert kept(), f"acknowledged, then lost: {name}"

    def rest(self) -> None:
        """Ends what lives beside the server."""

    def client(self, service: str):
        with making_clients:
            if service not in self.clients:
                self.clients[service] = self.server.client(service)
        return self.clients[service]

    def ensure(self, name: str, look, make) -> None:
        """Makes it unless `look()` finds it; then it is promised."""
        if name not in self.promises:
            if not found(look):
                make()
            self.promises[name] = lambda: found(look)

    def once(self, name: str, act, holds) -> None:
        """Acts until it is acknowledged, and never again; from then on `holds()` is promised."""
        if name not in self.promises:
            act()
            self.promises[name] = holds

    def command(self, *arguments) -> str:
        """Runs a command line of the server's own, armed as the server is; its stdout."""
        done = run(*arguments, check=False, **self.server.environment)
        if done.returncode < 0:
            raise CommandDied(arguments[0], done.stderr)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout


def found(look, *absent: str):
    """What `look()` gives; nothing if the server says that it is not there (or one of `absent`)."""
    try:
        return look() or False
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "404" or code in absent or any(sign in code for sign in ("NoSuch", "NotFound", "DoesNotExist", "NotRegistered")):
            return False
        raise
