"""Which models a page offers: those on this disk first, with their sizes."""

OTHER = "\0other"


def offered() -> dict[str, dict[str, str]]:
    """Groups of models for a menu: label -> ref; OTHER stands for a ref that is typed."""
    from workbench.models import CATALOGUE, on_disk, own_refs

    here = {name for name, known in CATALOGUE.items() if on_disk(known)}
    labels = {name: f"{name} · {_weights(known.n_params)}" for name, known in CATALOGUE.items()}
    groups = {
        "On this disk": {labels[name]: name for name in CATALOGUE if name in here},
        "Made by this project": {" · ".join(reversed(ref.split(":"))): ref for ref in own_refs()},
        "To be fetched": {labels[name]: name for name in CATALOGUE if name not in here},
        "Another": {"Folder, file or hub name …": OTHER},
    }
    return {title: group for title, group in groups.items() if group}


def _weights(count: int) -> str:
    return f"{count / 1e9:.1f}B" if count >= 1e9 else f"{count / 1e6:.0f}M"
