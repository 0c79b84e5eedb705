"""Make the notebooks of the course from their sources, which are text.

    python notebooks/make.py                     every lesson and its exercises
    python notebooks/make.py 01                  those whose name starts so
    python notebooks/make.py 01 --seeds 1 2      run with other seeds, write nothing
    python notebooks/make.py --reading           how long each takes to read, write nothing
    python notebooks/make.py --nbgrader COURSE   write COURSE/source/<name>/<name>.ipynb

From source/NAME.py comes NAME.ipynb, executed. From source/exercises/NAME.py come
exercises/NAME.ipynb, with stubs, and exercises/solutions/NAME.ipynb, executed.
"""

from __future__ import annotations

import argparse
import base64
import copy
import io
import re
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

HERE = Path(__file__).parent
LESSONS, EXERCISES = HERE / "source", HERE / "source" / "exercises"
SECONDS_A_WORD, SECONDS_A_LINE, SECONDS_A_FIGURE = 60 / 200, 5, 60
STUB = "# YOUR CODE HERE\nraise NotImplementedError"
SOLUTION = re.compile(
    r"^([ ]*)### BEGIN SOLUTION\n(.*?)^[ ]*### END SOLUTION(?:\n|\Z)", re.DOTALL | re.MULTILINE
)


def names(folder: Path = LESSONS) -> list[str]:
    """Return the names of the sources in a folder, such as "01_backprop_by_hand"."""
    return sorted(path.stem for path in folder.glob("*.py"))


def read(source: Path) -> NotebookNode:
    """Return the notebook that a source describes, not yet executed.

    Cells are numbered, so that making it again changes nothing; a kernel's version is left out.
    """
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.metadata = NotebookNode(
        kernelspec={"display_name": "Python 3", "language": "python", "name": "python3"},
        language_info={"name": "python"},
    )
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i:02}"
        if cell.cell_type == "code":
            cell.source = cell.source.strip("\n")  # blank lines that Python's style asks for
    return notebook


def stubs(notebook: NotebookNode) -> NotebookNode:
    """Return a copy whose solutions are replaced by NotImplementedError: for students."""
    return _replace(notebook, lambda match: "".join(
        f"{match[1]}{line}\n" for line in STUB.splitlines()
    ))


def solutions(notebook: NotebookNode) -> NotebookNode:
    """Return a copy without the marks around solutions."""
    return _replace(notebook, lambda match: match[2])


def graded(notebook: NotebookNode) -> NotebookNode:
    """Return a copy that nbgrader reads: marks kept, checks locked and worth their points."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        points = cell.metadata.pop("points", None)
        is_solution = SOLUTION.search(cell.source) is not None
        if points is None and not is_solution:
            continue
        name = re.search(r"check_(\w+)\(" if points else r"(?:def|class) (\w+)", cell.source)[1]
        cell.metadata["nbgrader"] = {
            "grade": bool(points), "solution": is_solution, "locked": bool(points), "task": False,
            "grade_id": f"check-{name}" if points else name, "schema_version": 3,
            **({"points": points} if points else {}),
        }
    return notebook


def reseeded(notebook: NotebookNode, seed: int) -> NotebookNode:
    """Return a copy with another SEED; every lesson sets it once, as `SEED = 0`."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = re.sub(r"^SEED = 0\b", f"SEED = {seed}", cell.source, flags=re.MULTILINE)
    return notebook


def execute(notebook: NotebookNode, timeout: float = 300) -> tuple[NotebookNode, float]:
    """Run a copy in a fresh kernel; return it with its outputs, and the seconds it took.

    Raises nbclient's CellExecutionError at the first error.
    """
    notebook = copy.deepcopy(notebook)
    metadata = copy.deepcopy(notebook.metadata)
    started = time.perf_counter()
    NotebookClient(notebook, timeout=timeout, kernel_name="python3", record_timing=False,
                   coalesce_streams=True, resources={"metadata": {"path": HERE}}).execute()
    seconds = time.perf_counter() - started
    # Widgets' state stays; the kernel's version, which differs everywhere, goes.
    notebook.metadata.update(metadata)
    return notebook, seconds


