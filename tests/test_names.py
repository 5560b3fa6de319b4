"""AWS's names inside of builds: real clients that were told nothing of Landfall reach it, with their signatures checked.

Builds start in a second or less; each call of the aws command line takes most of another.
"""

import base64
import json
import pathlib
import re
import subprocess
import textwrap

import pytest

import pipelines
from test_docker_engine import Daemon, image_map
from conftest import ACCOUNT, HOST_IMAGE, REGION, Server, eventually, git

REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
GIT = f"git-codecommit.{REGION}.amazonaws.com"
BUNDLE = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")


class Builds:
    """One project whose builds run what a test says."""

    def __init__(self, server: Server, image: str = "aws/codebuild/standard:7.0"):
        self.server = server
        pipelines.project(
            server, "names", source={"type": "NO_SOURCE", "buildspec": "version: 0.2\n"}, artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": image, "computeType": "BUILD_GENERAL1_SMALL"},
        )

    def run(self, *commands: str, without_endpoint: bool = True, env: dict | None = None, **overrides) -> str:
        """Runs the commands in one shell of a build, without any hint of an endpoint, and answers what they wrote."""
        script = "\n".join([*(["unset AWS_ENDPOINT_URL"] if without_endpoint else []), *map(textwrap.dedent, commands)])
        # The log shows each command: so encoded, what the script says is not taken for what it wrote.
        hidden = base64.b64encode(script.encode()).decode()
        command = f"echo {hidden} | base64 -d >/tmp/script && bash -e /tmp/script"
        spec = json.dumps({"version": "0.2", "env": env or {}, "phases": {"build": {"commands": [command]}}})
        codebuild = self.server.client("codebuild")
        build = codebuild.start_build(projectName="names", buildspecOverride=spec, **overrides)["build"]["id"]

        def ended():
            [found] = codebuild.batch_get_builds(ids=[build])["builds"]
            return found["buildComplete"] and found

        found = eventually(ended, 60, f"the end of {build}")
        place = found["logs"]
        events = self.server.client("logs").get_log_events(
            logGroupName=place["groupName"], logStreamName=place["streamName"], startFromHead=True)["events"]
        lines = [event["message"] for event in events]
        assert found["buildStatus"] == "SUCCEEDED", "".join(lines)
        return "".join(line for line in lines if not line.startswith("[Container]"))


@pytest.fixture(scope="module")
def builds(servers) -> Builds:
    """In enforce mode, on image `host`, without a way out: nobody but Landfall can answer."""
    return Builds(servers("enforce", "sandbox", "--trust-host-image", "--build-network", "none", *HOST_IMAGE))


def python(script: str) -> str:
    """A command that runs a script by Debian's own Python, which has no packages of ours."""
    return f"/usr/bin/python3 - <<'EOF'\n{textwrap.dedent(script)}\nEOF"


def test_the_aws_command_line_goes_to_its_usual_endpoints(builds, tmp_path):
    """STS, and S3 by a bucket's own host with a body in signed chunks, as they are over HTTPS."""
    s3 = builds.server.client("s3")
    s3.create_bucket(Bucket="by.name")
    s3.create_bucket(Bucket="by-name")
    log = builds.run(
        "aws sts get-caller-identity --query Arn --output text",
        "echo from a build > file",
        "aws s3 cp file s3://by-name/a/key --no-progress",
        "aws s3 cp file s3://by.name/a/key --no-progress",
        "aws s3 ls s3://by-name/a/",
    )
    assert f"arn:aws:sts::{ACCOUNT}:assumed-role/names-build/AWSCodeBuild-" in log
    assert s3.get_object(Bucket="by-name", Key="a/key")["Body"].read() == b"from a build\n"
    assert s3.get_object(Bucket="by.name", Key="a/key")["Body"].read() == b"from a build\n"
    assert re.search(r" 13 key", log)


def test_git_clones_and_pushes_by_codecommits_own_url(builds, tmp_path):
    builds.server.client("codecommit").create_repository(repositoryName="by-name")
    log = builds.run(
        "git config --global credential.helper '!aws codecommit credential-helper $@'",
        "git config --global credential.UseHttpPath true",
        "git config --global user.name Build && git config --global user.email build@example.org",
        f"git clone https://{GIT}/v1/repos/by-name work && cd work",
        "git checkout -q -b main && echo text > file && git add file && git commit -q -m 'From a build'",
        "git push -q origin main",
        f"git ls-remote https://{GIT}/v1/repos/by-name refs/heads/main",
    )
    assert "refs/heads/main" in log
    git(tmp_path, "clone", "--quiet", builds.server.clone_url("by-name"), "copy")
    assert (tmp_path / "copy/file").read_text() == "text\n"


