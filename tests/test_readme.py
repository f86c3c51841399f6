"""The README shows what its commands gave, and its commands are those that exist."""

import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROSE = re.sub(r"```.*?```", "", README, flags=re.S)


def test_the_figures_are_those_of_the_written_file():
    sys.path.insert(0, str(ROOT))
    from bench.tables import markdown

    told = json.loads((ROOT / "bench" / "results" / "cpu.json").read_text())
    shown = re.search(r"<!-- bench -->\n(.*?)\n<!-- /bench -->", README, re.S)
    assert shown, "README has no table between its bench marks: paste what `workbench bench` prints"
    assert shown.group(1).strip() == markdown(told).strip()


def test_every_method_and_verb_is_mentioned():
    from workbench.methods import METHODS

    for name in METHODS:
        assert f"`{name}`" in README, name
    for verb in ("models", "tasks", "methods", "run", "show", "export", "import", "bench"):
        assert f"workbench {verb}" in README or f"| {verb}" in README, verb
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", README, re.M):
        assert f"\n{target}:" in makefile, target


def test_ci_calls_the_readmes_test_command():
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", PROSE))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()
