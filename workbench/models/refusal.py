"""Why a model cannot be loaded here, known without loading it or fetching it."""

import json
import os
from os.path import isfile
from pathlib import Path

from workbench.errors import BadInput
from workbench.models.catalogue import CATALOGUE
from workbench.models.find import cached, count, folder_of, on_disk
from workbench.models.memory import forecast, gigabytes
from workbench.models.revisions import parted


def refusal(ref: str, dtype: str, budget: int) -> str:
    """Why a model would be refused, in one sentence; '' where nothing is known to be against it.

    Args:
        ref: What `load` would be given.
        dtype: In which dtype.
        budget: Bytes that it may take.
    """
    try:
        bare, revision = parted(ref)
        folder = folder_of(bare, revision) or cached(bare, revision)
        needed = count(ref)
    except BadInput as problem:
        return str(problem)
    said = _against_files(bare, folder)
    if said:
        return said
    if needed is not None and forecast(needed, dtype) > budget:
        takes = gigabytes(forecast(needed, dtype))
        return f"Not enough memory: it takes {takes} in {dtype}, and models may take {gigabytes(budget)}."
    if not here(ref):
        if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
            return "Not on this disk, and fetching is switched off (HF_HUB_OFFLINE)."
        if bare not in CATALOGUE and (bare.endswith(".gguf") or bare.count("/") != 1 or bare.startswith((".", "/", "~"))):
            return "There is no such folder, file or hub name."
    return ""


def here(ref: str) -> bool:
    """Whether a model can be loaded without the network."""
    bare, revision = parted(ref)
    if bare in CATALOGUE and revision is None:
        return on_disk(CATALOGUE[bare])
    if bare.endswith(".gguf"):
        return isfile(bare)
    name = CATALOGUE[bare].hub if bare in CATALOGUE else bare
    return folder_of(bare, revision) is not None or cached(name, revision) is not None


def _against_files(ref: str, folder: Path | None) -> str:
    """What the files of a model say against it; '' where there are none yet."""
    if folder is None or ref in CATALOGUE:
        return ""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no object")
    except (OSError, ValueError):
        return "Its config.json cannot be read."
    if "auto_map" in config:
        return "It brings Python code of its own, which is not run here."
    known, named = _architectures(), config.get("architectures") or []
    if named and known and not set(map(str, named)) & known:
        return f"Unknown architecture: TransformerLens has no bridge for {str(named[0])[:60]}."
    if not list(folder.glob("*.safetensors")):
        return "" if list(folder.glob("*.bin")) else "It has no weights in safetensors."
    return ""


def _architectures() -> set[str]:
    """Names of the architectures that TransformerLens bridges."""
    from transformer_lens.factories.architecture_adapter_factory import SUPPORTED_ARCHITECTURES

    return set(SUPPORTED_ARCHITECTURES)
