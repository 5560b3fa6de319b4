"""Images of a real registry and of real tools' files, by `landfall images`: TLS, compressions, deaths in the middle."""

import contextlib
import json
import pathlib
import random
import subprocess

import pytest

import image_files
from conftest import LANDFALL
from registries import Registry, save, tar


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with contextlib.closing(Registry(tmp_path_factory.mktemp("registry") / "registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> pathlib.Path:
    many = [(f"many/{number}", f"{number}" * 50) for number in range(2000)]
    layers = [image_files.layer(), tar([("many/", ""), *many]), tar([("many/.wh.7", ""), ("last", "last")])]
    return save(tmp_path_factory.mktemp("image") / "image.tar", layers)


def images(data: pathlib.Path, *arguments: str | pathlib.Path) -> subprocess.CompletedProcess:
    command = [LANDFALL, "images", *arguments, "--data-dir", data]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def listed(data: pathlib.Path) -> list[dict]:
    return json.loads(images(data, "ls", "--json").stdout)


def id_of(archive: pathlib.Path) -> str:
    shown = ["skopeo", "inspect", "--config", "--raw", f"docker-archive:{archive}"]
    return image_files.digest(subprocess.run(shown, check=True, capture_output=True, timeout=30).stdout)


def test_a_registry_under_tls_needs_a_certificate_that_is_known(tmp_path, archive):
    authority = tmp_path / "authority.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    signed = ["-CA", authority, "-CAkey", tmp_path / "authority.key", "-addext", "basicConstraints=critical,CA:FALSE",
              "-addext", "subjectAltName=IP:127.0.0.1"]
    for name, *more in (("authority",), ("registry", *signed)):
        files = ["-keyout", tmp_path / f"{name}.key", "-out", tmp_path / f"{name}.pem"]
        subprocess.run([*new, "-subj", f"/CN={name}", *files, *more], check=True, capture_output=True, timeout=30)
    tls = f", tls: {{certificate: {tmp_path}/registry.pem, key: {tmp_path}/registry.key}}"
    with contextlib.closing(Registry(tmp_path / "registry", tls)) as registry:
        registry.push(archive, "app:1")
        refused = images(tmp_path / "data", "pull", f"{registry.address}/app:1")
        assert refused.returncode == 1 and "--registry-ca" in refused.stderr, refused.stderr
        pulled = images(tmp_path / "data", "pull", f"{registry.address}/app:1", "--registry-ca", authority)
        assert pulled.returncode == 0, pulled.stderr
        [image] = listed(tmp_path / "data")
        assert image["id"] == id_of(archive)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_what_real_tools_compress_is_pulled(tmp_path, registry, archive, compression):
    """Takes seconds: two thousand files, by a binary that is not optimized."""
    name = f"compressed-{compression}:1"
    registry.push(archive, name, "--dest-compress-format", compression, "--format", "oci")
    pulled = images(tmp_path / "data", "pull", f"{registry.address}/{name}")
    assert pulled.returncode == 0, pulled.stderr
    [image] = listed(tmp_path / "data")
    assert len(list(tmp_path.glob("data/images/layers/*/tree/many/*"))) == 2001, "2000 files, and a mark that one is gone"
    [whiteout] = [
        path for path in tmp_path.glob("data/images/layers/*/tree/many/7") if path.is_char_device()]
    assert whiteout.stat().st_rdev == 0 and image["id"].startswith("sha256:")


def test_layouts_and_archives_of_real_tools_are_loaded(tmp_path, archive):
    kinds = {"oci": "layout", "oci-archive": "oci.tar", "docker-archive": "docker.tar"}
    for kind, name in kinds.items():
        place = f"{kind}:{tmp_path / name}:team/app:1"
        subprocess.run(["skopeo", "copy", "--quiet", f"docker-archive:{archive}", place], check=True, timeout=60)
        loaded = images(tmp_path / kind, "load", tmp_path / name)
        assert loaded.returncode == 0, loaded.stderr
        [image] = listed(tmp_path / kind)
        assert image["references"] == ["team/app:1"], image
    assert image["id"] == id_of(archive)


def test_a_pull_that_is_killed_anywhere_leaves_a_store_that_works(tmp_path, registry, archive):
    """Takes seconds: a dozen pulls, of which each is killed a little later than the one before."""
    registry.push(archive, "killed:1")
    data, reference = tmp_path / "data", f"{registry.address}/killed:1"
    chance = random.Random(7)
    for attempt in range(12):
        pull = subprocess.Popen(
            [LANDFALL, "images", "pull", reference, "--data-dir", data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # Where it dies is left to chance on purpose: every place must do.
        with contextlib.suppress(subprocess.TimeoutExpired):
            pull.wait(0.01 * attempt + 0.02 * chance.random())
        pull.kill()
        pull.wait(timeout=10)
    pulled = images(data, "pull", reference)
    assert pulled.returncode == 0, pulled.stderr
    assert len(list(data.glob("images/layers/*/tree/many/*"))) == 2001
    removed = images(data, "rm", reference)
    assert removed.returncode == 0, removed.stderr
    collected = images(data, "gc", "--unused-for", "0s")
    assert collected.returncode == 0, collected.stderr
    for left in ("layers", "images", "names", "l", "blobs"):
        assert list((data / "images" / left).iterdir()) == [], left
