"""The import rules of the house: a room imports only to its left, and light rooms stay light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import workbench

ROOT = Path(workbench.__file__).parent

# From left to right. A room may import its own files and any room of an earlier row.
ORDER = [
    ("errors", "home"),
    ("progress", "params"),
    ("origin",),
    ("result",),
    ("stacking",),
    ("pairs",),
    ("models",),
    ("sites", "batches"),
    ("hooks",),
    ("metrics", "unembed"),
    ("sweep", "rules", "graph"),
    ("effects", "references"),
    ("qk", "select", "decomposition"),
    ("edges",),
    ("channels",),
    ("tasks",),
    ("known", "formats", "detectors"),
    ("dynamics",),
    ("methods",),
    ("plans",),
    ("store",),
    ("following",),
    ("plots",),
    ("widgets",),
    ("report",),
    ("jobs",),
    ("forecasts",),
    ("views",),
    ("pages",),
    ("demo",),
    ("cli",),
]
RANK = {room: rank for rank, row in enumerate(ORDER) for room in row}
METHOD_SIBLINGS = {"method"}


def files():
    return sorted(
        file for file in ROOT.rglob("*.py") if "__pycache__" not in file.parts and file.name != "__init__.py"
    ) + sorted(file for file in ROOT.glob("*/__init__.py"))


def room_of(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(file: Path, top_only: bool = False):
    tree = ast.parse(file.read_text())
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_a_room_imports_only_to_its_left(file):
    room = room_of(file)
    assert room in RANK, f"{room} has no place in the order of rooms"
    for name in imported(file):
        parts = name.split(".")
        if parts[0] != "workbench" or len(parts) < 2 or parts[1] not in RANK:
            continue
        assert parts[1] == room or RANK[parts[1]] < RANK[room], f"{file.name} imports {name}, which stands to its right"


@pytest.mark.parametrize("file", files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_outside_libraries_stay_in_their_rooms(file):
    room, names = room_of(file), {name.split(".")[0] for name in imported(file)}
    if room != "models":
        assert "transformer_lens" not in names
    if room != "pages":
        assert not names & {"panel", "panel_material_ui", "bokeh"}
    if room in ("methods", "tasks", "sweep", "rules", "effects", "hooks", "metrics"):
        assert not names & {"plotly", "panel", "param"}
    if room in ("origin", "result", "store", "plots", "views", "errors", "progress", "params", "report"):
        assert "torch" not in {name.split(".")[0] for name in imported(file, top_only=True)}


@pytest.mark.parametrize("file", sorted((ROOT / "methods").glob("*.py")), ids=lambda file: file.stem)
def test_methods_do_not_import_each_other(file):
    # discover is the one method made of others: it scores with a sibling.
    if file.stem in METHOD_SIBLINGS | {"__init__", "discover"}:
        return
    siblings = {other.stem for other in (ROOT / "methods").glob("*.py")} - METHOD_SIBLINGS - {file.stem, "__init__"}
    names = {name.split(".")[2] for name in imported(file) if name.startswith("workbench.methods.")}
    assert not names & siblings


def test_every_file_stands_in_its_catalogue():
    from workbench.methods import METHODS
    from workbench.tasks import TASKS

    methods = {file.stem for file in (ROOT / "methods").glob("*.py")} - {"__init__", "method", "agreement", "faithfulness"}
    assert methods == set(METHODS)
    tasks = {file.stem for file in (ROOT / "tasks").glob("*.py") if "TASK = Task(" in file.read_text()}
    assert tasks == set(TASKS)


def loaded_by(code: str) -> set[str]:
    code = f"import sys, json\n{code}\nprint(json.dumps([name for name in sys.modules if '.' not in name]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_workbench_loads_nothing_heavy():
    assert not loaded_by("import workbench") & {"torch", "numpy", "xarray", "plotly", "panel", "transformers"}


def test_results_store_and_plots_load_no_torch():
    code = "import workbench.result, workbench.store, workbench.plots, workbench.report"
    assert not loaded_by(code) & {"torch", "transformers", "panel"}


def test_help_of_the_command_line_loads_nothing_heavy():
    code = "import workbench.cli\ntry: workbench.cli.main(['--help'])\nexcept SystemExit: pass"
    assert not loaded_by(code) & {"torch", "numpy", "plotly", "panel"}


def test_every_public_name_is_found():
    for name in workbench.__all__:
        assert getattr(workbench, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = workbench.nonsense
