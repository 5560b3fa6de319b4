"""Images made by tests: a static busybox in a docker archive, in an OCI layout, and in a registry on loopback."""

import base64
import contextlib
import functools
import hashlib
import http.server
import io
import json
import pathlib
import re
import shutil
import subprocess
import tarfile
import threading

from conftest import LANDFALL

ARCHITECTURE = "amd64"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


@functools.cache
def agents_libraries() -> list[pathlib.Path]:
    """What a development build of the agent is linked with; the one that scripts/build makes needs nothing."""
    listed = subprocess.run(["ldd", LANDFALL.with_name("landfall-agent")], capture_output=True, text=True)
    return [pathlib.Path(found) for found in re.findall(r"(/\S+) \(0x", listed.stdout)]


def layer(files: dict[str, str | bytes] | None = None) -> bytes:
    """A root with busybox's commands, and these files besides."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        def add(name: str, data: bytes, mode: int):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))

        for folder in ("bin", "etc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            archive.addfile(entry)
        add("bin/busybox", pathlib.Path(shutil.which("busybox")).read_bytes(), 0o755)
        for name in ("sh", "cat", "echo", "env", "ls", "mkdir", "sleep", "true", "uname"):
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
        for path in agents_libraries():
            add(str(path).lstrip("/"), path.read_bytes(), 0o755)
        for name, data in {"etc/passwd": "root:x:0:0::/root:/bin/sh\n", **(files or {})}.items():
            add(name, data.encode() if isinstance(data, str) else data, 0o644)
    return content.getvalue()


def config(root: bytes, environment: dict[str, str] | None = None) -> bytes:
    return json.dumps({
        "architecture": ARCHITECTURE, "os": "linux", "created": "2026-01-01T00:00:00Z",
        "config": {"Env": ["PATH=/bin", *(f"{name}={value}" for name, value in (environment or {}).items())]},
        "rootfs": {"type": "layers", "diff_ids": [digest(root)]},
    }).encode()


def docker_archive(path: pathlib.Path, tag: str | None, files: dict[str, str] | None = None, **environment: str) -> pathlib.Path:
    """As `docker save` writes it."""
    root = layer(files)
    described = config(root, environment)
    name = digest(described).removeprefix("sha256:") + ".json"
    manifest = [{"Config": name, "RepoTags": [tag] if tag else None, "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        for file, data in ((name, described), ("layer.tar", root), ("manifest.json", json.dumps(manifest).encode())):
            entry = tarfile.TarInfo(file)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def content(files: dict[str, str] | None = None, **environment: str) -> tuple[bytes, dict[str, bytes]]:
    """An image's manifest, and its blobs by digest."""
    root = layer(files)
    described = config(root, environment)
    blob = lambda kind, data: {"mediaType": kind, "digest": digest(data), "size": len(data)}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": blob(CONFIG, described), "layers": [blob(LAYER, root)]}
    return json.dumps(manifest).encode(), {digest(data): data for data in (described, root)}


def oci_layout(folder: pathlib.Path, **environment: str) -> pathlib.Path:
    """As `skopeo copy … oci:FOLDER` writes it."""
    manifest, blobs = content(**environment)
    (folder / "blobs/sha256").mkdir(parents=True)
    for data in (manifest, *blobs.values()):
        (folder / "blobs/sha256" / digest(data).removeprefix("sha256:")).write_bytes(data)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    entry = {"mediaType": MANIFEST, "digest": digest(manifest), "size": len(manifest)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return folder


@contextlib.contextmanager
def registry(manifest: bytes, blobs: dict[str, bytes], user: str = "", password: str = ""):
    """A registry on loopback with one image under every name; with a user it wants Basic credentials."""
    wanted = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode() if user else None

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self, status: int, data: bytes, **headers: str):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def do_GET(self):
            last = self.path.rsplit("/", 1)[1]
            if wanted and self.headers.get("Authorization") != wanted:
                self.reply(401, b"{}", WWW_Authenticate='Basic realm="test"')
            elif "/manifests/" in self.path and last != "absent":
                self.reply(200, manifest, Content_Type=MANIFEST, Docker_Content_Digest=digest(manifest))
            elif "/blobs/" in self.path and last in blobs:
                self.reply(200, blobs[last], Content_Type="application/octet-stream")
            elif self.path == "/v2/":
                self.reply(200, b"{}")
            else:
                self.reply(404, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "unknown"}]}).encode())

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def docker_import(daemon: str, tree: pathlib.Path, reference: str) -> None:
    """Makes an image of a folder's files in a Docker daemon."""
    with subprocess.Popen(["tar", "--create", "--directory", tree, "."], stdout=subprocess.PIPE) as packer:
        done = subprocess.run(["docker", "--host", daemon, "import", "-", reference], stdin=packer.stdout, capture_output=True, timeout=300)
    assert (packer.returncode, done.returncode) == (0, 0), done.stderr
