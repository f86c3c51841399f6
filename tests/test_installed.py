"""What is installed from a wheel, away from any checkout, finds what it reads: workshops, models, circuits, launchers."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling", reason="needs hatchling: pip install -e '.[test]'")

ROOT = Path(__file__).parents[1]
ASK = """
import workbench
from workbench.cli.serving import _files
from workbench.dynamics.example import shipped
from workbench.dynamics.trained import names
from workbench.models.find import DATA
from workbench.references import reference_names
from workbench.tasks import words
from workbench.views.workshop_plan import environment, read_plan
print(workbench.__file__)
print(sorted(str(file.relative_to(DATA)) for file in DATA.rglob("*") if file.suffix != ".py" and file.is_file()))
print(read_plan("induction").title, read_plan("ioi").title, environment("ioi")[1]["WORKBENCH_WORKSHOP"])
print(sorted(_files("")), names(), reference_names(), len(shipped().steps), len(workbench.CATALOGUE))
"""


@pytest.mark.slow
def test_a_wheel_has_all_that_the_app_reads(tmp_path):
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "-q",
        "--no-index",
        "-w",
        str(tmp_path),
        str(ROOT),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    site = tmp_path / "site"
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    asked = subprocess.run(
        [sys.executable, "-c", ASK], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(site)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert asked.returncode == 0, asked.stderr[-2000:]
    where, data, plans, others = asked.stdout.splitlines()[-4:]
    assert where == str(site / "workbench" / "__init__.py")
    kept = (ROOT / "data").rglob("*")
    assert eval(data) == sorted(
        str(file.relative_to(ROOT / "data")) for file in kept if file.suffix != ".py" and file.is_file()
    )
    assert str(site / "workbench" / "data" / "workshops" / "ioi.yaml") in plans
    assert "'circuits'" in others
    assert "'attention', 'full'" in others
