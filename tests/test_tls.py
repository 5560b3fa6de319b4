"""HTTPS: a local certificate authority, given files, and real clients that trust them."""

import http.client
import io
import os
import pathlib
import socket
import ssl
import stat
import subprocess
import sys
import urllib.parse
import urllib.request

import boto3
import botocore.config
import pytest
from botocore.exceptions import SSLError

from conftest import LANDFALL, REGION, Server, eventually, git, working_copy


@pytest.fixture(scope="module")
def secure(servers) -> Server:
    """A server that speaks HTTPS and checks signatures."""
    return servers("enforce", "dummy", "--tls")


@pytest.fixture(scope="module")
def ca(secure) -> str:
    return str(secure.data_dir / "tls/ca.pem")


def client(server: Server, service: str, ca: str | bool, endpoint: str | None = None, **settings):
    access_key, secret = server.root_key()
    return boto3.client(
        service, endpoint_url=endpoint or server.endpoint, region_name=REGION, verify=ca,
        aws_access_key_id=access_key, aws_secret_access_key=secret,
        config=botocore.config.Config(retries={"max_attempts": 0}, **settings),
    )


def port(server: Server) -> int:
    return urllib.parse.urlparse(server.endpoint).port


def certificate(server: Server, name: str | None, trusted: str | None = None, address: str = "127.0.0.1") -> dict:
    """Shakes hands as OpenSSL does and answers the certificate; `name` is checked where there is one."""
    context = ssl.create_default_context(cafile=trusted)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection((address, port(server)), timeout=10) as raw:
        with context.wrap_socket(raw, server_hostname=name) as wrapped:
            return wrapped.getpeercert()


def test_boto3_trusts_the_authority_and_nobody_else_does(secure, ca):
    assert secure.endpoint.startswith("https://127.0.0.1:")
    assert client(secure, "sts", ca).get_caller_identity()["Arn"] == "arn:aws:iam::000000000000:root"
    with pytest.raises(SSLError):
        client(secure, "sts", True).get_caller_identity()


def test_the_key_of_the_authority_is_for_the_owner_only(secure):
    folder = secure.data_dir / "tls"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "ca.key", folder / "ca.pem")}
    assert modes == {"tls": 0o700, "ca.key": 0o600, "ca.pem": 0o644}


@pytest.mark.parametrize(
    "name", ["127.0.0.1", "localhost", "bucket.s3.localhost", "stream-logs.localhost", "a.b.c.localhost"]
)
def test_every_local_name_is_certified(secure, ca, name):
    assert certificate(secure, name, ca)["issuer"][0] == (("organizationName", "Landfall"),)


def test_foreign_names_are_not_certified(secure, ca):
    with pytest.raises(ssl.SSLCertVerificationError):
        certificate(secure, "evil.example", ca)


def test_the_public_url_is_certified_and_a_restart_keeps_the_authority(servers):
    server = servers("enforce", "dummy", "--tls", "--public-url", "https://ci.example:8443")
    trusted = str(server.data_dir / "tls/ca.pem")
    before = pathlib.Path(trusted).read_text()
    for name in ("ci.example", "bucket.s3.ci.example", "stream-ci.example"):
        certificate(server, name, trusted)
    server.stop()
    server.command[-1] = "https://other.example"
    server.start()
    assert pathlib.Path(trusted).read_text() == before
    certificate(server, "other.example", trusted)
    with pytest.raises(ssl.SSLCertVerificationError):
        certificate(server, "ci.example", trusted)
    server.stop()


def test_an_address_by_which_a_client_comes_is_certified(servers):
    """A server on all addresses cannot know them before; 127.0.0.9 stands for one of them."""
    server = servers("enforce", "dummy", "--tls")
    server.stop()
    server.command = [argument.replace("127.0.0.1:0", "0.0.0.0:0") for argument in server.command]
    server.start()
    trusted = str(server.data_dir / "tls/ca.pem")
    certificate(server, "127.0.0.9", trusted, address="127.0.0.9")
    server.stop()


def test_http2_and_http11_are_offered(secure, ca):
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1")):
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(offered)
        with socket.create_connection(("127.0.0.1", port(secure)), timeout=10) as raw:
            with context.wrap_socket(raw, server_hostname="localhost") as wrapped:
                assert wrapped.selected_alpn_protocol() == chosen


