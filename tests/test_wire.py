"""What arrives below AWS's protocols: broken HTTP, packed floods, connections that never finish. The server lives on."""

import gzip
import pathlib
import socket
import urllib.request

import pytest

from conftest import working_copy

POST = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Target: CodeBuild_20161006.ListBuilds\r\n"
BROKEN = {
    "no HTTP": (b"\x00\xff\x16\x03\x01" * 50 + b"\r\n\r\n", b" 400 "),
    "a TLS hello": (bytes.fromhex("1603010200010001fc0303"), b" 400 "),
    "a header of two megabytes": (POST + b"X: " + b"a" * 2_000_000 + b"\r\n\r\n", b" 431 "),
    "five thousand headers": (POST + b"".join(b"X-%d: a\r\n" % number for number in range(5_000)) + b"\r\n", b" 431 "),
    "a URI of 200 KB": (b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b" 414 "),
    "a body that is cut": (POST + b"Content-Length: 100\r\n\r\n{}", b"IncompleteBody"),
    "a chunk without a length": (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"IncompleteBody"),
    "two lengths": (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b" 400 "),
    "a negative length": (POST + b"Content-Length: -2\r\n\r\n{}", b" 400 "),
}

ENDLESS = {"a TLS hello", "a body that is cut"}
"""What a server waits for more of, until the client closes."""


def connect(server) -> socket.socket:
    host, port = server.endpoint.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def memory(server) -> int:
    """The most that the server ever held, in KiB."""
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("what", BROKEN)
def test_broken_requests_are_answered(landfall, what):
    request, wanted = BROKEN[what]
    answer = b""
    with connect(landfall) as connection:
        try:
            connection.sendall(request)
            if what in ENDLESS:
                connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            pass  # The server had seen enough, and closed.
    # Closing on a client that still sends may cost it the answer.
    assert wanted in answer or (not answer and len(request) > 65_536)
    assert landfall.get("/healthz") == (200, "ok\n")


def test_a_flood_that_is_packed_small_is_not_unpacked_into_memory(landfall, tmp_path):
    landfall.client("codecommit").create_repository(repositoryName="flooded")
    working_copy(tmp_path / "work", landfall.clone_url("flooded"), {"file": "content\n"})
    before = memory(landfall)
    flood = gzip.compress(b"0032want " + b"a" * 40 + b"\n" + b"0" * (128 * 1024 * 1024), 1)
    for service in ("git-upload-pack", "git-receive-pack"):
        request = urllib.request.Request(f"{landfall.endpoint}/v1/repos/flooded/{service}", flood, {
            "Authorization": "Basic dGVzdDp0ZXN0", "Content-Type": f"application/x-{service}-request", "Content-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            assert b"not our ref" in (text := reply.read()) or b"does not follow the Git protocol" in text
    assert memory(landfall) - before < 32 * 1024


def test_connections_that_never_finish_hold_nobody_up(landfall):
    connections = [connect(landfall) for _ in range(500)]
    try:
        for connection in connections:
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n")
        assert landfall.get("/healthz") == (200, "ok\n")
        assert "projects" in landfall.client("codebuild").list_projects()
    finally:
        for connection in connections:
            connection.close()
