"""JupyterLab, logged in to the warehouse as ROLE (analyst), on the first questions."""

import argparse
import os
import sys
from pathlib import Path

from sandbox import home, postgres

NOTEBOOK = Path(__file__).with_name("questions.ipynb")
JUPYTER = home.PROJECT / ".venv-notebook" / "bin" / "jupyter"

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m serving.notebook", description=__doc__)
    parser.add_argument("words", nargs=argparse.REMAINDER, help="for Jupyter, in place of its lab and our notebook")
    words = parser.parse_args().words
    if not JUPYTER.exists():
        sys.exit("error: JupyterLab is not there: run make notebook.")
    try:
        os.environ |= postgres.login(os.environ.get("ROLE") or "analyst")
    except postgres.AnotherServer as error:
        print(f"{error} The notebook logs in as PGUSER.", file=sys.stderr)
    except home.SandboxError as error:
        sys.exit(f"error: {error}")
    words = words or ["lab", *(["--allow-root"] if os.geteuid() == 0 else []), str(NOTEBOOK)]
    os.execv(JUPYTER, [str(JUPYTER), *words])  # noqa: S606