def test_curl_speaks_http2(secure, ca):
    done = subprocess.run(
        ["curl", "--silent", "--http2", "--cacert", ca, "--write-out", " %{http_version}", f"https://localhost:{port(secure)}/healthz"],
        capture_output=True, text=True, timeout=20, check=True,
    )
    assert done.stdout == "ok\n 2"


def test_plain_http_is_told_to_use_https(secure):
    connection = http.client.HTTPConnection("127.0.0.1", port(secure), timeout=10)
    connection.request("GET", "/healthz")
    reply = connection.getresponse()
    assert reply.status == 400 and b"speaks HTTPS" in reply.read()


def test_strangers_that_do_not_speak_hold_nobody_up(secure, ca):
    silent = [socket.create_connection(("127.0.0.1", port(secure)), timeout=30) for _ in range(50)]
    try:
        silent[0].sendall(b"\x16\x03\x01")
        assert client(secure, "sts", ca).get_caller_identity()["Account"]
    finally:
        for stranger in silent:
            stranger.close()


def test_urls_in_replies_are_https(secure, ca):
    made = client(secure, "codecommit", ca).create_repository(repositoryName="secure")["repositoryMetadata"]
    assert made["cloneUrlHttp"] == f"{secure.endpoint}/v1/repos/secure"


def test_a_streamed_upload_with_trailers(secure, ca):
    """Over HTTPS boto3 sends `aws-chunked` with a trailing checksum: a server tested over HTTP alone never sees it."""
    sent = []
    s3 = client(secure, "s3", ca)
    s3.meta.events.register("before-send.s3.PutObject", lambda request, **_: sent.append(dict(request.headers)))
    s3.create_bucket(Bucket="secure-bucket")
    body = os.urandom(3_000_000)
    s3.put_object(Bucket="secure-bucket", Key="file", Body=io.BytesIO(body))
    framed = {name.lower(): value for name, value in sent[0].items()}
    assert framed["x-amz-content-sha256"] in ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
    assert s3.get_object(Bucket="secure-bucket", Key="file")["Body"].read() == body


def test_git_over_https(servers, tmp_path):
    server = servers("open", "dummy", "--tls")
    trusted = str(server.data_dir / "tls/ca.pem")
    boto3.client("codecommit", endpoint_url=server.endpoint, region_name=REGION, verify=trusted,
                 aws_access_key_id="test", aws_secret_access_key="test").create_repository(repositoryName="app")
    url = f"https://test:test@localhost:{port(server)}/v1/repos/app"
    refused = git(tmp_path, "ls-remote", url, check=False)
    assert refused.returncode != 0 and "certificate" in refused.stderr
    os.environ["GIT_SSL_CAINFO"] = trusted
    try:
        working_copy(tmp_path / "copy", url, {"file": "text\n"})
        assert "refs/heads/main" in git(tmp_path, "ls-remote", url).stdout
    finally:
        del os.environ["GIT_SSL_CAINFO"]
    server.stop()


def test_an_open_server_refuses_foreign_hosts_over_http2_too(servers):
    """HTTP/2 names the host in `:authority`, not in a header."""
    server = servers("open", "dummy", "--tls")
    trusted = str(server.data_dir / "tls/ca.pem")
    def status(host: str) -> str:
        name = f"{host}:{port(server)}"
        return subprocess.run(
            ["curl", "--silent", "--http2", "--insecure", "--cacert", trusted, "--output", "/dev/null", "--write-out",
             "%{http_code}", "--connect-to", f"{name}:127.0.0.1:{port(server)}", f"https://{name}/healthz"],
            capture_output=True, text=True, timeout=20,
        ).stdout
    assert (status("localhost"), status("evil.example")) == ("200", "403")
    server.stop()


def openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=30)


def make_certificate(folder: pathlib.Path, name: str) -> None:
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
            "-keyout", str(folder / "new.key"), "-out", str(folder / "new.pem"))
    (folder / "new.key").rename(folder / "key.pem")
    (folder / "new.pem").rename(folder / "cert.pem")


