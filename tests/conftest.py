"""Shared, read-only models and pairs. Tiny models are folders in the hub's format, loaded by the same loader as any other."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)) - 1:
    # Before PyTorch is imported: side by side, each worker and the servers it starts keep to their share of the cores.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // (workers + 1))))

import pytest
import torch

from tests import families
from workbench.models import load
from workbench.pairs import Pairs, pairs_from_ids


@pytest.fixture(scope="session", autouse=True)
def _own_store(tmp_path_factory):
    """Tests never touch the user's own store."""
    os.environ["WORKBENCH_STORE"] = str(tmp_path_factory.mktemp("store"))


@pytest.fixture(autouse=True)
def _no_work_left(monkeypatch):
    """Queues that a test made end with it: the next test may ask the same model from a queue of its own, in another thread."""
    from workbench.jobs import Jobs

    made, true = [], Jobs.__init__

    def begun(self, *given, **more):
        made.append(self)
        true(self, *given, **more)

    monkeypatch.setattr(Jobs, "__init__", begun)
    yield
    for one in made:
        one.stop_all(20)


@pytest.fixture(scope="session")
def model_of(tmp_path_factory):
    """The tiny random model of a family, loaded once."""
    loaded = {}

    def get(family: str):
        if family not in loaded:
            folder = families.save(family, tmp_path_factory.mktemp(family))
            loaded[family] = load(str(folder), device="cpu")
        return loaded[family]

    return get


@pytest.fixture(scope="session")
def wordy_of(tmp_path_factory):
    """The same with a tokenizer that has the tasks' words."""
    from tests.tasks.conftest import TWOS, word_level

    loaded = {}

    def get(family: str):
        if family not in loaded:
            folder = families.save(family, tmp_path_factory.mktemp(family), words=word_level(TWOS, digits=2))
            loaded[family] = load(str(folder), device="cpu")
        return loaded[family]

    return get


@pytest.fixture(scope="session")
def llama(model_of):
    return model_of("llama")


@pytest.fixture(scope="session")
def smollm():
    """SmolLM2-135M, fetched once into the cache folder."""
    return load("smollm2-135m", device="cpu")


def toy_pairs(model, n: int = 3, length: int = 7, ragged: bool = False, seed: int = 0, named: bool = False) -> Pairs:
    """Random prompts of the 23-word vocabulary that first differ at position 2, with two right answers; perhaps named there."""
    made = torch.Generator().manual_seed(seed)
    lengths = [length - (i % 2 if ragged else 0) for i in range(n)]
    clean = [torch.randint(2, families.VOCAB, (size,), generator=made).tolist() for size in lengths]
    if named:
        clean = [[*row[:3], 3, 5 + i % 3, *row[5:]] for i, row in enumerate(clean)]
    corrupt = [[*row[:2], (row[2] - 2 + 1 + i) % 21 + 2, *row[3:]] for i, row in enumerate(clean)]
    return pairs_from_ids(
        model.tokenizer,
        "toy",
        clean,
        corrupt,
        right=[[3, 4]] * n,
        wrong=[[5 + i % 3] for i in range(n)],
        positions={"HERE": [2 + i % 2 for i in range(n)]},
        params={"n": n, "seed": seed},
    )


class Memory(dict):
    """A ledger that forgets when the test ends."""

    def put(self, name, values):
        self[name] = values


@pytest.fixture
def lenient(monkeypatch):
    """Every head that pushes a reader counts, also by chance: random models have no others."""
    monkeypatch.setattr("workbench.channels.find.RATE", 1.0)
