"""Notebooks: committed without outputs, and every cell runs; on fewer pairs here, and once in a real kernel."""

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is missing: install the extra 'test'")

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
# Fewer pairs keep the test short; the text that is replaced must be there.
FULL, SHORT = 'MODEL, N, SEED = "smollm2-135m", 8, 0', 'MODEL, N, SEED = "smollm2-135m", 2, 0'
# So do shorter lists, where there are any.
LISTS, SHORT_LISTS = 'objects="2,3,4,6,8"', 'objects="2,4"'


def read(file: Path):
    return nbformat.read(file, as_version=4)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_committed_without_outputs(file):
    notebook = read(file)
    nbformat.validate(notebook)
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_ends_with_a_self_check(file):
    assert "assert" in [cell for cell in read(file).cells if cell.cell_type == "code"][-1].source


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_every_cell_runs(file, smollm, monkeypatch):
    """In this process: imports and the model are shared."""
    import workbench.models
    from workbench.channels.search import from_weights

    real, found = workbench.models.load, {}

    def searched(heads, slots, rotations, seed):
        """Cells ask for the same search again; a null from one random basis is enough here."""
        if (slots, seed) not in found:
            found[slots, seed] = from_weights(heads, slots, 1, seed)
        return found[slots, seed]

    monkeypatch.setattr(workbench.models, "load", lambda ref: smollm if ref == "smollm2-135m" else real(ref))
    for method in ("channels", "channel_graph"):
        monkeypatch.setattr(f"workbench.methods.{method}.from_weights", searched)
    source = "\n\n".join(cell.source for cell in read(file).cells if cell.cell_type == "code")
    assert FULL in source
    short = source.replace(FULL, SHORT).replace(LISTS, SHORT_LISTS)
    exec(compile(short, file.name, "exec"), {"__name__": "notebook"})


@pytest.mark.slow
def test_the_quickstart_runs_in_a_kernel():
    from nbclient import NotebookClient

    notebook = read(NOTEBOOKS[0])
    for cell in notebook.cells:
        cell.source = cell.source.replace(FULL, SHORT)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}, store_widget_state=False).execute()
    shown = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("application/vnd.plotly.v1+json" in output.get("data", {}) for output in shown)
    assert not any(output.output_type == "error" for output in shown)
    assert os.environ["WORKBENCH_STORE"] not in str(notebook)
