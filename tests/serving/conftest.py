"""The dashboards of the real data, written once as an analyst, and a browser that hears every complaint."""

import csv
import dataclasses
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.catalog.browser import Browser, executable
from tests.conftest import PROJECT, Servers
from tests.project.conftest import Star, the_star


class Reader(Browser):
    """A browser that keeps what the console says of errors, and reads figures off a page."""

    def __init__(self, profile: Path) -> None:
        super().__init__(profile)
        self._send("Log.enable")

    def _note(self, event: dict[str, Any]) -> None:
        super()._note(event)
        said = event.get("params", {})
        if event.get("method") == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"])
        elif event.get("method") == "Runtime.consoleAPICalled" and said["type"] in ("error", "warning", "assert"):
            self.errors.append(json.dumps(said["args"])[:500])

    def text(self, selector: str) -> str:
        return str(self.js(f"document.querySelector({json.dumps(selector)}).textContent"))

    def tiles(self) -> list[tuple[str, int, int | None]]:
        """Name, value and value before of each tile."""
        found = self.js(
            "[...document.querySelectorAll('.kpis section')].map((tile) => [tile.querySelector('h2').textContent,"
            " tile.querySelector('.figure').dataset.value, tile.querySelector('.figure').dataset.before])"
        )
        return [(name, json.loads(value), int(before) if before else None) for name, value, before in found]

    def table(self, block: str) -> list[dict[str, str]]:
        """The rows of a chart's CSV, as a spreadsheet gets them."""
        address = self.js(f"document.querySelector('#{block} a[download]').href")
        return list(csv.DictReader(io.StringIO(unquote(address.split(",", 1)[1]))))

    def shown(self, block: str) -> dict[str, list[str]]:
        """What a reader sees in each row of a table, by its first cell."""
        rows = self.js(
            f"[...document.querySelectorAll('#{block} .chart tbody tr')]"
            ".map((row) => [row.dataset.key, ...[...row.cells].map((cell) => cell.innerText.trim())])"
        )
        return {key: cells[1:] for key, *cells in rows}


@dataclasses.dataclass
class Dashboards:
    star: Star
    folder: Path

    def write(self, folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "serving.dashboards", str(folder), *words],
            cwd=PROJECT,
            env=self.star.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def address(self, name: str) -> str:
        page, _, state = name.partition("#")
        return (self.folder / f"{page}.html").as_uri() + (f"#{state}" if state else "")

    def content(self, page: str) -> Any:
        """What the page was made of."""
        text = (self.folder / f"{page}.html").read_text(encoding="utf-8")
        return json.loads(text.split('id="page">')[1].split("</script>")[0])


@pytest.fixture(scope="session")
def star(servers: Servers, dump: Path) -> Star:
    return the_star(servers, dump)


@pytest.fixture(scope="session")
def dashboards(star: Star, tmp_path_factory: pytest.TempPathFactory) -> Dashboards:
    written = Dashboards(star, tmp_path_factory.mktemp("site") / "dashboards")
    result = written.write(written.folder)
    assert result.returncode == 0, result.stderr
    assert str(written.folder / "overview.html") in result.stdout
    return written


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    if executable() is None:
        pytest.skip("there is no Chromium on the PATH (on Debian: apt-get install chromium)")
    browser = Reader(tmp_path_factory.mktemp("profile"))
    with browser:
        yield browser


@pytest.fixture
def browser(chromium: Reader) -> Iterator[Reader]:
    """Whatever a test does, the page may complain of nothing."""
    chromium.errors.clear()
    chromium.requests.clear()
    yield chromium
    assert chromium.errors == []