def test_codebuilds_own_credential_helper_needs_no_aws_command_line(builds, tmp_path):
    """`git-credential-helper: yes`, by CodeCommit's name and by the endpoint; other hosts' passwords are not its business."""
    builds.server.client("codecommit").create_repository(repositoryName="helped")
    log = builds.run(
        "export PATH=/usr/bin:/bin; git config --global user.name Build && git config --global user.email build@example.org",
        f"git clone -q https://{GIT}/v1/repos/helped work && cd work",
        "git checkout -q -b main && echo text > file && git add file && git commit -q -m 'From a build'",
        "git push -q origin main",
        "git ls-remote http://127.0.0.1:4566/v1/repos/helped",
        "printf 'protocol=https\\nhost=github.com\\npath=x\\n\\n' | GIT_TERMINAL_PROMPT=0 git credential fill 2>&1 || echo not ours",
        env={"git-credential-helper": "yes"},
    )
    assert "refs/heads/main" in log and "not ours" in log
    git(tmp_path, "clone", "--quiet", builds.server.clone_url("helped"), "copy")
    assert (tmp_path / "copy/file").read_text() == "text\n"


def test_who_signs_wrongly_is_refused_by_name_too(builds):
    log = builds.run(
        "AWS_SECRET_ACCESS_KEY=wrong AWS_ACCESS_KEY_ID=AKIAWRONGWRONGWRONG1 aws sts get-caller-identity 2>&1 || echo refused",
        f"GIT_TERMINAL_PROMPT=0 git ls-remote https://user:wrong@{GIT}/v1/repos/by-name 2>&1 || echo no entry",
    )
    assert "InvalidClientTokenId" in log and "refused\n" in log and "no entry\n" in log


def test_every_tls_library_trusts_the_names(builds):
    """curl has OpenSSL, git and wget GnuTLS; Python reads a folder by hashes; Node.js and requests are told by variables."""
    url = f"https://sts.{REGION}.amazonaws.com/healthz"
    log = builds.run(
        f"curl --silent --show-error {url}",
        f"""openssl s_client -verify_return_error -brief -connect codebuild.{REGION}.amazonaws.com:443 </dev/null 2>&1 | grep -q ESTABLISHED""",
        python(f"import urllib.request; print('urllib', urllib.request.urlopen('{url}').read())"),
        python("import ssl; print('authorities', len(ssl.create_default_context(cafile=__import__('os').environ['SSL_CERT_FILE']).get_ca_certs()))"),
        f"python3 -c \"import botocore.httpsession as h, botocore.awsrequest as r; print('certifi', h.URLLib3Session(verify='$REQUESTS_CA_BUNDLE').send(r.AWSRequest('GET', '{url}').prepare()).content)\"",
        'openssl x509 -in "$NODE_EXTRA_CA_CERTS" -noout -subject',
    )
    assert log.count("ok\n") >= 1 and "urllib b'ok\\n'" in log and "certifi b'ok\\n'" in log
    assert int(re.search(r"authorities (\d+)", log)[1]) > 20, "the system's own are still there"
    assert "CN = Landfall builds CA" in log


def test_the_registrys_host_is_landfalls(builds):
    log = builds.run(
        f"curl --silent --dump-header - https://{REGISTRY}/v2/",
        f"curl --silent --dump-header - http://{REGISTRY}/v2/",
        f"aws ecr describe-repositories 2>&1 || true",
        f"openssl x509 -noout -subject -in /etc/docker/certs.d/{REGISTRY}/ca.crt",
    )
    assert log.lower().count("x-amzn-requestid: ") == 2
    assert "NotImplemented" in log or "repositories" in log
    assert "CN = Landfall builds CA" in log


def test_the_daemon_of_a_privileged_build_reaches_the_registry_by_its_name(builds):
    """The daemon takes seconds to start. Its own resolver and authorities are the build's, as its answer tells."""
    log = builds.run(
        f"echo password | docker login --username AWS --password-stdin {REGISTRY} 2>&1 || true",
        f"docker pull {REGISTRY}/app:1 2>&1 || true",
        privilegedModeOverride=True,
    )
    assert "x509" not in log and "no such host" not in log and log.count("501 Not Implemented") == 2, log