def slim(notebook: NotebookNode) -> NotebookNode:
    """Return a copy whose PNG figures have 256 colours: a third of the bytes, to the eye the same.

    Those that a widget holds as well.
    """
    notebook = copy.deepcopy(notebook)
    widgets = notebook.metadata.get("widgets", {}).values()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    outputs += [output for states in widgets for widget in states["state"].values()
                for output in widget["state"].get("outputs", [])]
    for output in outputs:
        if "image/png" in output.get("data", {}):
            picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
            small = io.BytesIO()
            picture.convert("RGB").quantize(
                256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
            ).save(small, "PNG", optimize=True)
            output["data"]["image/png"] = base64.b64encode(small.getvalue()).decode()
    return notebook


def notes(notebook: NotebookNode) -> list[str]:
    """Return what an executed notebook's `quoted` lines complained of."""
    return [
        line for cell in notebook.cells for output in cell.get("outputs", [])
        for line in output.get("text", "").splitlines() if line.startswith("Note: the text")
    ]


def stated_seconds(lesson: NotebookNode) -> int:
    """Return the run time that a lesson's opening promises: "under 20 s to run"."""
    return int(re.search(r"under (\d+) s to run", lesson.cells[0].source)[1])


def reading_minutes(notebook: NotebookNode) -> float:
    """Estimate how long an executed lesson takes to read: its text, its code and its figures.

    Code in cells that are folded away (`jupyter={"source_hidden": true}`) is not counted. One
    reader took 25, 40, 55, 40, 45 and 35 minutes for lessons that this puts at 25, 32, 41, 38, 31
    and 33.
    """
    words = lines = figures = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            words += len(cell.source.split())
        elif not cell.metadata.get("jupyter", {}).get("source_hidden"):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
        figures += sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    return (words * SECONDS_A_WORD + lines * SECONDS_A_LINE + figures * SECONDS_A_FIGURE) / 60


def _replace(notebook: NotebookNode, replacement) -> NotebookNode:
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.source = SOLUTION.sub(replacement, cell.source).rstrip("\n")
    return notebook


def _write(notebook: NotebookNode, path: Path) -> None:
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    print(f"wrote {path} ({path.stat().st_size // 1024} kB)")


def _make(name: str) -> None:
    notebook, seconds = execute(read(LESSONS / f"{name}.py"))
    print(f"{name}: {seconds:.1f} s", *notes(notebook), sep="\n  ")
    _write(slim(notebook), HERE / f"{name}.ipynb")
    if name in names(EXERCISES):
        exercise = read(EXERCISES / f"{name}.py")
        _write(stubs(exercise), HERE / "exercises" / f"{name}.ipynb")
        solved, _ = execute(solutions(exercise))
        _write(solved, HERE / "exercises" / "solutions" / f"{name}.ipynb")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="starts of lessons' names; by default all")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED",
                        help="only run the lessons, with these seeds")
    parser.add_argument("--reading", action="store_true",
                        help="only say how long they take to read, as they are stored")
    parser.add_argument("--nbgrader", type=Path, metavar="FOLDER",
                        help="only write exercises, into the source/ of this nbgrader course")
    options = parser.parse_args()
    starts = tuple(options.names) or ("",)
    chosen = [name for name in names() if name.startswith(starts)]
    if not chosen:
        parser.error(f"no lesson starts with {' or '.join(starts)}; there are {', '.join(names())}")
    for name in chosen:
        if options.reading:
            minutes = reading_minutes(nbformat.read(HERE / f"{name}.ipynb", 4))
            print(f"{name}: {minutes:.1f} minutes")
        elif options.seeds:
            for seed in options.seeds:
                run, seconds = execute(reseeded(read(LESSONS / f"{name}.py"), seed))
                print(f"{name}, seed {seed}: {seconds:.1f} s", *notes(run), sep="\n  ")
        elif options.nbgrader:
            path = options.nbgrader / "source" / name / f"{name}.ipynb"
            _write(graded(read(EXERCISES / f"{name}.py")), path)
        else:
            _make(name)


if __name__ == "__main__":
    main()
