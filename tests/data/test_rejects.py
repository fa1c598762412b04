"""`--rejects`: what could not be used comes out byte for byte, whatever wraps it and however long it is."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.framing import Beginning, lines, records, values
from plaudit.data.limits import Limits
from plaudit.data.read import Row, read
from plaudit.data.rejects import keep_rejects
from plaudit.records import pair
from tiers import examples

LIMITS = Limits(line_bytes=2000)
BOM = b"\xef\xbb\xbf"


def good(i: int) -> bytes:
    return b'{"prompt": "Number %d?", "chosen": "It is %d.", "rejected": "A fish, %d."}' % (i, i, i)


WRONG = b'{\n  "prompt" : "a",\n\t"chosen": 1e3,   "rejected": "\\u00e9"\n}'
TWICE = b'{\n "prompt": "a",\n "prompt": "b", "chosen": "x", "rejected": "y"\n}'
LONG = b'{"prompt": "' + b"abcdefghij" * 700 + b'", "chosen": "x", "rejected": "y"}'
BAD = (WRONG, TWICE, LONG)


def flat(rows: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(row.replace(b"\n", b" ") for row in rows)


def array(rows: tuple[bytes, ...], between: bytes = b",\n") -> bytes:
    return b"[\n" + between.join(rows) + b"\n]\n"


ROWS = (good(1), WRONG, good(2), TWICE, LONG, good(3))
FILES = {
    "lines": (b"\n".join(flat(ROWS)), flat(BAD)),
    "lines, crlf": (b"\r\n".join(flat(ROWS)) + b"\r\n", tuple(row + b"\r" for row in flat(BAD))),
    "lines, mark": (BOM + b"\n\n".join(flat(ROWS)) + b"\n", flat(BAD)),
    "lines, gz": (gzip.compress(b"\n".join(flat(ROWS)) + b"\n"), flat(BAD)),
    "lines, long last": (b"\n".join((good(1), good(2), LONG)), (LONG,)),
    "lines, long first": (BOM + b"\n".join((LONG, good(1), good(2))), (LONG,)),
    "array": (array(ROWS), BAD),
    "array, mark, gz": (gzip.compress(BOM + array(ROWS)), BAD),
    "array on one line": (array(flat(ROWS), b", "), flat(BAD)),
    "values": (b"\n".join((WRONG, good(1), TWICE, LONG, good(2))), BAD),
    "object": (b'{\n "a": ' + b',\n "b": '.join(ROWS) + b"\n}\n", BAD),
}


@pytest.mark.parametrize("name", FILES)
def test_json_rows_keep_their_bytes(tmp_path, name):
    data, bad = FILES[name]
    (tmp_path / "data").write_bytes(data)
    rows = list(keep_rejects(read(tmp_path / "data", limits=LIMITS), tmp_path / "bad"))
    assert (tmp_path / "bad").read_bytes() == b"".join(row + b"\n" for row in bad)
    assert sum(row.kept for row in rows) == len(rows) - len(bad)
    assert max(len(row.raw) for row in rows) <= LIMITS.line_bytes


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_csv_records_keep_their_quotes_and_line_breaks(tmp_path, end, pack):
    bad = [
        b'"same\nline, ""two""",x,x',
        b"one,two",
        b'"q","' + b"long\n" + b"word " * 900 + b'",y',
        b'a,"b"c,d',
    ]
    lines = [b"prompt,chosen,rejected", b"q1,a,b", bad[0], bad[1], b'"q\n2",a,b', bad[2], bad[3], b"q3,a,b"]
    (tmp_path / "data").write_bytes(pack(end.join(lines) + end))
    rows = list(keep_rejects(read(tmp_path / "data", limits=LIMITS), tmp_path / "bad"))
    assert [row.kept for row in rows] == [True, False, False, True, False, False, True]
    assert (tmp_path / "bad").read_bytes() == b"".join(record + end for record in bad)


def test_parquet_rows_become_one_line_of_json_and_nan_null(tmp_path):
    rows = [{"prompt": "a\n", "chosen": "x", "rejected": "x", "margin": float("nan")},
            {"prompt": "a", "chosen": "x", "rejected": "y", "margin": 1.0}]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data")
    list(keep_rejects(read(tmp_path / "data"), tmp_path / "bad"))
    assert [json.loads(line) for line in (tmp_path / "bad").read_bytes().splitlines()] == [{**rows[0], "margin": None}]


def test_a_row_kept_in_part_is_written_too(tmp_path):
    part = Row("x:1", b'{"a": 1}', "", (pair("q", "a", "b"),), "judgement 2 of 2: chosen and rejected are identical")
    whole = Row("x:2", b'{"a": 2}', "", (pair("q", "a", "b"),))
    assert list(keep_rejects([part, whole], tmp_path / "bad")) == [part, whole]
    assert (tmp_path / "bad").read_bytes() == part.raw + b"\n"


def test_a_long_row_that_its_file_cuts_off_is_copied_as_far_as_it_goes(tmp_path):
    noise = json.dumps({"prompt": "".join(chr(33 + (i * i * 7919) % 90) for i in range(90_000))}).encode()
    packed = gzip.compress(good(1) + b"\n" + noise)
    (tmp_path / "data.gz").write_bytes(packed[: len(packed) // 2])
    rows = list(keep_rejects(read(tmp_path / "data.gz", limits=LIMITS), tmp_path / "bad"))
    assert rows[-1].reason.startswith("the gzip data are cut off here: the rest of the file is missing")
    kept = (tmp_path / "bad").read_bytes()[:-1]
    assert len(kept) > LIMITS.line_bytes
    assert noise.startswith(kept)


@examples(60)
@given(st.integers(1, 400), st.sampled_from([0, 30, 300, 5000]), st.sampled_from(["lines", "csv", "array", "object"]))
def test_a_long_row_says_where_it_lies_however_the_blocks_are_cut(size, limit, kind):
    rows = [good(1), LONG, good(2), LONG[:500], good(3)]
    data = {"lines": b"\n".join(rows), "array": array(tuple(rows)), "object": FILES["object"][0],
            "csv": b'a,b\n1,"x\ny' + b"z" * 900 + b'"\n' + b"1" * 400 + b"\n1,2\n"}[kind]  # fmt: skip
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    framed = {"lines": lines, "csv": records}.get(kind, lambda b, x: values(b, x, inside=True))
    for _, raw, reason in framed(blocks, Limits(line_bytes=limit)):
        if isinstance(raw, Beginning):
            assert "over the limit" in reason
            assert data[raw.at : raw.at + raw.size].startswith(raw)
            assert f"{raw.size:,} bytes long" in reason or kind == "csv"
