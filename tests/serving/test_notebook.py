"""The notebook as an analyst runs it, top to bottom: its tables hold the known totals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from serving.notebook.__main__ import JUPYTER, NOTEBOOK
from tests.conftest import PROJECT
from tests.serving.conftest import Dashboards


def test_the_notebook_answers_its_questions(dashboards: Dashboards, tmp_path: Path) -> None:
    if not JUPYTER.exists():
        pytest.skip("JupyterLab is not installed here (make notebook installs it): the notebook was not run")
    copy, done = tmp_path / "questions.ipynb", tmp_path / "done.ipynb"
    copy.write_bytes(NOTEBOOK.read_bytes())
    result = subprocess.run(
        [sys.executable, "-m", "serving.notebook", "execute", f"--output={done}", str(copy)],
        cwd=PROJECT, env=dashboards.star.environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    cells = [cell for cell in json.loads(done.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    said = [
        "".join(text)
        for cell in cells
        for output in cell["outputs"]
        for text in output.get("data", {}).get("text/plain", "")
    ]
    tables, charts = "\n".join(said), [cell for cell in cells if "vega" in json.dumps(cell["outputs"])]
    for figure in ("3774647.39", "3231834.84", "108.08", "97", "979291.98", "428755.70", "182233.77"):
        assert figure in tables, figure
    assert len(charts) == 5


def test_the_notebook_is_committed_without_answers() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert [cell["outputs"] for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []
