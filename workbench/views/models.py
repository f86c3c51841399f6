"""Which models a page offers: those on this disk first, with their sizes; and the checkpoints of one."""

from workbench.errors import BadInput

OTHER = "\0other"


def offered() -> dict[str, dict[str, str]]:
    """Groups of models for a menu: label -> ref; OTHER stands for a ref that is typed.

    Where the server allows some only, these alone.
    """
    from workbench.jobs import limits
    from workbench.models import CATALOGUE, on_disk, own_refs

    allowed = limits().allow
    here = {name for name, known in CATALOGUE.items() if on_disk(known)}
    labels = {name: f"{name} · {weights(known.n_params)}" for name, known in CATALOGUE.items()}
    own = own_refs()
    groups = {
        "On this disk": {labels[name]: name for name in CATALOGUE if name in here},
        "Made by this project": {" · ".join(reversed(ref.split(":"))): ref for ref in own},
        "To be fetched": {labels[name]: name for name in CATALOGUE if name not in here},
        "Another": {"Folder, file or hub name …": OTHER},
    }
    if allowed:
        groups = {title: {label: ref for label, ref in group.items() if ref in allowed} for title, group in groups.items()}
        groups["Another"] = {ref: ref for ref in allowed if ref not in (*CATALOGUE, *own)}
    return {title: group for title, group in groups.items() if group}


def checkpoints(ref: str) -> list[str]:
    """The checkpoints of a model that are known, by step; none where it has none."""
    from workbench.models import revisions
    from workbench.models.revisions import parted

    try:
        return revisions(parted(ref)[0])
    except BadInput:
        return []


def at(ref: str, checkpoint: str) -> str:
    """The ref of a model at a checkpoint, '' being the model itself."""
    from workbench.models.revisions import parted

    bare = parted(ref)[0]
    return f"{bare}@{checkpoint}" if checkpoint else bare


def weights(count: int) -> str:
    """A number of weights for reading: '135M'."""
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M" if count >= 1e6 else f"{count / 1e3:.0f}k"
