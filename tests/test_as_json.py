"""A result as JSON: what is read back is the same, and what is no result is refused."""

import json

import numpy as np
import pytest

from tests.plots import samples
from workbench.errors import BadInput
from workbench.store.archive import pack
from workbench.store.as_json import from_json, to_json

SAMPLES = {
    "scores": samples.missing("site", "layer", "pos"), "curve": samples.curve(), "readout": samples.readout(),
    "circuit": samples.circuit(), "compared": samples.compared(),
}  # fmt: skip


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_written_reads_back_to_the_last_bit(name):
    result = SAMPLES[name]
    again = from_json(to_json(result))
    assert type(again) is type(result)
    # The archive holds values, types, coordinates, notes and the origin.
    assert pack(again) == pack(result)


def test_float32_keeps_its_type_and_its_numbers():
    made = samples.scores("layer", "head")
    small = made.replace(values=made.values.astype(np.float32))
    again = from_json(to_json(small))
    assert again.values.dtype == np.float32
    assert np.array_equal(again.values.values, small.values.values)


def test_the_text_is_plain_json_with_names_of_axes_units_and_origin():
    said = json.loads(to_json(samples.missing("layer", "pos")), parse_constant=lambda name: pytest.fail(name))
    assert said["values"]["dims"] == ["layer", "pos"]
    assert said["values"]["data"][1][1] is None
    assert said["values"]["coords"]["token"]["data"] == samples.TOKENS
    assert (said["unit"], said["notes"]["nan"]) == ("logits", "no such place")
    assert said["origin"]["method"] == "patch"
    assert said["key"] == samples.ORIGIN.key


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "other"}, "must say 'format'"),
        ({"schema": 99}, "the schema must be 1; got 99"),
        ({"kind": "dance"}, "the kind of result must be one of"),
        ({"key": "0" * 16}, "must fit its key"),
        ({"values": {"name": None, "dims": ["layer"], "type": "float64", "shape": [3], "data": [1], "coords": {}}}, "damaged"),
        ({"values": {"name": None, "dims": ["layer"], "type": "O", "shape": [1], "data": [1], "coords": {}}}, "damaged"),
        ({"origin": {"evil": 1}}, "damaged"),
    ],
)
def test_what_is_no_result_is_refused(change, reason):
    text = json.dumps({**json.loads(to_json(samples.scores("layer", "head"))), **change})
    with pytest.raises(BadInput, match=reason):
        from_json(text)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "[" * 100_000])
def test_what_is_no_json_is_refused(text):
    with pytest.raises(BadInput, match="JSON"):
        from_json(text)