def test_the_usual_endpoint_of_every_service_and_variant_leads_here(builds):
    """What boto3 itself would call, for each service that Landfall knows."""
    log = builds.run(
        """
        python3 - <<'EOF'
        import socket, urllib.parse, boto3, botocore.config
        services = '''codebuild codecommit codedeploy codepipeline codeconnections codestar-connections ecr events iam kms logs
            secretsmanager sns ssm sts s3 cloudformation codestar-notifications s3control'''.split()
        seen, outside = set(), []
        for service in services:
            for region in ("us-east-1", "eu-west-1", "us-gov-west-1", "cn-north-1"):
                for variant in ({}, {"use_fips_endpoint": True}, {"use_dualstack_endpoint": True}):
                    config = botocore.config.Config(**variant)
                    client = boto3.client(service, region, config=config, aws_access_key_id="a", aws_secret_access_key="b")
                    host = urllib.parse.urlparse(client.meta.endpoint_url).hostname
                    hosts = [host, "bucket." + host, "my.bucket." + host] if service == "s3" else [host]
                    for host in hosts:
                        seen.add(host)
                        try:
                            found = {one[4][0] for one in socket.getaddrinfo(host, 443)}
                        except OSError as error:
                            found = {str(error)}
                        if found != {"127.0.45.66"}:
                            outside.append((host, found))
        print("seen", len(seen), "outside", sorted(map(str, outside)))
        EOF
        """,
    )
    [(seen, outside)] = re.findall(r"seen (\d+) outside (.*)", log)
    assert int(seen) > 100 and outside == "[]", outside


def test_other_names_are_asked_of_the_outside_which_is_not_there(builds):
    """A build without a way out has no name server: it is told so at once, by UDP and TCP, whatever it asks."""
    log = builds.run(
        python("""
            import socket, struct, time
            began = time.monotonic()
            for name in ("dynamodb.us-east-1.amazonaws.com", "example.org", "sts.us-east-1.amazonaws.com.example.org"):
                try:
                    print("found", name, socket.getaddrinfo(name, 443))
                except socket.gaierror as error:
                    print("none", name, error.args[0] == socket.EAI_NONAME)
            question = b"\\x03sts\\x09amazonaws\\x03com\\x00\\x00\\x01\\x00\\x01"
            query = b"\\x00\\x07\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00" + question
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.settimeout(5)
            for garbage in (b"", b"x", b"\\xff" * 4000, query[:20]):
                udp.sendto(garbage, ("127.0.0.53", 53))
            udp.sendto(query, ("127.0.0.53", 53))
            answer = b""
            while not answer.endswith(bytes((127, 0, 45, 66))):
                answer = udp.recv(4096)
            tcp = socket.create_connection(("127.0.0.53", 53), timeout=5)
            tcp.sendall(struct.pack(">H", len(query)) + query)
            print("tcp", tcp.recv(4096).endswith(bytes((127, 0, 45, 66))))
            print("quick", time.monotonic() - began < 2)
        """),
        "cat /etc/resolv.conf",
    )
    assert "found" not in log and len(re.findall("^none .* True$", log, re.MULTILINE)) == 3, log
    assert "tcp True" in log and "quick True" in log
    assert re.findall("^nameserver.*", log, re.MULTILINE) == ["nameserver 127.0.0.53"]


def test_a_handshake_for_another_name_is_refused(builds):
    log = builds.run(
        f"getent hosts sts.{REGION}.amazonaws.com",
        "openssl s_client -connect 127.0.45.66:443 -servername evil.example </dev/null 2>&1 | grep -c 'BEGIN CERTIFICATE' || true",
        "openssl s_client -connect 127.0.45.66:443 -noservername </dev/null 2>&1 | grep -c 'BEGIN CERTIFICATE' || true",
        f"openssl s_client -connect 127.0.45.66:443 -servername iam.amazonaws.com </dev/null 2>&1 | grep -c 'BEGIN CERTIFICATE'",
    )
    assert re.findall(r"^(\d)$", log, re.MULTILINE) == ["0", "0", "1"]


