"""More than two hundred broken files: which row is named, in which words, and that every other row lives."""

import gzip
import json
import os

import _plain_layout
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from plaudit.data.limits import Limits
from plaudit.data.read import read
from plaudit.errors import DataError

LIMITS = Limits(line_bytes=20_000)
# One bad row in JSON, and the reason that is given for it.
ROWS = {
    "cut in a key": (b'{"prompt": "a", "cho', "broken JSON: cut off before its end"),
    "cut in a value": (b'{"prompt": "a", "chosen": "b', "broken JSON: cut off before its end"),
    "cut after a comma": (b'{"prompt": "a", "chosen": "b",', "broken JSON: cut off before its end"),
    "number for text": (b'{"prompt": "a", "chosen": 12, "rejected": "c"}', "'chosen' is int, not text"),
    "boolean for text": (b'{"prompt": "a", "chosen": "b", "rejected": false}', "'rejected' is bool, not text"),
    "null for text": (b'{"prompt": null, "chosen": "b", "rejected": "c"}', "'prompt' is NoneType, not text"),
    "object for text": (b'{"prompt": {"a": 1}, "chosen": "b", "rejected": "c"}', "'prompt' is dict, not text"),
    "missing side": (b'{"prompt": "a", "chosen": "b"}', "no 'rejected'"),
    "missing prompt": (b'{"chosen": "b", "rejected": "c"}', "no 'prompt'"),
    "identical": (b'{"prompt": "a", "chosen": "same", "rejected": "same"}', "chosen and rejected are identical"),
    "empty chosen": (b'{"prompt": "a", "chosen": "", "rejected": "c"}', "chosen is empty"),
    "blank rejected": (b'{"prompt": "a", "chosen": "b", "rejected": " \\n\\t"}', "rejected is empty"),
    "repeated key": (
        b'{"prompt": "a", "chosen": "b", "chosen": "d", "rejected": "c"}', "the key 'chosen' occurs twice"),
    "repeated key, spaced": (b'{"prompt" : "a", "chosen"  : "b", "rejected": "c", "prompt":"a"}',
                             "the key 'prompt' occurs twice"),
    "repeated key, escaped": (b'{"prompt": "a", "chosen": "b", "rejected": "c", "promp\\u0074": "a"}',
                              "the key 'prompt' occurs twice"),
    "repeated inner key": (b'{"prompt": "a", "chosen": "b", "rejected": "c", "m": {"x": 1, "x": 2}}',
                           "the key 'x' occurs twice"),
    "NaN": (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": NaN}', "NaN is not a JSON number"),
    "infinity": (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": Infinity}',
                 "Infinity is not a JSON number"),
    "minus infinity": (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": -Infinity}',
                       "-Infinity is not a JSON number"),
    "overflow": (b'{"prompt": "a", "chosen": "b", "rejected": "c", "margin": 1e999}', "a number too large to hold"),
    "lone surrogate": (b'{"prompt": "a\\ud83d", "chosen": "b", "rejected": "c"}',
                       "half of a character: the lone surrogate \\ud83d"),
    "lone low surrogate": (b'{"prompt": "a", "chosen": "\\udc00", "rejected": "c"}',
                           "half of a character: the lone surrogate \\udc00"),
    "raw NUL": (b'{"prompt": "a\x00", "chosen": "b", "rejected": "c"}', "broken JSON: a raw NUL at byte 13"),
    "not UTF-8": (b'{"prompt": "\xff\xfe", "chosen": "b", "rejected": "c"}', "not UTF-8: byte 0xff at byte 12"),
    "latin-1": (b'{"prompt": "caf\xe9", "chosen": "b", "rejected": "c"}', "not UTF-8: byte 0xe9 at byte 15"),
    "UTF-8 surrogate": (b'{"prompt": "\xed\xa0\x80", "chosen": "b", "rejected": "c"}',
                        "not UTF-8: byte 0xed at byte 12"),
    "control character": (b'{"prompt": "a\x01", "chosen": "b", "rejected": "c"}', "broken JSON at byte 13"),
    "bad escape": (b'{"prompt": "a\\q", "chosen": "b", "rejected": "c"}', "broken JSON at byte 15"),
    "100 levels": (b'{"prompt": ' + b"[" * 100 + b"]" * 100 + b', "chosen": "b", "rejected": "c"}',
                   "nested more than 64 levels deep"),
    "5,000 levels": (b'{"prompt": ' + b"[" * 5000 + b"]" * 5000 + b', "chosen": "b", "rejected": "c"}',
                     "nested more than 64 levels deep"),
    "over the limit": (b'{"prompt": "' + b"a" * 30_000 + b'", "chosen": "b", "rejected": "c"}',
                       "30,046 bytes long, over the limit of 20,000 (line_bytes)"),
    "an array": (b"[1, 2]", "an array where an object must be"),
    "a string": (b'"hello"', "a string where an object must be"),
    "a number": (b"12", "a number where an object must be"),
    "null": (b"null", "null where an object must be"),
}  # fmt: skip
# Broken only as a line: inside an array these bytes mean something else, or nothing.
LINES = {
    "plain text": (b"hello", "broken JSON at byte 0"),
    "single quotes": (b"{'prompt': 'a'}", "broken JSON at byte 1"),
    "trailing comma": (b'{"prompt": "a", "chosen": "b", "rejected": "c",}', "broken JSON at byte 47"),
    "two objects": (b'{"prompt": "a"} {"chosen": "b"}', "broken JSON at byte 17"),
    "a bracket": (b"]", "broken JSON at byte 0"),
    "missing colon": (b'{"prompt" "a"}', "broken JSON at byte 10"),
    "a comment": (b'// {"prompt": "a"}', "broken JSON at byte 0"),
    "a word": (b'{"prompt": undefined}', "broken JSON at byte 11"),
    "only NUL": (b"\0\0\0", "broken JSON: a raw NUL at byte 0"),
    "a byte order mark": (b'\xef\xbb\xbf{"prompt": "a"}', "broken JSON at byte 0"),
    "open bracket": (b'{"prompt": "a", "chosen": ["b"', "broken JSON: cut off before its end"),
    "a quote": (b'"', "broken JSON: cut off before its end"),
}


def good(i: int) -> bytes:
    return b'{"prompt": "Number %d?", "chosen": "It is %d.", "rejected": "A fish, %d."}' % (i, i, i)


def jsonl(bad: bytes) -> bytes:
    return b"\n".join([good(1), good(2), bad, good(4)]) + b"\n"


def crlf(bad: bytes) -> bytes:
    return b"\r\n".join([good(1), good(2), bad, good(4)])


def array(bad: bytes) -> bytes:
    return b"[" + b", ".join([good(1), good(2), bad, good(4)]) + b"]"


def pretty(bad: bytes) -> bytes:
    text = [json.dumps(json.loads(good(i)), indent=2).encode() for i in (1, 2, 4)]
    return b"[\n" + b",\n".join([text[0], text[1], bad, text[2]]) + b"\n]\n"


def object_of_rows(bad: bytes) -> bytes:
    return b'{\n "a": ' + b',\n "b": '.join([good(1), good(2), bad, good(4)]) + b"\n}"


FORMATS = {"jsonl": jsonl, "crlf": crlf, "array": array, "pretty": pretty, "gz": lambda bad: gzip.compress(jsonl(bad)),
           "array.gz": lambda bad: gzip.compress(array(bad))}  # fmt: skip
CASES = [(form, name, *ROWS[name]) for form in FORMATS for name in ROWS]
CASES += [(form, name, *LINES[name]) for form in ("jsonl", "crlf", "gz") for name in LINES]


def test_the_table_is_large_enough():
    assert len(CASES) + len(WHOLE) + len(CSV) > 200


@pytest.fixture(autouse=True)
def _plain(monkeypatch):
    _plain_layout.use(monkeypatch)


@pytest.mark.parametrize(("form", "name", "bad", "reason"), CASES, ids=[f"{f}-{n}" for f, n, *_ in CASES])
def test_one_bad_row_is_named_and_the_others_live(tmp_path, form, name, bad, reason):
    file = tmp_path / "data"
    file.write_bytes(FORMATS[form](bad))
    reason = reason.replace("30,046", "30,047") if form == "crlf" else reason
    rows = list(read(file, limits=LIMITS))
    assert [(row.where, row.reason) for row in rows if row.reason] == [(f"{file}:3", reason)]
    assert [row.records[0].prompt[0].text for row in rows if row.kept] == ["Number 1?", "Number 2?", "Number 4?"]
    if name != "over the limit":
        assert rows[2].raw.strip() == bad
    else:
        assert bad.startswith(rows[2].raw)


@pytest.mark.parametrize("name", [n for n in ROWS if not n.startswith("cut")])
def test_an_object_of_rows_loses_one_row(tmp_path, name):
    file = tmp_path / "data"
    file.write_bytes(object_of_rows(ROWS[name][0]))
    rows = list(read(file, limits=LIMITS))
    assert [row.where for row in rows if row.reason] == [f"{file}:3"]
    assert sum(row.kept for row in rows) == 3


PACKED = gzip.compress(b"\n".join(map(good, range(20_000))))  # more than one block of 1 MB
# What is wrong with a whole file, and what is said; the name of the file may matter.
WHOLE = {
    "pointer.jsonl": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n",
                      "a git-lfs pointer, not the data\n  fetch the data with `git lfs pull`"),
    "pointer.parquet": (b"version https://git-lfs.github.com/spec/v1\n",
                        "a git-lfs pointer, not the data\n  fetch the data with `git lfs pull`"),
    "pointer.jsonl.gz": (b"version https://git-lfs.github.com/spec/v1\n",
                         "a git-lfs pointer, not the data\n  fetch the data with `git lfs pull`"),
    "empty.jsonl": (b"", "the file is empty"),
    "empty.json": (b"", "the file is empty"),
    "empty.csv": (b"", "the file is empty"),
    "blank.jsonl": (b"\n \n\t\n", "the file holds nothing but white space"),
    "mark.jsonl": (b"\xef\xbb\xbf", "the file is empty"),
    "empty.jsonl.gz": (gzip.compress(b""), "the file is empty"),
    "binary.jsonl": (bytes(range(256)) * 20,
                     "binary data: neither JSON, csv nor parquet\n  save it as JSONL or parquet"),
    "binary.json.gz": (b"\x00\xff" * 99, "named .gz, but neither gzip nor text\n  fetch it again"),
    "words.txt": (b"hello\nworld\n", "neither JSON, csv nor parquet\n  save it as JSONL or parquet"),
    "fake.parquet": (b"PAR1nothing", "begins like parquet, but is cut off or damaged\n  fetch it again"),
    "fake.jsonl": (b"PAR1" + bytes(5000), "begins like parquet, but is cut off or damaged\n  fetch it again"),
    "a.zip": (b"PK\x03\x04rest", "a zip archive, which is not read\n  unpack it, or save it as JSONL or parquet"),
    "a.zst": (b"\x28\xb5\x2f\xfdrest", "zstd data, which is not read\n  unpack it, or save it as JSONL or parquet"),
    "a.xz": (b"\xfd7zXZ\0", "xz data, which is not read\n  unpack it, or save it as JSONL or parquet"),
    "a.bz2": (b"BZh91AY", "bzip2 data, which is not read\n  unpack it, or save it as JSONL or parquet"),
    "a.pkl": (b"\x80\x04rest", "a Python pickle, which is not read\n  unpack it, or save it as JSONL or parquet"),
    "wide.jsonl": ('{"prompt": "a"}'.encode("utf-16"),
                   "UTF-16 text\n  save it as UTF-8, for instance with `iconv -f UTF-16 -t UTF-8`"),
    "twice.csv": (b"prompt,chosen,chosen\n1,2,3\n", "two csv columns have the same name"),
    "open.csv": (b'"prompt,chosen,rejected\n1,2,3\n', "the csv header cannot be read"),
    "latin.csv": (b"pr\xe9,chosen\n1,2\n", "the csv header cannot be read"),
    "other.jsonl": (b'{"x": 1, "y": 2}\n', "no layout recognises these rows; their keys are x, y"),
    "bare.jsonl": (b"{}\n{}\n", "no layout recognises these rows; their keys are (none)"),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name):
    data, message = WHOLE[name]
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(DataError) as caught:
        list(read(file, limits=LIMITS))
    assert str(caught.value).startswith(f"{file}: {message}")


