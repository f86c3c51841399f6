import json

import pytest

from workbench.errors import BadInput
from workbench.tasks.rows import read_rows

ROWS = [
    {"clean": 'He said, "a b', "corrupt": "A, c", "right": "d", "wrong": "e|f", "pos:X": "1"},
    {"clean": "two\nlines", "corrupt": "two\nwords", "right": "d", "wrong": "e", "pos:X": "b"},
]
CSV = 'clean,corrupt,right,wrong,pos:X\n"He said, ""a b","A, c",d,e|f,1\n"two\nlines","two\nwords",d,e,b\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.CSV", "\ufeff" + CSV.replace("\n", "\r\n").replace("two\r\n", "two\n")),
        ("a.csv", "\n" + CSV.replace("clean,corrupt", " clean , corrupt")),
        ("a.csv", CSV.replace(",", ";").replace("said;", "said,").replace("A;", "A,")),
        ("a.csv", CSV.replace(",", "\t").replace("said\t", "said,").replace("A\t", "A,")),
        ("a.json", json.dumps(ROWS)),
        ("a.jsonl", "\n\n".join(map(json.dumps, ROWS)) + "\n"),
    ],
)
def test_the_formats_hold_the_same_rows(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_rows(path) == ROWS
    assert read_rows(str(path)) == ROWS
    assert read_rows(ROWS) == ROWS


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "the file must have at least 1 row; 'a.csv' is empty"),
        ("a.jsonl", b"  \n", "the file must have at least 1 row; 'a.jsonl' is empty"),
        ("a.csv", b"clean,corrupt,right,wrong\n", "the rows must be at least 1; got 0"),
        ("a.json", b"[]", "the rows must be at least 1; got 0"),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "must be text in UTF-8; 'a.csv' is not (byte 0)"),
        ("a.csv", b"clean,corrupt\0,right,wrong\n", "the file must be text; 'a.csv' is binary"),
        ("a.csv", b"clean,corrupt,right,wrong\nZo\xe9,b,c,d\n", "save it as 'CSV UTF-8'"),
        ("a.csv", b"clean,corrupt,right,wrong\na, b,c,d,e\n", "row 1 has 5 for 4 columns. Put a text that holds ','"),
        ("a.csv", b'clean,corrupt,right,wrong\n"a"b,c,d,e\n', "the file must be CSV; 'a.csv' is not: "),
        ("a.csv", b"clean,corrupt,right\na,b,c\n", "row 1 lacks wrong and has clean, corrupt, right"),
        ("a.csv", b"clean,corrupt,rihgt,wrong\na,b,c,d\n", "Rename 'rihgt' to 'right'"),
        ("a.json", b"{", "the file must be JSON; 'a.json' is not: "),
        ("a.json", b'{"clean": "a"}', "the rows must be a list of rows; got dict"),
        ("a.json", b"[1]", "a row must have named columns; row 1 is 1"),
        ("a.jsonl", b'{"a": 1}\nb', "each line must be a JSON object; line 2 of 'a.jsonl' is not"),
        ("a.xlsx", b"PK", "the file must end in .csv, .jsonl, .json; got 'a.xlsx'"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_on_one_line(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadInput) as raised:
        read_rows(path)
    assert told in str(raised.value)
    assert str(raised.value).startswith("custom: ")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadInput, match=r"the file must exist; got '.*nothing\.csv'"):
        read_rows(tmp_path / "nothing.csv")


def test_a_short_row_has_empty_texts(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("clean,corrupt,right,wrong\na,b\n")
    assert read_rows(path) == [{"clean": "a", "corrupt": "b", "right": "", "wrong": ""}]
