"""The bill of materials, ``reports/sbom.json``: every package that requirements.txt pins, as CycloneDX 1.6.

The hashes are those that an installation must match; the licences those that the installed packages name.
"""

import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
REPORT = PROJECT / "reports" / "sbom.json"
_PIN = re.compile(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)([^\n]*(?:\n +--hash=[^\n]*)*)", re.MULTILINE)


def pinned(requirements: str) -> list[tuple[str, str, list[str]]]:
    """Name, version and SHA-256 hashes of every requirement.

    Raises:
        ValueError: a package is pinned without a hash, or a line is no pin.
    """
    found = [
        (name, version, re.findall(r"sha256:([0-9a-f]{64})", rest))
        for name, version, rest in _PIN.findall(requirements)
    ]
    lines = [line for line in requirements.splitlines() if line.strip() and not line.startswith((" ", "#"))]
    if len(lines) != len(found) or not all(hashes for _, _, hashes in found):
        raise ValueError("requirements.txt holds a line that is no pin with hashes.")
    return found


def bill(requirements: str) -> dict[str, Any]:
    components = []
    for name, version, hashes in pinned(requirements):
        component: dict[str, Any] = {
            "type": "library",
            "bom-ref": f"{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{re.sub('[-_.]+', '-', name).lower()}@{version}",
            "hashes": [{"alg": "SHA-256", "content": content} for content in hashes],
        }
        if licence := _licence(name, version):
            component["licenses"] = [{"license": {"name": licence}}]
        components.append(component)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "classicmodels-elt"}},
        "components": components,
    }


def _licence(name: str, version: str) -> str:
    """As the installed package names it; empty where that version is not installed here."""
    try:
        installed = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
    if installed.version != version:
        return ""
    about = installed.metadata.json
    classifiers = [text.rpartition(" :: ")[2] for text in about.get("classifier", ()) if text.startswith("License ::")]
    named = about.get("license_expression") or ", ".join(classifiers) or about.get("license") or ""
    return str(named).strip().split("\n")[0][:120]


if __name__ == "__main__":
    REPORT.parent.mkdir(exist_ok=True)
    content = bill((PROJECT / "requirements.txt").read_text(encoding="utf-8"))
    REPORT.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{len(content['components'])} packages: {REPORT.relative_to(PROJECT)}")