def test_a_missing_file_a_folder_without_data_and_a_nul_in_a_name(tmp_path):
    for path, reason in [(tmp_path / "nowhere.jsonl", "no such file"), (tmp_path, "a folder without data files")]:
        with pytest.raises(DataError) as caught:
            read(path)
        assert (caught.value.where, caught.value.reason) == (str(path), reason)
    with pytest.raises(DataError, match="cannot be opened"):
        read("a\0b")


@pytest.mark.slow
@pytest.mark.parametrize("size", [20, 500, 5000, 40_000, len(PACKED) - 9, len(PACKED) - 1])
def test_a_cut_gzip_gives_its_rows_and_one_error(tmp_path, size):
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(PACKED[:size])
    if size < 50:  # nothing can be unpacked yet
        with pytest.raises(DataError, match="the gzip data are cut off here, before the first byte"):
            list(read(file))
        return
    rows = list(read(file))
    assert rows[-1].reason.startswith("the gzip data are cut off here: the rest of the file is missing")
    assert all(row.kept for row in rows[:-1])
    assert rows[-1].where == f"{file}:{len(rows)}"


def test_damage_inside_gzip_is_one_error(tmp_path):
    damaged = bytearray(PACKED)
    damaged[len(PACKED) // 2] ^= 0xFF
    (tmp_path / "a.jsonl.gz").write_bytes(damaged)
    rows = list(read(tmp_path / "a.jsonl.gz"))
    assert rows[-1].reason.startswith("the gzip data are damaged here: the rest of the file is missing")
    assert sum(row.kept for row in rows) > 2000


def test_a_cell_of_a_table_that_cannot_be_read_costs_its_row(tmp_path):
    n = 300
    texts = pa.array([b"\xff" if i == 199 else b"a" for i in range(n)]).view(pa.string())
    good = {"prompt": ["p"] * n, "rejected": ["b"] * n}
    pq.write_table(pa.table({**good, "chosen": texts}), tmp_path / "a.parquet")
    rows = list(read(tmp_path / "a.parquet"))
    assert [row.where.rsplit(":", 1)[1] for row in rows if not row.kept] == ["200"]
    assert "'chosen' cannot be read" in rows[199].reason
    assert len(rows) == n
    far = pa.array([0] * (n - 1) + [2**62], pa.timestamp("us"))
    pq.write_table(pa.table({**good, "chosen": ["a"] * n, "when": far}), tmp_path / "b.parquet")
    assert sum(row.kept for row in read(tmp_path / "b.parquet")) == n - 1


HEADER = b"prompt,chosen,rejected\n"
CSV = {
    "short": (b"a,b\n", "2 values under 3 columns"),
    "long": (b"a,b,c,d\n", "4 values under 3 columns"),
    "quote": (b'a,"b"x,c"\n', "broken csv: a quote stands where none may"),
    "utf8": (b"a,\xff,c\n", "not UTF-8: byte 0xff at byte 2"),
    "identical": (b"a,b,b\n", "chosen and rejected are identical"),
    "empty": (b"a,,c\n", "chosen is empty"),
    "long line": (b"a," + b"x" * 30_000 + b",c\n",
                  "30,004 bytes long, over the limit of 20,000 (line_bytes)"),
    "NUL": (b"a,b\0,c\n", "broken csv: a raw NUL at byte 3"),
    "open quote": (b'a,"b,c\n', "a quoted value is never closed"),
}  # fmt: skip


@pytest.mark.parametrize("name", CSV)
def test_csv_names_the_bad_record(tmp_path, name):
    bad, reason = CSV[name]
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER + b'q1,"two\nlines, a comma",r1\n' + bad + b"q3,c3,r3\n")
    rows = list(read(file, limits=LIMITS))
    assert rows[0].records[0].responses[0][0].text == "two\nlines, a comma"
    assert (rows[1].where, rows[1].reason) == (f"{file}:2", reason)
    assert rows[-1].kept


