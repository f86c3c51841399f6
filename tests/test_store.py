"""The store keeps what it was given to the last digit, and survives kills, full disks and damage."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
import zipfile

import numpy as np
import pytest
import xarray as xr

from workbench import progress
from workbench.errors import BadInput
from workbench.result import Curve, Origin, Readout, Scores
from workbench.store import Store, StoreError
from workbench.store.ledger import FileLedger, opened

ORIGIN = Origin(
    "patch",
    "tiny",
    "f" * 16,
    "ioi",
    "a" * 16,
    {"n": 3, "seed": 0},
    {"heads": [1, 2], "scale": 0.1},
    versions={"torch": "2"},
)


def grid(shape, dims, dtype="float64", seed=0):
    values = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    coords = {dim: np.arange(size) * 2 for dim, size in zip(dims, shape, strict=True)}
    return xr.DataArray(values, dims=dims, coords=coords, name="effect")


def scores(seed=0, origin=ORIGIN, shape=(3, 7), dims=("layer", "pos"), dtype="float64"):
    values = grid(shape, dims, dtype, seed)
    return Scores(
        "Patching",
        "logits",
        values,
        lower=values - 1,
        upper=values + 1,
        notes={"sign": "up ≥ \ud800 <b>"},
        origin=origin,
    )


def with_tokens():
    values = grid((3, 4), ("layer", "pos"), "float32")
    values = values.assign_coords(
        token=("pos", np.array([" the", "日本", "", " the"])),
        layer=["a", "b", "c"],
        step=7,
        scale=("layer", np.array([0.1, np.nan, 3])),
    )
    values[0, 0] = np.nan
    parts = {
        "flags": xr.DataArray(np.array([True, False]), dims="k"),
        "base": xr.DataArray(np.float32(0.1)),
        "ids": grid((2, 0), ("a", "b"), "int32"),
    }
    return Scores("T", "nats", values, parts=parts, notes={"nan": "no such place"}, origin=ORIGIN)


def curve():
    return Curve("C", "share", grid((2, 5), ("series", "size")).assign_coords(series=["a", "b"]), origin=ORIGIN)


def readout():
    values = np.abs(grid((3, 4, 2), ("layer", "pos", "rank"), "float32"))
    token = xr.DataArray(np.array([f" t{i}" for i in range(24)], dtype=object).reshape(3, 4, 2), dims=values.dims)
    return Readout("R", "probability", values, parts={"token": token}, origin=ORIGIN)


SHAPES = [
    ((), ()),
    ((1,), ("component",)),
    ((0,), ("component",)),
    ((3, 4), ("layer", "head")),
    ((2, 3, 4, 5), ("site", "layer", "head", "pos")),
]


def same_array(one, other):
    assert one.dims == other.dims
    assert one.name == other.name
    assert list(one.coords) == list(other.coords)
    for a, b in [(one, other), *((one.coords[name], other.coords[name]) for name in one.coords)]:
        kept = a.values.astype(str) if a.dtype.kind == "O" else a.values
        assert a.dims == b.dims
        assert kept.dtype == b.dtype
        assert kept.shape == b.shape
        assert kept.tobytes() == b.values.tobytes()


def same(one, other):
    assert type(one) is type(other)
    assert one.origin == other.origin
    assert one.origin.key == other.origin.key
    assert (one.title, one.unit, dict(one.notes)) == (other.title, other.unit, dict(other.notes))
    assert list(one.parts) == list(other.parts)
    pairs = [(one.values, other.values), (one.lower, other.lower), (one.upper, other.upper)]
    for a, b in pairs + [(one.parts[name], other.parts[name]) for name in one.parts]:
        assert (a is None) == (b is None)
        if a is not None:
            same_array(a, b)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


@pytest.mark.parametrize("make", [scores, with_tokens, curve, readout])
def test_what_goes_in_comes_out(store, make):
    result = make()
    key = store.put(result)
    assert key == result.origin.key
    assert key in store
    same(result, store.get(key))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("shape", "dims"), SHAPES)
def test_any_shape_and_dtype(store, shape, dims, dtype):
    result = scores(shape=shape, dims=dims, dtype=dtype)
    same(result, store.get(store.put(result)))


def test_the_same_result_is_the_same_file(tmp_path):
    one, other = Store(tmp_path / "a"), Store(tmp_path / "b")
    key = one.put(with_tokens())
    other.put(with_tokens())
    assert one.path(key).read_bytes() == other.path(key).read_bytes()
    with zipfile.ZipFile(one.path(key)) as archive:
        assert {member.date_time[0] for member in archive.infolist()} == {1980}


def test_nothing_is_pickled(store):
    result = scores()
    objects = result.replace(parts={"x": xr.DataArray(np.array([{}], dtype=object), dims="k")})
    with pytest.raises(TypeError, match="objects"):
        store.put(objects)
    with np.load(store.path(store.put(readout())), allow_pickle=False) as arrays:
        assert {arrays[name].dtype.kind for name in arrays.files if name != "header.json"} <= set("fiU")


def test_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("WORKBENCH_STORE", raising=False)
    assert Store().folder == tmp_path / "home" / "store"
    monkeypatch.setenv("WORKBENCH_STORE", str(tmp_path / "mine"))
    assert Store().folder == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()
    assert Store().list() == []


@pytest.mark.parametrize("key", ["../x", "", "ABCD", "abcd/ef", "..", "abcd\n", "a*"])
def test_keys_are_hex_digits(store, key):
    for call in (store.get, store.path, store.delete, store.ledger):
        with pytest.raises(BadInput, match="0-9 and a-f"):
            call(key)


def test_first_digits_are_enough(store):
    key = store.put(scores())
    same(scores(), store.get(key[:4]))
    with pytest.raises(BadInput, match="at least 4"):
        store.get(key[:3])
    with pytest.raises(BadInput, match=f"one of the stored ones; got '0123456789'.*{key}"):
        store.get("0123456789")
    twin = key[:6] + ("0" if key[6] != "0" else "1") + key[7:]
    store.path(twin).write_bytes(b"")
    with pytest.raises(BadInput, match="Give more digits") as raised:
        store.get(key[:5])
    assert key in str(raised.value)
    assert twin in str(raised.value)
    assert store.get(key) is not None


def test_list_and_delete(store):
    keys = []
    for index in range(3):
        keys.append(store.put(scores(origin=dataclasses.replace(ORIGIN, pairs=str(index)))))
        os.utime(store.path(keys[-1]), (index, index))
    (store.folder / "notes.npz").write_text("not ours")
    entries = store.list()
    assert [entry.key for entry in entries] == keys[::-1]
    assert entries[0].kind == "scores"
    assert entries[0].title == "Patching"
    assert entries[0].origin.pairs == "2"
    assert entries[0].size == store.path(keys[2]).stat().st_size
    assert entries[0].modified.timestamp() == 2
    store.delete(keys[0][:8])
    assert [entry.key for entry in store.list()] == keys[:0:-1]
    with pytest.raises(BadInput):
        store.delete(keys[0])


def test_a_file_cut_short_never_loads(store):
    key = store.put(with_tokens())
    path, whole = store.path(key), store.path(key).read_bytes()
    for length in {*range(0, len(whole), 37), *range(len(whole) - 60, len(whole)), 1, 2, 3}:
        path.write_bytes(whole[:length])
        with pytest.warns(UserWarning, match=f"{key}.npz is damaged"):
            assert store.get(key) is None
        assert not path.exists()
        assert (store.folder / f"{key}.npz.damaged").exists()
    store.put(with_tokens())
    same(with_tokens(), store.get(key))


def test_a_changed_byte_never_gives_other_numbers(store):
    result = with_tokens()
    key = store.put(result)
    path, whole = store.path(key), store.path(key).read_bytes()
    noticed = 0
    for at in range(0, len(whole), 11):
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        path.write_bytes(changed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = store.get(key)
        noticed += loaded is None
        if loaded is not None:
            same(result, loaded)
    assert noticed > 100


def test_damage_is_left_out_of_the_list(store):
    key = store.put(scores())
    other = store.put(scores(origin=dataclasses.replace(ORIGIN, pairs="other")))
    store.path(other).write_bytes(store.path(other).read_bytes()[:-9])
    with pytest.warns(UserWarning, match=f"{other}.npz is left out"):
        assert [entry.key for entry in store.list()] == [key]


def test_a_file_under_another_name_is_not_believed(store):
    key = store.put(scores())
    os.rename(store.path(key), store.path("0" * 16))
    with pytest.warns(UserWarning, match="another key"):
        assert store.get("0" * 16) is None


def test_another_schema_is_named(store, monkeypatch):
    monkeypatch.setattr("workbench.store.archive.SCHEMA", 2)
    key = store.put(scores())
    monkeypatch.undo()
    with pytest.raises(BadInput, match=f"{key}.npz: the schema must be 1; got 2"):
        store.get(key)
    assert key in store
    with pytest.warns(UserWarning, match="schema must be 1"):
        assert store.list() == []


def full(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("broken", ["os.fsync", "os.replace"])
def test_a_full_disk_names_the_file_and_leaves_no_rest(store, monkeypatch, broken):
    key = store.put(scores())
    other = scores(origin=dataclasses.replace(ORIGIN, pairs="other"))
    monkeypatch.setattr(broken, full)
    with pytest.raises(StoreError, match=f"{other.origin.key}.npz.*No space left"):
        store.put(other)
    with pytest.raises(StoreError):
        store.put(scores(seed=1))
    monkeypatch.undo()
    assert [path.name for path in store.folder.iterdir()] == [f"{key}.npz"]
    same(scores(), store.get(key))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="must be writable"):
        Store(tmp_path / "file" / "store").put(scores())


def run(code, *args, **options):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, args)], stdout=subprocess.PIPE, text=True, **options
    )


def test_the_systems_own_limit_on_file_size(store):
    pytest.importorskip("resource")
    code = """
        import resource, sys, numpy as np, xarray as xr
        from workbench.result import Scores, Origin
        from workbench.store import Store, StoreError
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
        values = xr.DataArray(np.random.default_rng(0).normal(size=9000), dims="component")
        try:
            Store(sys.argv[1]).put(Scores("t", "u", values, origin=Origin("m", "t", "f", "k", "p")))
        except StoreError as error:
            print("told:", error)
        with Store(sys.argv[1]).ledger("abcd") as ledger:
            for index in range(4):
                ledger.put(str(index), values[:900])
            print(sum(ledger.get(str(index)) is not None for index in range(4)))
    """
    job = run(code, store.folder, stderr=subprocess.PIPE)
    out, err = job.communicate(timeout=60)
    assert job.returncode == 0
    assert "told:" in out
    assert out.split()[-1] == "4"
    assert err.count("The work goes on") == 1
    assert [path.name for path in store.folder.iterdir()] == ["abcd.partial"]
    with store.ledger("abcd") as ledger:
        assert [ledger.get(str(index)) is not None for index in range(4)] == [True, True, False, False]


def test_two_processes_writing_one_key(store):
    code = """
        import sys
        sys.path.insert(0, sys.argv[2])
        from test_store import scores
        from workbench.store import Store
        for _ in range(40):
            Store(sys.argv[1]).put(scores(seed=int(sys.argv[3])))
    """
    jobs = [run(code, store.folder, os.path.dirname(__file__), seed) for seed in (1, 2)]
    key, reads = ORIGIN.key, 0
    while any(job.poll() is None for job in jobs):
        if key in store:
            first = float(store.get(key).values[0, 0])
            assert first in (float(scores(seed=1).values[0, 0]), float(scores(seed=2).values[0, 0]))
            reads += 1
    assert reads
    assert [job.returncode for job in jobs] == [0, 0]
    assert [path.name for path in store.folder.iterdir()] == [f"{key}.npz"]


# the ledger


def test_pieces_are_found_again(store):
    pieces = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.array(np.nan),
        "": np.zeros((0, 4)),
        "日": np.array([np.inf, -0.0]),
    }
    with store.ledger("abcd") as ledger:
        for name, values in pieces.items():
            ledger.put(name, values)
        ledger.put("a", pieces["a"].T)
        assert ledger.get("nothing") is None
    with store.ledger("abcd") as ledger:
        assert ledger.get("nothing") is None
        for name, values in {**pieces, "a": pieces["a"].T}.items():
            found = ledger.get(name)
            assert found.shape == values.shape
            assert found.dtype == np.float64
            assert found.tobytes() == np.ascontiguousarray(values).tobytes()
        ledger.get("a")[:] = 9
        assert (ledger.get("a") == pieces["a"].T).all()
        ledger.done()
    assert list(store.folder.iterdir()) == []


def test_a_ledger_cut_anywhere_keeps_its_whole_records(tmp_path):
    path, ends = tmp_path / "abcd.partial", [0]
    with opened(path) as ledger:
        for index in range(4):
            ledger.put(str(index), np.full((index + 1, 2), index + 0.5))
            ends.append(path.stat().st_size)
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        records = sum(end <= length for end in ends) - 1
        with opened(path) as ledger:
            assert path.stat().st_size == ends[records]
            assert [ledger.get(str(index)) is not None for index in range(4)] == [index < records for index in range(4)]
            ledger.put("more", [1.0])
        with opened(path) as ledger:
            assert ledger.get("more").tolist() == [1.0]


def test_a_changed_byte_in_a_ledger_is_not_believed(tmp_path):
    path = tmp_path / "abcd.partial"
    with opened(path) as ledger:
        ledger.put("a", np.arange(3.0))
        ledger.put("b", np.arange(5.0))
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        with opened(path) as ledger:
            for name, expected in (("a", [0, 1, 2]), ("b", [0, 1, 2, 3, 4])):
                found = ledger.get(name)
                assert found is None or found.tolist() == expected
            assert ledger.get("b") is None


def test_the_system_may_write_less_than_asked(store):
    class Slow:
        def __init__(self, file):
            self.file = file

        def write(self, data):
            return self.file.write(data[:7])

        def __getattr__(self, name):
            return getattr(self.file, name)

    with store.ledger("abcd") as ledger:
        ledger._file = Slow(ledger._file)
        ledger.put("a", [1.0, 2.0, 3.0])
    with store.ledger("abcd") as ledger:
        assert ledger.get("a").tolist() == [1.0, 2.0, 3.0]


def test_kill_nine_loses_at_most_the_record_being_written(store):
    code = """
        import sys, numpy as np
        from workbench.store import Store
        with Store(sys.argv[1]).ledger("abcd") as ledger:
            index = 0
            while ledger.get(str(index)) is not None:
                index += 1
            while True:
                ledger.put(str(index), np.full(200_000, index + 0.25))
                print(index, flush=True)
                index += 1
    """
    finished = -1
    for attempt in range(3):
        job = run(code, store.folder)
        told = int(job.stdout.readline())
        assert told == finished + 1
        time.sleep(0.05 + 0.013 * attempt)
        job.send_signal(signal.SIGKILL)
        rest = job.stdout.read().split()
        job.wait()
        told = int(rest[-1]) if rest else told
        with store.ledger("abcd") as ledger:
            for index in range(told + 1):
                assert (ledger.get(str(index)) == index + 0.25).all()
            assert ledger.get(str(told + 2)) is None
            finished = told + (ledger.get(str(told + 1)) is not None)


def test_a_ledger_held_by_another_process_keeps_nothing_on_disk(store):
    code = """
        import sys
        from workbench.store import Store
        with Store(sys.argv[1]).ledger("abcd") as ledger:
            ledger.put("theirs", [1.0])
            print("held", flush=True)
            sys.stdin.readline()
    """
    job = run(code, store.folder, stdin=subprocess.PIPE)
    assert job.stdout.readline() == "held\n"
    before = store.path("abcd").with_suffix(".partial").read_bytes()
    with store.ledger("abcd") as ledger:
        assert ledger.get("theirs") is None
        ledger.put("ours", [2.0])
        assert ledger.get("ours").tolist() == [2.0]
        ledger.done()
    assert store.path("abcd").with_suffix(".partial").read_bytes() == before
    job.communicate("go\n", timeout=30)
    with store.ledger("abcd") as ledger, store.ledger("abcd") as second:
        assert ledger.get("theirs").tolist() == [1.0]
        assert second.get("theirs") is None


def test_a_ledger_on_a_full_disk_warns_once_and_goes_on(store, monkeypatch):
    with store.ledger("abcd") as ledger:
        ledger.put("a", [1.0])
        monkeypatch.setattr("os.fsync", full)
        with pytest.warns(UserWarning, match="abcd.partial: No space left.*The work goes on"):
            ledger.put("b", [2.0])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            ledger.put("c", [3.0])
        assert ledger.get("b").tolist() == [2.0]
        assert ledger.get("c").tolist() == [3.0]
    monkeypatch.undo()
    with store.ledger("abcd") as ledger:
        assert ledger.get("a").tolist() == [1.0]
        assert ledger.get("b") is None


def test_a_ledger_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    context = opened(tmp_path / "file" / "abcd.partial")
    with pytest.warns(UserWarning, match="start again"):
        ledger = context.__enter__()
    ledger.put("a", [1.0])
    assert ledger.get("a").tolist() == [1.0]
    assert FileLedger().get("a") is None


# compute


class Method:
    """Three pieces, kept in the ledger; stops before piece `fail`."""

    def __init__(self):
        self.done, self.fail = [], None

    def origin(self, model, pairs, **params):
        return dataclasses.replace(ORIGIN, model=model, pairs=pairs, params=params)

    def __call__(self, model, pairs, **params):
        ledger, values = progress.ledger(), []
        for index in range(3):
            found = ledger.get(str(index))
            if found is None:
                if self.fail == index:
                    raise progress.Stopped
                self.done.append(index)
                found = np.array(index + params["scale"])
                ledger.put(str(index), found)
            values.append(float(found))
        return Scores("t", "u", xr.DataArray(values, dims="component"), origin=self.origin(model, pairs, **params))


def test_compute_once(store):
    method = Method()
    one = store.compute(method, "m", "p", scale=0.5)
    assert one.values.values.tolist() == [0.5, 1.5, 2.5]
    assert method.done == [0, 1, 2]
    same(one, store.compute(method, "m", "p", scale=0.5))
    assert method.done == [0, 1, 2]
    store.compute(method, "m", "p", scale=0.25)
    store.compute(method, "m", "p", again=True, scale=0.5)
    assert method.done == [0, 1, 2] * 3
    assert sorted(path.suffix for path in store.folder.iterdir()) == [".npz", ".npz"]


def test_compute_goes_on_where_it_was_stopped(store):
    method = Method()
    method.fail = 2
    with pytest.raises(progress.Stopped):
        store.compute(method, "m", "p", scale=0.5)
    assert [path.suffix for path in store.folder.iterdir()] == [".partial"]
    method.fail = None
    assert store.compute(method, "m", "p", scale=0.5).values.values.tolist() == [0.5, 1.5, 2.5]
    assert method.done == [0, 1, 2]
    assert [path.suffix for path in store.folder.iterdir()] == [".npz"]


def test_again_uses_nothing_of_earlier_work(store):
    method = Method()
    method.fail = 2
    with pytest.raises(progress.Stopped):
        store.compute(method, "m", "p", scale=0.5)
    method.fail = None
    store.compute(method, "m", "p", again=True, scale=0.5)
    assert method.done == [0, 1, 0, 1, 2]


def test_compute_again_what_is_damaged(store):
    method = Method()
    key = store.compute(method, "m", "p", scale=0.5).origin.key
    store.path(key).write_bytes(b"PK")
    with pytest.warns(UserWarning, match="damaged"):
        assert store.compute(method, "m", "p", scale=0.5).values.values.tolist() == [0.5, 1.5, 2.5]
    assert method.done == [0, 1, 2] * 2
    assert store.get(key) is not None


def test_a_result_that_cannot_be_stored_is_still_returned(store, monkeypatch):
    monkeypatch.setattr("os.replace", full)
    with pytest.warns(UserWarning, match="No space left"):
        result = store.compute(Method(), "m", "p", scale=0.5)
    assert result.values.values.tolist() == [0.5, 1.5, 2.5]
    assert [path.suffix for path in store.folder.iterdir()] == [".partial"]