def test_a_server_of_the_build_itself_may_have_the_ports_until_a_name_is_asked_for(builds):
    listen = "import socket; s = socket.socket(); s.bind(('0.0.0.0', 443)); print('the build has', s.getsockname()[1])"
    listen = f'/usr/bin/python3 -c "{listen}"'
    log = builds.run(listen, f"getent hosts sts.{REGION}.amazonaws.com", f"{listen} 2>/dev/null || echo taken")
    assert log.count("the build has 443") == 1 and log.endswith("taken\n")


def test_nothing_of_the_machine_changes_and_no_key_is_inside(builds):
    machine = [BUNDLE, pathlib.Path("/etc/resolv.conf"), pathlib.Path("/etc/hosts")]
    before = [path.read_bytes() for path in machine]
    log = builds.run(
        f"tail -n +1 {BUNDLE} | grep -c BEGIN",
        "ls -l /landfall",
        "cat /landfall/*.pem | grep -c PRIVATE || true",
        f"ls {builds.server.data_dir}/tls 2>&1 || true",
    )
    assert before == [path.read_bytes() for path in machine]
    assert not pathlib.Path(f"/etc/docker/certs.d/{REGISTRY}").exists()
    assert not list(pathlib.Path("/etc/ssl/certs").glob("landfall*"))
    assert not pathlib.Path("/usr/local/share/landfall").exists()
    assert "ca.key" not in log and "tls.sock" in log
    folder = builds.server.data_dir / "tls/builds"
    assert (folder.stat().st_mode & 0o777, (folder / "ca.key").stat().st_mode & 0o777) == (0o700, 0o600)


def test_the_authority_is_good_for_awss_names_alone(builds):
    builds.run("true")
    shown = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "nameConstraints,basicConstraints", "-in", builds.server.data_dir / "tls/builds/ca.pem"],
        capture_output=True, text=True, check=True).stdout
    assert "Name Constraints: critical" in shown and "DNS:amazonaws.com" in shown and "pathlen:0" in shown


def test_with_a_way_out_the_names_lead_here_all_the_same(servers):
    """No other name is asked for: that would be a question to the world."""
    server = servers("open", "sandbox", *HOST_IMAGE)
    log = Builds(server).run(
        f"getent ahostsv4 sts.{REGION}.amazonaws.com | cut -d' ' -f1 | sort -u", "grep nameserver /etc/resolv.conf",
        "aws sts get-caller-identity --query Account --output text",
    )
    assert log.split() == ["127.0.45.66", "nameserver", "127.0.0.53", ACCOUNT]
    server.stop()


@pytest.mark.parametrize("daemon", ["LANDFALL_TEST_DOCKER", "LANDFALL_TEST_PODMAN"])
def test_under_docker_and_podman_the_names_lead_here_too(servers, daemon):
    """An image with nothing but busybox: no authorities, and files that the daemon mounts into /etc."""
    daemon = Daemon(daemon)
    server = servers("open", "docker", "--docker-host", daemon.url, "--pool", "0", *image_map())
    log = Builds(server).run(
        "grep nameserver /etc/resolv.conf",
        f"nslookup {REGISTRY} | grep -A1 '^Name:'",
        f"wget -q -O - http://sts.{REGION}.amazonaws.com/healthz",
        # Busybox's own TLS knows none of the ciphers: the port is there.
        f"(exec 3<>/dev/tcp/{GIT}/443) && echo ok",
        f"cmp /etc/ssl/certs/ca-certificates.crt /etc/docker/certs.d/{REGISTRY}/ca.crt",
        'cmp "$AWS_CA_BUNDLE" "$NODE_EXTRA_CA_CERTS"; echo "$SSL_CERT_FILE."',
    )
    assert log.split() == ["nameserver", "127.0.0.53", "Name:", REGISTRY, "Address:", "127.0.45.66", "ok", "ok", "."], log
    server.stop()


def test_off_the_names_lead_outside(servers):
    server = servers("open", "sandbox", "--build-names", "off", "--build-network", "none", *HOST_IMAGE)
    log = Builds(server).run(
        "ls /landfall", f"getent hosts sts.{REGION}.amazonaws.com || echo not known", "env | grep CA_BUNDLE || echo no bundle",
        "ls /etc/ssl/certs | grep landfall || echo no authority", "aws sts get-caller-identity", without_endpoint=False,
    )
    assert "tls.sock" not in log and "not known\n" in log and "no bundle\n" in log and "no authority\n" in log
    assert not (server.data_dir / "tls").exists()
    server.stop()
