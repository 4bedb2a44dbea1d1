"""What nbclient, papermill, nbmake, nbval and guardpage catch of the notebooks with one flaw each.

    python -m venv DIR && DIR/bin/pip install nbclient papermill nbmake nbval ipykernel
    DIR/bin/python bench/notebook-runners.py

Prints a table: what each runner said of each notebook of test/fixtures/notebooks. A runner "passes" a
notebook if it exits with 0.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "test" / "fixtures" / "notebooks"
BIN = Path(sys.executable).parent
CELL_TIMEOUT = 10
HUNG = 90

RUNNERS = {
    "nbclient": lambda f: [BIN / "jupyter", "execute", f"--timeout={CELL_TIMEOUT}", f],
    "papermill": lambda f: [BIN / "papermill", f"--execution-timeout={CELL_TIMEOUT}", f, f"{f}.out.ipynb"],
    "nbmake": lambda f: [BIN / "pytest", "-q", "--nbmake", f"--nbmake-timeout={CELL_TIMEOUT}", f],
    "nbval": lambda f: [BIN / "pytest", "-q", "--nbval", f"--nbval-cell-timeout={CELL_TIMEOUT}", f],
    "guardpage": lambda f: ["npx", "guardpage", "reproduce", "--twice", f"--cell-timeout={CELL_TIMEOUT}", f],
}


def judge(runner, file):
    """(passed, the last telling line)"""
    env = {**os.environ, "JUPYTER_PATH": str(ROOT / ".venv" / "share" / "jupyter"), "PY_COLORS": "0"}
    cwd = ROOT if runner == "guardpage" else file.parent
    command = [str(part) for part in RUNNERS[runner](file)]
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, timeout=HUNG, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return False, f"hung for {HUNG} s"
    said = done.stdout + done.stderr
    return done.returncode == 0, telling(runner, said)


def telling(runner, said):
    if runner == "guardpage":
        found = re.search(r"^  ([a-z-]+): (?:cell (\d+))?", said, re.M)
        return found and found[1] + (f", cell {found[2]}" if found[2] else "")
    names = re.findall(
        r"\b(CellTimeoutError|DeadKernelError|CellExecutionError|PapermillExecutionError|NoSuchKernel|NotJSONError|"
        r"NBFormatError|JSONDecodeError|ValidationError|FileNotFoundError|NotebookError|Timeout of|"
        r"Cell execution timed out|Kernel died|mismatch '[^']+'|disagrees|no tests ran|Unexpected output fields[^\n]*|"
        r"Missing output fields[^\n]*|Cell execution caused an exception|AttributeError|TypeError|file or directory not found)",
        said,
    )
    return names[0] if names else None


def main():
    expected = json.loads((FIXTURES / "expected.json").read_text())
    print("|notebook|" + "|".join(RUNNERS) + "|")
    print("|---" * (1 + len(RUNNERS)) + "|")
    rows = {}
    for name, flaw in expected.items():
        cells = []
        for runner in RUNNERS:
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / name
                if (FIXTURES / name).exists():
                    shutil.copy(FIXTURES / name, file)
                passed, why = judge(runner, file)
            right = passed == (flaw is None)
            rows.setdefault(runner, []).append(right)
            cells.append(("passes" if passed else f"fails: {why}") + ("" if right else " **(wrong)**"))
        print(f"|{name}|" + "|".join(cells) + "|", flush=True)
    print("|right|" + "|".join(f"{sum(rows[r])} of {len(rows[r])}" for r in RUNNERS) + "|")
    names = ["nbclient", "papermill", "nbmake", "nbval"]
    print("\n" + ", ".join(f"{name} {version(name)}" for name in names))


if __name__ == "__main__":
    main()
