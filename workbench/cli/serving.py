"""Verbs of a checkout: serve the apps, run the bench."""

import argparse
import sys
from pathlib import Path

from workbench.errors import BadInput

ROOT = Path(__file__).parents[2]


def serve(asked: argparse.Namespace) -> None:
    """Serve the apps with Panel."""
    import subprocess

    apps = ROOT / "apps"
    if not apps.is_dir():
        raise BadInput(f"serve must be run from a checkout, beside the folder apps/; got none at {apps}.")
    files = sorted(str(file) for file in apps.glob("*.py"))
    words = [sys.executable, "-m", "panel", "serve", *files, "--port", str(asked.port), "--address", asked.address]
    words += ["--show"] if asked.show else []
    if asked.address not in ("127.0.0.1", "localhost"):
        words += ["--allow-websocket-origin", f"{asked.address}:{asked.port}"]
    subprocess.run(words, check=False)


def bench(asked: argparse.Namespace) -> None:
    """Run the harness in bench/."""
    if not (ROOT / "bench" / "harness.py").is_file():
        raise BadInput(f"bench must be run from a checkout, beside the folder bench/; got none at {ROOT}.")
    sys.path.insert(0, str(ROOT))
    from bench.harness import run_bench

    run_bench(asked)
