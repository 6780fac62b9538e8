"""A copy of the repository to open pull requests in, and the real data to review them on."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestion.mysql import land
from landing.settings import from_environment
from sandbox import home, postgres, source
from tests.conftest import PROJECT, Servers


@dataclasses.dataclass
class Reviewed:
    """How a review ended."""

    code: int
    printed: str
    markdown: str
    html: str

    @property
    def screen(self) -> str:
        """What shows before anything is opened."""
        depth, lines = 0, []
        for line in self.markdown.splitlines():
            depth += line.startswith("<details>")
            lines += [] if depth else [line]
            depth -= line.startswith("</details>")
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))

    def section(self, heading: str) -> str:
        """The text under a heading of the Markdown report, all rows of its tables; empty if there is none."""
        fold = f"<details><summary>{heading}</summary>\n"
        if fold not in self.markdown:
            found = re.search(
                rf"^## {re.escape(heading)}\n(.*?)(?=^## |^<details><summary>[^\d]|\Z)",
                self.markdown,
                re.MULTILINE | re.DOTALL,
            )
            return found[1] if found else ""
        depth, lines = 1, []
        for line in self.markdown.split(fold)[1].splitlines():
            depth += line.startswith("<details>") - line.startswith("</details>")
            if not depth:
                break
            lines.append(line)
        return "\n".join(lines)

    def cells(self, heading: str) -> list[list[str]]:
        """The rows of the tables under a heading, without backticks."""
        lines = [line for line in self.section(heading).splitlines() if line.startswith("| ")]
        rows = [[cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")] for line in lines]
        return [row for row in rows if not set(row[0]) <= {"-", " "}]

    @property
    def verdict(self) -> str:
        """What the report begins with: sentences in bold."""
        return self.markdown.split("\n\nThe working tree against")[0]

    @property
    def headings(self) -> list[str]:
        return re.findall(r"^## (.*)$", self.markdown, re.MULTILINE)


class Clone:
    """A copy of the working tree whose branch ``main`` is the base; what is edited is the pull request."""

    def __init__(self, folder: Path, servers: Servers) -> None:
        self.folder, self.servers = folder, servers
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", folder], check=True)
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
        names = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, names.split("\0")):
            if (PROJECT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT / name, folder / name)  # a YAML file with a time it had before is old to dbt
        self.commit("Base")

    def git(self, *words: str) -> None:
        identity = {
            f"GIT_{role}_{part}": "tests@example.org" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
        }
        subprocess.run(["git", *words], cwd=self.folder, env=os.environ | identity, check=True, capture_output=True)

    def commit(self, subject: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", subject)

    def reset(self) -> None:
        self.git("checkout", "--quiet", "--force", "main")
        self.git("clean", "--quiet", "--force", "-d", "models", "macros", "tests")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{path} has no {old!r}; adapt the test"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text, encoding="utf-8")

    def run(self, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=self.folder,
            env=os.environ | self.servers.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on the warehouse; rows, if it has any."""
        return self.servers.query(sql)

    def review(self, **environment: str) -> Reviewed:
        result = self.run("review", "--base", "main", **environment)
        assert result.returncode in (0, 1), result.stdout + result.stderr
        reports = self.folder / "reports"
        pages = [(reports / name).read_text(encoding="utf-8") for name in ("review.md", "review.html")]
        reviewed = Reviewed(result.returncode, result.stdout, *pages)
        assert len(reviewed.screen) < 5_000 and len(reviewed.screen.splitlines()) < 65, "one screen"
        assert len(reviewed.markdown) < 65_536, "GitHub takes no longer comment"
        return reviewed


@pytest.fixture(scope="session")
def landed(servers: Servers, dump: Path) -> Servers:
    """The servers, with the real data landed."""
    home.update_state(source=None)  # trading days of an earlier run must not show
    with home.locked():
        source.ensure(dump, scale=1, seed=1, when_replaced=postgres.reset)
    report = land(from_environment(servers.environment))
    assert report.status == "ok", report
    return servers


@pytest.fixture(scope="session")
def repository(landed: Servers, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    return Clone(tmp_path_factory.mktemp("review") / "clone", landed)


@pytest.fixture
def clone(repository: Clone) -> Iterator[Clone]:
    """The clone as its base is; the base's build is shared by all tests."""
    yield repository
    repository.reset()
