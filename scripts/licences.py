"""The rules of deny.toml over `cargo metadata`, for machines without cargo-deny."""

import json
import re
import sys


def quoted(section: str, text: str) -> list[str]:
    """The strings of `section = [...]`."""
    found = re.search(rf"^{section} = \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    return re.findall(r'"([^"]+)"', found.group(1)) if found else []


def allowed(expression: str, licences: set[str]) -> bool:
    """Whether an SPDX expression can be met with these licences."""
    either = re.split(r"\s+OR\s+|/", expression.replace("(", "").replace(")", ""))
    return any(all(part.strip() in licences for part in re.split(r"\s+AND\s+", choice)) for choice in either)


def main() -> int:
    rules = open(sys.argv[1], encoding="utf-8").read()
    licences, banned = set(quoted("allow", rules)), set(quoted("deny", rules))
    packages = json.load(sys.stdin)["packages"]
    wrong = []
    for package in packages:
        name = f"{package['name']} {package['version']}"
        source = package["source"]
        if source and not source.startswith("registry+"):
            wrong.append(f"{name}: comes from {source}")
        if source and not allowed(package["license"] or "none", licences):
            wrong.append(f"{name}: licence {package['license']} is not in deny.toml")
        if package["name"] in banned:
            wrong.append(f"{name}: is banned in deny.toml")
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(f"{len(packages)} packages, {len(wrong)} refused")
    return 1 if wrong else 0


sys.exit(main())
