"""A real registry on loopback, Debian's docker-registry, and what is pushed to it."""

import io
import json
import pathlib
import re
import subprocess
import tarfile

import image_files
from conftest import eventually


class Registry:
    """docker-registry with its files in a folder, on a port that the kernel chose."""

    def __init__(self, folder: pathlib.Path, tls: str = ""):
        folder.mkdir()
        self.folder = folder
        self.log = folder / "log"
        configuration = folder / "config.yml"
        configuration.write_text(
            "version: 0.1\nlog: {level: info, accesslog: {disabled: false}}\n"
            f"storage: {{filesystem: {{rootdirectory: {folder}/files}}}}\nhttp: {{addr: '127.0.0.1:0'{tls}}}\n")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", str(configuration)], stdout=log, stderr=subprocess.STDOUT)
        listening = eventually(
            lambda: re.search(r"listening on (127\.0\.0\.1:\d+)", self.log.read_text()), 30, "docker-registry's port")
        self.address = listening[1]

    def close(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def push(self, archive: pathlib.Path, name: str, *arguments: str) -> None:
        subprocess.run(
            ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", *arguments,
             f"docker-archive:{archive}", f"docker://{self.address}/{name}"],
            check=True, capture_output=True, text=True, timeout=60, env={"HOME": str(self.folder), "PATH": "/usr/bin:/bin"})

    def blobs_handed_out(self) -> int:
        return len(re.findall(r'"GET /v2/\S+/blobs/\S+ HTTP/1.1" 200', self.log.read_text()))


def tar(entries: list[tuple[str, str | bytes]]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, data in entries:
            entry = tarfile.TarInfo(name)
            if name.endswith("/"):
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
                continue
            data = data.encode() if isinstance(data, str) else data
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return content.getvalue()


def save(path: pathlib.Path, layers: list[bytes], **config: object) -> pathlib.Path:
    """An image of these layers, as `docker save` writes it."""
    described = json.dumps({
        "architecture": image_files.ARCHITECTURE, "os": "linux", "config": {"Env": ["PATH=/bin"], **config},
        "rootfs": {"type": "layers", "diff_ids": [image_files.digest(layer) for layer in layers]},
    })
    files = [(f"{number}.tar", layer) for number, layer in enumerate(layers)]
    manifest = [{"Config": "config.json", "RepoTags": [], "Layers": [name for name, _ in files]}]
    path.write_bytes(tar([("config.json", described), *files, ("manifest.json", json.dumps(manifest))]))
    return path
