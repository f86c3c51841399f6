"""Results that come as files: those of a store, zips of them, JSON; and whatever else somebody uploads."""

import io
import zipfile

import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.store import Store
from workbench.store.archive import pack
from workbench.store.as_json import to_json
from workbench.store.parcels import results_in, zipped

MADE = samples.missing("layer", "head")


def a_zip(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_a_file_of_a_store_a_zip_of_several_and_json_are_read(tmp_path):
    store = Store(tmp_path)
    other = samples.curve().replace(origin=samples.circuit().origin)
    keys = {store.put(MADE), store.put(samples.circuit())}
    files = {store.path(key).name: store.path(key).read_bytes() for key in keys}
    assert {one.origin.key for one in results_in("runs.zip", zipped(files))} == keys
    for name, data in (("a.npz", pack(MADE)), ("a.json", to_json(MADE).encode())):
        (one,) = results_in(name, data)
        assert pack(one) == pack(MADE)
    assert results_in("a", pack(other))[0].title == other.title


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "JSON"),
        (b"\xff\xfe\x00", "neither"),
        (b"clean,corrupt\na,b", "JSON"),
        (pack(MADE)[:-40], "damaged"),
        (b"PK\x03\x04", "damaged"),
        (a_zip(**{"note.txt": "x"}), "none in"),
        (a_zip(**{"a.npz": b"nothing"}), "damaged"),
        (pack(MADE.replace(origin=None)), "without one"),
    ],
)
def test_anything_else_is_refused_in_a_sentence(data, reason):
    with pytest.raises(BadInput, match=reason):
        results_in("<b>file</b>", data)


def test_what_would_fill_the_memory_is_not_opened(monkeypatch):
    monkeypatch.setattr("workbench.store.parcels.MOST_BYTES", 1000)
    with pytest.raises(BadInput, match="at most"):
        results_in("bomb.zip", a_zip(**{"a.npz": b"0" * 2000}))
    several = a_zip(**{f"{number}.npz": a_zip(a="0" * 700) for number in range(3)})
    with pytest.raises(BadInput, match="results of a zip must take at most"):
        results_in("bombs.zip", several)
    monkeypatch.setattr("workbench.store.parcels.MOST_FILES", 1)
    with pytest.raises(BadInput, match="at most 1 files"):
        results_in("many.zip", a_zip(a="1", b="2"))


def test_a_name_that_climbs_is_only_a_name(tmp_path):
    (one,) = results_in("up.zip", a_zip(**{"../../up.npz": pack(MADE)}))
    assert one.origin == MADE.origin
    assert not list(tmp_path.iterdir())
