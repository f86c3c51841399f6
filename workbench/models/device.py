"""The devices of this machine."""

from workbench.errors import BadInput, one_of


def devices() -> list[str]:
    """What models can be loaded on here, the default first."""
    import torch

    count = torch.cuda.device_count()
    cuda = ["cuda", *(f"cuda:{index}" for index in range(1, count))] if torch.cuda.is_available() else []
    return [*cuda, "cpu", *(["mps"] if torch.backends.mps.is_available() else [])]


def default_device() -> str:
    """'cuda' where there is one, else 'cpu'."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def device_named(device: str | None) -> str:
    """The device of this name; the default where None.

    Raises:
        BadInput: When this machine has none of that name.
    """
    import torch

    if device is None:
        return default_device()
    kind = device.split(":")[0]
    one_of("device", kind, ("cpu", "cuda", "mps"))
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}[kind]
    if not there:
        raise BadInput(f"device must be one this machine has; got {device!r}. Use 'cpu'.")
    if kind == "cuda" and ":" in device and device not in (f"cuda:{index}" for index in range(torch.cuda.device_count())):
        raise BadInput(f"device must be one of {torch.cuda.device_count()} GPUs; got {device!r}.")
    return device