def test_a_quote_inside_a_cell_is_text_and_opens_nothing(tmp_path):
    """Inches are no quotation marks: the rows between two of them live."""
    (tmp_path / "a.csv").write_bytes(HEADER + b'q,5" tall,x\n' + b"q,c,r\n" * 9 + b'q,6" wide,y\nq,"a ""b"", c",""""\n')
    rows = list(read(tmp_path / "a.csv"))
    assert all(row.kept for row in rows)
    assert [row.records[0].responses[0][0].text for row in rows] == ['5" tall', *"c" * 9, '6" wide', 'a "b", c']
    (tmp_path / "b.csv").write_bytes(b"\n" + HEADER + b"q,c,r\n")
    with pytest.raises(DataError, match=r"b\.csv: begins with a blank line"):
        list(read(tmp_path / "b.csv"))


def test_an_open_quote_in_csv_is_named_once(tmp_path):
    (tmp_path / "a.csv").write_bytes(HEADER + b'q,c,r\nq,"never closed,r\nq,c,r\n')
    rows = list(read(tmp_path / "a.csv"))
    assert [row.reason for row in rows] == [None, "a quoted value is never closed", None]


def test_an_array_without_its_end(tmp_path):
    for text, reasons in [
        (b"[" + good(1) + b",\n" + good(2), [None, None, "the file ends before its closing bracket"]),
        (b"[" + good(1) + b",\n" + good(2)[:30], [None, "broken JSON: the file ends inside this record"]),
    ]:
        (tmp_path / "a.json").write_bytes(text)
        assert [row.reason for row in read(tmp_path / "a.json")] == reasons


def test_a_pipe_is_refused_before_a_byte_is_taken_from_it(tmp_path):
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="a pipe or a device"):
        list(read(pipe, limits=LIMITS))
