"""Configuration: the three places agree, and mistakes are refused."""

import json
import pathlib

import pytest

from commands import run
from conftest import ROOT, Server


def config(*arguments, **environment) -> dict:
    return json.loads(run("config", "--json", *arguments, **environment).stdout)


@pytest.fixture
def file(tmp_path) -> pathlib.Path:
    return tmp_path / "landfall.toml"


def test_each_value_says_where_it_comes_from(file):
    file.write_text("region = 'eu-west-1'\naccount = '111111111111'\nimage-map = ['a=b', 'c=d']\n")
    found = config("--config", file, "--account", "222222222222", LANDFALL_AUTH="open")
    assert found["account"] == {"value": "222222222222", "from": "--account"}
    assert found["auth"] == {"value": "open", "from": "LANDFALL_AUTH"}
    assert found["region"] == {"value": "eu-west-1", "from": f"{file}:1"}
    assert found["image-map"] == {"value": ["a=b", "c=d"], "from": f"{file}:3"}
    assert found["listen"] == {"value": "127.0.0.1:4566", "from": "default"}
    table = run("config", "--config", file).stdout
    assert table.splitlines()[0].split() == ["key", "value", "from"] and f"{file}:1" in table


def test_the_file_is_found_by_the_environment(file):
    file.write_text("region = 'eu-west-1'\n")
    assert config(LANDFALL_CONFIG=str(file))["region"]["value"] == "eu-west-1"


def test_the_example_names_every_key_and_changes_nothing(file):
    example = run("config", "--example").stdout
    keys = config("--config", "/dev/null")
    for key in keys:
        assert f"\n#{key} = " in example, key
    file.write_text(example)
    assert config("--config", file) == keys


def test_every_key_is_a_flag_of_serve_and_documented():
    shown = run("serve", "--help").stdout
    page = (ROOT / "docs/CONFIGURATION.md").read_text()
    for key in config("--config", "/dev/null"):
        assert f"--{key}" in shown, key
        assert f"| `{key}` |" in page, key


@pytest.mark.parametrize(("text", "sentence"), [
    ("regoin = 'x'", ":1: there is no key 'regoin'; did you mean 'region'?"),
    ("\n\nauth = 'closed'", ":3: auth: must be one of enforce, open"),
    ("account = 12", ":1: account: must be twelve digits"),
    ("listen = ", ":1: "),
])
def test_what_is_wrong_is_refused_with_its_line(file, tmp_path, text, sentence):
    file.write_text(text)
    for command in (["config"], ["serve", "--data-dir", tmp_path / "data"]):
        refused = run(*command, "--config", file, check=False)
        assert refused.returncode == 1 and f"{file}{sentence}" in refused.stderr, refused.stderr
    assert not (tmp_path / "data").exists()


def test_a_faulty_variable_is_named():
    refused = run("config", check=False, LANDFALL_LISTEN="everywhere")
    assert refused.returncode == 1 and "LANDFALL_LISTEN: " in refused.stderr


def test_a_file_that_is_named_must_be_there():
    refused = run("serve", "--config", "/nowhere/landfall.toml", check=False)
    assert refused.returncode == 1 and "/nowhere/landfall.toml" in refused.stderr


def test_the_server_and_its_clients_take_the_same_file(servers, file, tmp_path):
    data = tmp_path / "data"
    file.write_text(f"data-dir = '{data}'\nlisten = '127.0.0.1:0'\nauth = 'open'\nengine = 'dummy'\nregion = 'eu-west-3'\n")
    server = Server(data, "open", "dummy")
    server.command = [server.command[0], "serve", "--config", str(file)]
    server.start()
    try:
        exports = json.loads(run("env", "--json", LANDFALL_CONFIG=str(file)).stdout)
        assert exports["AWS_ENDPOINT_URL"] == server.endpoint and exports["AWS_REGION"] == "eu-west-3"
    finally:
        server.stop()
