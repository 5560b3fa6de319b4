"""Hosts of deployments: namespaces of their own with `landfall-agent host` in them."""

import os
import pathlib
import socket
import subprocess
import threading

from conftest import LANDFALL, REGION, eventually

AGENT = LANDFALL.with_name("landfall-agent")


class Forwarder:
    """Carries connections of a Unix socket to the server's port, as the demo does for its hosts."""

    def __init__(self, path: pathlib.Path, server):
        self.server = server
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        self.socket.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            try:
                inside, _ = self.socket.accept()
            except OSError:
                return
            host, port = self.server.endpoint.removeprefix("http://").split(":")
            try:
                outside = socket.create_connection((host, int(port)))
            except OSError:
                inside.close()
                continue
            for source, target in ((inside, outside), (outside, inside)):
                threading.Thread(target=self.copy, args=(source, target), daemon=True).start()

    @staticmethod
    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            target.close()

    def close(self) -> None:
        self.socket.close()


class Host:
    """A registered on-premises instance that runs; own processes, mounts and network."""

    def __init__(self, server, name: str, folder: pathlib.Path, tag: tuple[str, str]):
        self.name = name
        iam, codedeploy = server.client("iam"), server.client("codedeploy")
        user = iam.create_user(UserName=name, Path="/AWS/CodeDeploy/")["User"]["Arn"]
        self.key = iam.create_access_key(UserName=name)["AccessKey"]
        codedeploy.register_on_premises_instance(instanceName=name, iamUserArn=user)
        codedeploy.add_tags_to_on_premises_instances(instanceNames=[name], tags=[{"Key": tag[0], "Value": tag[1]}])
        folder.mkdir(parents=True)
        configuration = folder / "host.yml"
        configuration.write_text(
            f"region: {REGION}\niam_user_arn: {user}\naws_access_key_id: {self.key['AccessKeyId']}\n"
            f"aws_secret_access_key: {self.key['SecretAccessKey']}\n"
        )
        self.forwarder = Forwarder(folder / "aws.sock", server)
        # Own /opt, /run and /var/log; what a release installs there ends with the host.
        script = (
            "for place in /opt /run /var/log; do mount -t tmpfs host $place || exit 1; done; "
            f"ip link set lo up && exec {AGENT} host --config {configuration}"
        )
        self.log = (folder / "agent.log").open("wb")
        self.process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--mount-proc", "--net", "--fork", "--kill-child", "sh", "-c", script],
            env={**os.environ, "LANDFALL_SOCKETS": str(folder)}, stdout=self.log, stderr=subprocess.STDOUT,
        )

    def run(self, *command: str) -> str:
        """Runs a command inside and answers what it printed."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        [inside] = eventually(lambda: children.read_text().split(), 10, "the host's first process")
        entered = ["nsenter", "--target", inside, "--mount", "--pid", "--net", *command]
        return subprocess.run(entered, capture_output=True, text=True, timeout=30, check=True).stdout

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)
        self.forwarder.close()
        self.log.close()