def test_given_files_are_served_and_read_again(servers, tmp_path):
    """Takes some seconds: the files are looked at every five."""
    make_certificate(tmp_path, "one.example")
    server = servers("enforce", "dummy", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    assert server.endpoint.startswith("https://")
    trusted = str(tmp_path / "cert.pem")
    certificate(server, "one.example", trusted)
    assert not (server.data_dir / "tls").exists()
    make_certificate(tmp_path, "two.example")

    def renewed() -> bool:
        try:
            return bool(certificate(server, "two.example", trusted))
        except ssl.SSLCertVerificationError:
            return False

    eventually(renewed, 30, "the new certificate")
    server.stop()


@pytest.mark.parametrize("arguments, sentence", [
    (["--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"], "/nowhere/cert.pem"),
    (["--tls-cert", "/nowhere/cert.pem"], "--tls-key"),
])
def test_files_that_cannot_be_used_are_refused(tmp_path, arguments, sentence):
    refused = subprocess.run([str(LANDFALL), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data"), *arguments],
                             capture_output=True, text=True, timeout=30)
    assert refused.returncode in (1, 2) and sentence in refused.stderr


def landfall(*arguments: str, cwd: pathlib.Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([str(LANDFALL), *arguments], cwd=cwd, capture_output=True, text=True, timeout=30)


def test_tls_ca_prints_the_certificate(secure, ca):
    printed = landfall("tls", "ca", "--data-dir", str(secure.data_dir))
    assert printed.stdout == pathlib.Path(ca).read_text()
    assert printed.stdout.startswith("-----BEGIN CERTIFICATE-----")


def test_a_folder_that_is_no_servers_has_no_authority_to_trust(tmp_path):
    for command in ("ca", "trust"):
        for folder in ([], ["--data-dir", str(tmp_path)]):
            refused = landfall("tls", command, *folder, cwd=tmp_path)
            assert refused.returncode == 1 and "--data-dir" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_the_authority_may_be_made_before_the_server_first_starts(servers):
    server = servers("enforce", "dummy")
    server.stop()
    printed = landfall("tls", "ca", "--data-dir", str(server.data_dir)).stdout
    server.command.append("--tls")
    server.start()
    assert (server.data_dir / "tls/ca.pem").read_text() == printed
    certificate(server, "localhost", str(server.data_dir / "tls/ca.pem"))
    server.stop()


def test_tls_trust_says_what_it_would_do(secure, ca):
    shown = landfall("tls", "trust", "--dry-run", "--data-dir", str(secure.data_dir))
    assert shown.stdout == f"cp {ca} /usr/local/share/ca-certificates/landfall.crt\nupdate-ca-certificates\n"
    for variable in ("AWS_CA_BUNDLE", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"):
        assert variable in shown.stderr
    assert not pathlib.Path("/usr/local/share/ca-certificates/landfall.crt").exists()


IN_A_ROOT_OF_ITS_OWN = """
set -e
mount -t tmpfs tmpfs /mnt
for folder in /etc/ssl /usr/local/share; do
    name=$(basename $folder)
    mkdir -p /mnt/$name/upper /mnt/$name/work
    mount -t overlay overlay -o lowerdir=$folder,upperdir=/mnt/$name/upper,workdir=/mnt/$name/work $folder
done
curl --silent --show-error "$2/healthz" && exit 3
"$1" tls trust --data-dir "$3"
curl --silent --show-error "$2/healthz"
git ls-remote "$4"
"$1" tls trust --data-dir "$3" 2>/dev/null
"$5" -c 'import boto3, sys; print(boto3.client("sts", endpoint_url=sys.argv[1]).get_caller_identity()["Arn"])' "$2"
"""


def test_tls_trust_lets_the_machine_trust_the_server(servers):
    """In a mount namespace, where the machine's own authorities stay as they are. Takes seconds: the bundle is made anew
    twice by the system's program."""
    server = servers("open", "dummy", "--tls")
    client(server, "codecommit", str(server.data_dir / "tls/ca.pem")).create_repository(repositoryName="trusted")
    environment = {
        "PATH": os.environ["PATH"], "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt", "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent",
    }
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", IN_A_ROOT_OF_ITS_OWN, "sh", str(LANDFALL), server.endpoint, str(server.data_dir),
         server.clone_url("trusted"), sys.executable],
        env=environment, capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "ok\narn:aws:iam::000000000000:root\n"
    assert not pathlib.Path("/usr/local/share/ca-certificates/landfall.crt").exists()
    server.stop()
