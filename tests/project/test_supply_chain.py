"""What is installed is what is pinned, the bill of materials says so, and no secret is committed."""

import importlib.metadata
import json
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

REQUIREMENTS = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
OF_THE_ENVIRONMENT = {"pip", "setuptools", "uv", "wheel"}
"""Installed from requirements-uv.txt, or by Python itself."""
PIN = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)([^\n]*(?:\n +--hash=[^\n]*)*)", re.MULTILINE)
SBOM = PROJECT / ".venv-sbom" / "installed"
SCAN = [sys.executable, "-m", "detect_secrets.pre_commit_hook", "--no-verify", "--baseline", ".secrets.baseline"]


def canonical(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def pinned(requirements: str) -> list[tuple[str, str, list[str]]]:
    """Name, version and SHA-256 hashes of every requirement; every line is a pin with hashes."""
    found = [
        (name, version, re.findall(r"sha256:([0-9a-f]{64})", rest)) for name, version, rest in PIN.findall(requirements)
    ]
    lines = [line for line in requirements.splitlines() if line.strip() and not line.startswith((" ", "#"))]
    assert len(lines) == len(found) and all(hashes for _, _, hashes in found), "no pin with hashes"
    return found


@pytest.mark.parametrize("name", sorted(path.name for path in PROJECT.glob("requirements*.txt")))
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    assert pinned((PROJECT / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", ["requests>=2\n", "requests==2.0\n", "-e .\n"])
def test_what_is_not_pinned_is_refused(line: str) -> None:
    with pytest.raises(AssertionError, match="no pin with hashes"):
        pinned(REQUIREMENTS + line)


def test_what_is_installed_is_what_is_pinned() -> None:
    pins = {(canonical(name), version) for name, version, _ in pinned(REQUIREMENTS)}
    installed = {(canonical(found.metadata["Name"]), found.version) for found in importlib.metadata.distributions()}
    assert {found for found in installed if found[0] not in OF_THE_ENVIRONMENT} <= pins


@pytest.mark.skipif(not SBOM.exists(), reason="its tool is not here: make sbom")
def test_the_bills_of_materials_are_what_is_pinned_and_what_is_installed() -> None:
    subprocess.run(["make", "sbom"], cwd=PROJECT, check=True, capture_output=True, timeout=120)
    names = ("sbom.json", "sbom-licences.json")
    pins, installed = (json.loads((PROJECT / "reports" / name).read_text(encoding="utf-8")) for name in names)
    assert {(bill["bomFormat"], bill["specVersion"]) for bill in (pins, installed)} == {("CycloneDX", "1.6")}
    listed = {
        (part["name"], part["version"]): {
            digest["content"] for file in part["externalReferences"] for digest in file["hashes"]
        }
        for part in pins["components"]
    }
    assert listed == {(name, version): set(hashes) for name, version, hashes in pinned(REQUIREMENTS)}
    assert len(listed) > 100
    licensed = {canonical(part["name"]) for part in installed["components"] if part.get("licenses")}
    assert "dbt-core" in licensed and len(licensed) > 100


def test_every_known_flaw_and_every_secret_is_looked_for() -> None:
    """By the workflow, by `make lint` and before a commit."""
    workflow = (PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    audited = re.search(r"gh-action-pip-audit@.*?inputs: ([\w.\- ]+)", workflow, re.DOTALL)
    assert audited and set(audited[1].split()) == {path.name for path in PROJECT.glob("requirements*.txt")}
    hook = "detect-secrets-hook --no-verify --baseline .secrets.baseline"
    assert all(hook in (PROJECT / name).read_text(encoding="utf-8") for name in ("Makefile", ".pre-commit-config.yaml"))


@pytest.mark.parametrize("planted", ["yml", "py", "env"])
def test_a_planted_secret_is_found(planted: str, tmp_path: Path) -> None:
    secret = secrets.token_hex(20)
    text = {"yml": "password: '{}'\n", "py": 'PASSWORD = "{}"\n', "env": "MYSQL_PASSWORD={}\n"}[planted]
    file = tmp_path / f"file.{planted}"
    file.write_text(text.format(secret), encoding="utf-8")
    found = subprocess.run([*SCAN, str(file)], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    assert found.returncode == 1 and str(file) in found.stdout
    assert secret not in found.stdout + found.stderr
    file.write_text(text.format("{{ env_var('MYSQL_PASSWORD') }}"), encoding="utf-8")
    result = subprocess.run([*SCAN, str(file)], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stdout
