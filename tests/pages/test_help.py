"""The help sheet: every page says what it is for, and which keys work there."""

import ast
from pathlib import Path

import workbench.pages

FOLDER = Path(workbench.pages.__file__).parent
# What is told where keys of a page's own are heard.
KEYED = {"circuits": "Enter", "heads": "Enter", "maps": "Esc", "attention": "Enter", "residual": "Esc", "dynamics": "←"}


def helps():
    """The help lines of every page, by the name of its file."""
    found = {}
    for file in sorted(FOLDER.glob("*.py")):
        for one in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(one, ast.ClassDef) and any(getattr(base, "id", "") == "Shell" for base in one.bases):
                said = [each for each in one.body if isinstance(each, ast.AnnAssign) and each.target.id == "help"]
                found[file.stem] = ast.literal_eval(said[0].value) if said else ()
    return found


def test_every_page_says_what_it_is_for_and_its_keys():
    found = helps()
    assert {"circuits", "maps", "heads", "attention", "channels", "residual", "dynamics", "pairs", "runs"} <= found.keys()
    for name, lines in found.items():
        assert lines, f"{name} has no help lines"
        assert all(isinstance(each, str) and each for line in lines for each in line)
    for name, key in KEYED.items():
        assert any(title.startswith("Keys") and key in said for title, said in found[name]), name
