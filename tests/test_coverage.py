"""What `landfall api coverage` counts as built is tried by a test."""

import json
import pathlib
import re
import subprocess

import botocore

from conftest import LANDFALL


def test_every_built_operation_is_called_by_a_test():
    counted = json.loads(subprocess.run([LANDFALL, "api", "coverage", "--json"], capture_output=True, check=True).stdout)
    tests = pathlib.Path(__file__).parent.glob("*.py")
    words = set(re.findall(r"[a-z][a-z0-9_-]+", " ".join(path.read_text() for path in tests)))
    missing = [
        f"{service} {operation}" for service, found in counted.items() for operation in found["built"]
        # upload_part_copy has no caller by name: the aws command copies large objects by it (test_cli.py).
        if not {botocore.xform_name(operation), botocore.xform_name(operation, "-")} & words and operation != "UploadPartCopy"
    ]
    assert not missing
    assert sum(len(found["built"]) for found in counted.values()) > 100
