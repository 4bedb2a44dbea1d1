"""Do nbclient, nbconvert and papermill run a notebook on a kernel, and do they see it fail?

    pip install nbclient nbconvert papermill
    KERNEL=guardpage python bench/kernel-clients.py

Prints one line a check; exit code 1 if one fails.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook

KERNEL = os.environ.get("KERNEL", "guardpage")
failed = []


def check(name, passed, detail=""):
    print(f"{'ok  ' if passed else 'FAIL'} {name}{'' if passed else f': {detail}'}", flush=True)
    if not passed:
        failed.append(name)


def notebook(*cells):
    made = [new_code_cell(c) if isinstance(c, str) else c for c in cells]
    metadata = {"kernelspec": {"name": KERNEL, "display_name": KERNEL, "language": "typescript"}}
    return new_notebook(cells=made, metadata=metadata)


def execute(made, **options):
    NotebookClient(made, timeout=60, kernel_name=KERNEL, **options).execute()
    return made


def texts(cell):
    return [o.get("text") or o.get("data", {}).get("text/plain") for o in cell.outputs]


GOOD = (
    "const n: number = 20",
    "console.log('printed', n)",
    "n + 22",
    "await new Promise((r) => setTimeout(r, 20)); ({ n })",
    "import * as tslab from 'tslab'; tslab.display.html('<b>x</b>')",
)

good = execute(notebook(*GOOD))
check("nbclient: outputs", texts(good.cells[2]) == ["42"], texts(good.cells[2]))
check("nbclient: an object", texts(good.cells[3]) == ["{ n: 20 }"], texts(good.cells[3]))

bad = notebook("1", "const later: string = 'x';\nthrow new RangeError('stop here')", "'not run'")
try:
    execute(bad)
    check("nbclient: a throwing cell stops it", False, "nothing was raised")
except CellExecutionError as error:
    check("nbclient: a throwing cell stops it", "RangeError: stop here" in str(error), str(error))
    check("nbclient: its cell is shown", "line 2" in str(error), str(error))
check("nbclient: the next cell is not run", bad.cells[2].outputs == [], bad.cells[2].outputs)

mistyped = notebook("const wrong: number = 'text'")
try:
    execute(mistyped)
    check("nbclient: a mistyped cell stops it", False, "nothing was raised")
except CellExecutionError as error:
    check("nbclient: a mistyped cell stops it", "TS2322" in str(error), str(error))

tagged = new_code_cell("throw new Error('expected')", metadata={"tags": ["raises-exception"]})
went_on = execute(notebook(tagged, "'went on'"))
check("nbclient: raises-exception keeps the error", went_on.cells[0].outputs[0].ename == "Error")
check("nbclient: and the next cell runs", texts(went_on.cells[1]) == ["'went on'"])

allowed = execute(notebook("throw 1", "2", "throw 3", "4"), allow_errors=True)
check("nbclient: allow_errors runs all", texts(allowed.cells[1]) + texts(allowed.cells[3]) == ["2", "4"])

many = execute(notebook(*[f"console.log({i}); {i}" for i in range(100)]))
complete = all(texts(c) == [f"\x1b[33m{i}\x1b[39m\n", str(i)] or texts(c) == [f"{i}\n", str(i)] for i, c in enumerate(many.cells))
check("nbclient: 100 cells, every output", complete)

with tempfile.TemporaryDirectory() as folder:
    source = Path(folder) / "in.ipynb"
    nbformat.write(notebook(*GOOD), source)

    def run(*argv):
        return subprocess.run([sys.executable, "-m", *argv], cwd=folder, capture_output=True, text=True)

    done = run("nbconvert", "--to", "notebook", "--execute", "in.ipynb", "--output", "out.ipynb")
    check("nbconvert --execute", done.returncode == 0, done.stderr[-500:])
    converted = nbformat.read(Path(folder) / "out.ipynb", 4) if done.returncode == 0 else None
    check("nbconvert: outputs", converted and texts(converted.cells[2]) == ["42"])
    html = run("nbconvert", "--to", "html", "out.ipynb")
    page = Path(folder) / "out.html"
    check("nbconvert to html", html.returncode == 0 and "42" in page.read_text(), html.stderr[-500:])
    script = run("nbconvert", "--to", "script", "out.ipynb")
    check("nbconvert to script gives .ts", (Path(folder) / "out.ts").exists(), script.stderr[-500:])

    done = run("papermill", "in.ipynb", "paper.ipynb", "--no-progress-bar")
    check("papermill", done.returncode == 0, done.stderr[-500:])
    nbformat.write(notebook("1", "throw new Error('papermill sees it')"), source)
    done = run("papermill", "in.ipynb", "paper.ipynb", "--no-progress-bar")
    seen = done.returncode != 0 and "Error: papermill sees it" in done.stderr
    check("papermill: a throwing cell stops it", seen, done.stderr[-500:])

sys.exit(1 if failed else 0)
