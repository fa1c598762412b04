"""Reading: every format gives the same records, ids are told apart, and no mutation of a line escapes or is lost."""

import csv
import gzip
import io
import json
import subprocess
import sys
import textwrap

import _plain_layout
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.columns import renames
from plaudit.data.framing import lines, records, values
from plaudit.data.limits import LIMITS, Limits
from plaudit.data.read import fault_of, read
from plaudit.data.rejects import keep_rejects
from plaudit.errors import DataError, OptionError, PlauditError
from plaudit.records import Steps, group, pair
from tiers import examples

ROWS = [
    {"prompt": f"Why, {i}?\n", "chosen": f'Because "{i}" \\ é {{[,', "rejected": f"No: {i}\n\nNo 🙂"} for i in range(60)
]


def as_csv(rows, mark=","):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), delimiter=mark)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def as_parquet(rows):
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out, row_group_size=7)
    return out.getvalue()


def as_jsonl(rows):
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


FORMATS = {
    "jsonl": as_jsonl(ROWS),
    "jsonl-newline": as_jsonl(ROWS) + b"\n",
    "jsonl-bom": b"\xef\xbb\xbf" + as_jsonl(ROWS),
    "jsonl-crlf": as_jsonl(ROWS).replace(b"\n", b"\r\n"),
    "jsonl-blank-lines": as_jsonl(ROWS).replace(b"\n", b"\n\n"),
    "jsonl-gz": gzip.compress(as_jsonl(ROWS)),
    "jsonl-gz-members": gzip.compress(as_jsonl(ROWS[:9]) + b"\n") + gzip.compress(as_jsonl(ROWS[9:])),
    "array": json.dumps(ROWS).encode(),
    "array-pretty": json.dumps(ROWS, indent=4, ensure_ascii=False).encode(),
    "array-bom": b"\xef\xbb\xbf" + json.dumps(ROWS).encode(),
    "array-gz": gzip.compress(json.dumps(ROWS).encode()),
    "array-one-a-line": b"[\n" + as_jsonl(ROWS).replace(b"\n", b",\n") + b"\n]",
    "object": json.dumps({str(i): row for i, row in enumerate(ROWS)}).encode(),
    "object-pretty": json.dumps({str(i): row for i, row in enumerate(ROWS)}, indent=2).encode(),
    "values": "\n".join(json.dumps(row, indent=2) for row in ROWS).encode(),
    "csv": as_csv(ROWS),
    "csv-bom": b"\xef\xbb\xbf" + as_csv(ROWS),
    "tsv": as_csv(ROWS, "\t"),
    "csv-gz": gzip.compress(as_csv(ROWS)),
    "parquet": as_parquet(ROWS),
}


@pytest.fixture
def plain(monkeypatch):
    _plain_layout.use(monkeypatch)


def texts(rows):
    assert all(row.reason is None for row in rows)
    return [
        {"prompt": p.prompt[0].text, "chosen": p.responses[0][0].text, "rejected": p.responses[1][0].text}
        for row in rows
        for p in row.records
    ]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_records_whatever_the_name(tmp_path, name):
    file = tmp_path / "no-suffix"
    file.write_bytes(FORMATS[name])
    rows = list(read(file))
    assert texts(rows) == ROWS
    step = 2 if name == "jsonl-blank-lines" else 1
    assert [row.where for row in rows] == [f"{file}:{1 + step * i}" for i in range(len(ROWS))]
    assert [row.records[0].source for row in rows] == [row.where for row in rows]


@examples(40)
@given(st.integers(1, 200), st.sampled_from(["array", "array-pretty", "object-pretty", "values", "jsonl", "csv"]))
def test_where_the_blocks_are_cut_does_not_matter(size, name):
    data = FORMATS[name]
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    frame = {"jsonl": lines, "csv": records}.get(name, lambda b, x: values(b, x, inside=name != "values"))
    assert list(frame(blocks, LIMITS)) == list(frame([data], LIMITS))


@pytest.mark.usefixtures("plain")
def test_ids_are_told_apart_within_one_read(tmp_path):
    rows = [{**ROWS[0], "id": "a"}, {**ROWS[1], "id": "a"}, {**ROWS[2], "id": "a~2"}, ROWS[3], ROWS[3]]
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_bytes(as_jsonl(rows))
    found = [row.records[0].id for row in read([tmp_path / "one.jsonl", tmp_path / "two.jsonl"])]
    assert len(set(found)) == 10
    assert found[:3] == ["a", "a~2", "a~2~2"]
    assert found[4] == found[3] + "~2"
    assert found[8] == found[3] + "~3"


def test_what_plaudit_wrote_about_a_file_is_no_data_of_its_folder(tmp_path):
    row = '{"prompt": "Q?", "chosen": "a", "rejected": "b"}\n'
    for name in ("a.jsonl", "b.json", "lone.truth.jsonl"):  # the last is about no file here: a name like any other
        (tmp_path / name).write_text(row)
    for name in ("a.jsonl.ledger.jsonl", "a.jsonl.truth.jsonl", "b.json.dataset_info.json"):
        (tmp_path / name).write_text('{"id": "x"}\n')
    assert [row.where.rpartition("/")[2] for row in read(tmp_path)] == ["a.jsonl:1", "b.json:1", "lone.truth.jsonl:1"]


@pytest.mark.usefixtures("plain")
def test_a_folder_is_its_data_files(tmp_path):
    for name in ("b.jsonl", "a.json.gz", ".hidden.jsonl", "README.md"):
        (tmp_path / name).write_bytes(as_jsonl(ROWS[:2]))
    assert [row.where for row in read(tmp_path)] == [
        f"{tmp_path / n}:{i}" for n in ("a.json.gz", "b.jsonl") for i in (1, 2)
    ]


@pytest.mark.usefixtures("plain")
def test_columns_are_renamed_before_anything_else(tmp_path):
    rows = [{"q": r["prompt"], "good": r["chosen"], "bad": r["rejected"], "chosen": 1} for r in ROWS[:3]]
    (tmp_path / "a.jsonl").write_bytes(as_jsonl([*rows, {"q": "x"}]))
    found = list(read(tmp_path / "a.jsonl", columns=renames("prompt=q,chosen=good,rejected=bad")))
    assert texts(found[:3]) == ROWS[:3]
    assert found[3].reason == "no column 'good', which --columns names; there are q"
    with pytest.raises(OptionError, match="'x' is not of the form name=column\n.*'q' is named twice"):
        renames("x,prompt=q,chosen=q")


def test_csv_numbers_and_messages(tmp_path):
    (tmp_path / "a.csv").write_text(
        'prompt,chosen,rejected,margin,label\n4,5,"[{""role"": ""x""}]",0.5,True\n6,7,8,,x\n'
    )
    from plaudit.data.sources import items

    found = [row for _, _, row, _ in items(str(tmp_path / "a.csv"), LIMITS)]
    assert found[0] == {"prompt": "4", "chosen": "5", "rejected": [{"role": "x"}], "margin": 0.5, "label": True}
    assert (found[1]["margin"], found[1]["label"]) == (None, "x")


def test_nan_in_parquet_is_missing(tmp_path):
    from plaudit.data.sources import items

    pq.write_table(pa.table({"a": [1.5, float("nan")], "b": [[float("nan")], [2.0]]}), tmp_path / "a.parquet")
    found = [row for _, _, row, _ in items(str(tmp_path / "a.parquet"), LIMITS)]
    assert found == [{"a": 1.5, "b": [None]}, {"a": None, "b": [2.0]}]


def test_infinity_in_parquet_is_a_fault(tmp_path):
    from plaudit.data.sources import items

    values = {"a": [float("-inf"), 1.0, 2.0], "b": [[1.0], [float("inf")], [3.0]], "c": [{"d": 1.0}] * 3}
    pq.write_table(pa.table(values), tmp_path / "a.parquet")
    found = [(raw, row, fault) for _, raw, row, fault in items(str(tmp_path / "a.parquet"), LIMITS)]
    assert [fault for *_, fault in found] == ["'a' is infinite", "'b' is infinite", ""]
    assert [row for _, row, _ in found] == [None, None, {"a": 2.0, "b": [3.0], "c": {"d": 1.0}}]
    assert found[0][0] == b'{"a":null,"b":[1.0],"c":{"d":1.0}}'


def test_what_is_wrong_with_a_parsed_record():
    same = group("q", ("a", "b", "a"), (0, 1, 2))
    assert fault_of(same) == "responses 1 and 3 are identical, but ranked apart"
    assert fault_of(group("q", ("a", "b", "a"), (0, 1, 0))) is None
    assert fault_of(group("q", ("a", "a"), (0, 0))) == "response 1 and response 2 are identical"
    assert fault_of(group("q", (" ",), None)) == "response 1 is empty"
    assert fault_of(group("q", ("a", "b", ""), (0, 1, 2))) == "response 3 is empty"
    assert fault_of(pair("", "a", "b")) is None
    assert fault_of(group("q", (), None)) == "no response"
    assert fault_of(Steps("x", (), (), ())) == "a solution without steps"


def test_a_row_may_be_kept_in_part(tmp_path, monkeypatch):
    _plain_layout.use(monkeypatch)
    both = lambda row, where: [pair("q", "a", "b"), pair("q", "c", "c")]  # noqa: E731
    monkeypatch.setattr(_plain_layout, "parse", both)
    monkeypatch.setattr(
        "plaudit.data.read.catalog.load", lambda room, name: type("L", (), {"parse": staticmethod(both)})
    )
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(ROWS[:1]))
    (row,) = read(tmp_path / "a.jsonl")
    assert row.kept
    assert (len(row.records), row.reason) == (1, "judgement 2 of 2: chosen and rejected are identical")


@pytest.mark.usefixtures("plain")
def test_rejects_and_kept_rows_are_the_file(tmp_path):
    bad = [b'{"prompt": "a"', b"\xff", b'{"prompt": "a", "chosen": 1, "rejected": "b"}\r']
    whole = as_jsonl(ROWS[:2]).split(b"\n") + bad
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(whole))
    kept = [row.raw for row in keep_rejects(read(tmp_path / "a.jsonl"), tmp_path / "bad") if row.kept]
    assert kept + (tmp_path / "bad").read_bytes().split(b"\n")[:-1] == whole
    with pytest.raises(PlauditError, match="bad exists already"):
        list(keep_rejects([], tmp_path / "bad"))
    again = keep_rejects(read(tmp_path / "a.jsonl"), tmp_path / "bad")  # the same rows: nothing stands in the way
    assert len(list(again)) == len(whole)
    half = keep_rejects(read(tmp_path / "a.jsonl"), tmp_path / "half")
    next(half)
    half.close()  # the command failed: no file of its name is left behind
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "bad"]
    with pytest.raises(PlauditError, match="cannot be written"):
        keep_rejects([], tmp_path / "no" / "bad")


def test_an_unknown_layout_names_the_nearest_and_the_hub_needs_its_package(tmp_path, monkeypatch):
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(ROWS[:1]))
    with pytest.raises(OptionError, match="unknown layout 'tlr'"):
        read(tmp_path / "a.jsonl", layout="tlr")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match="needs `datasets`"):
        list(read("hub:somebody/something"))


class Hub:
    """A stand-in for `datasets`: two good rows and an infinite one, whatever the name; remembers what was asked for."""

    def __init__(self):
        self.asked = []

    def load_dataset(self, name, *, split, streaming):
        self.asked.append((name, split, streaming))
        if name == "nobody/nothing":
            raise FileNotFoundError("no such data set\nand a long story")
        return [
            {"prompt": f"Why, {i}?", "chosen": "Because.", "rejected": "No.", "margin": m}
            for i, m in enumerate((1.0, float("nan"), float("inf")))
        ]


def test_a_data_set_of_the_hub_is_streamed_by_name_and_split(monkeypatch):
    hub = Hub()
    monkeypatch.setitem(sys.modules, "datasets", hub)
    rows = list(read(["hub:some/pairs", "hub:some/pairs:test"]))
    assert hub.asked == [("some/pairs", "train", True), ("some/pairs", "test", True)]
    assert [row.where for row in rows[:3]] == [f"hub:some/pairs:{i}" for i in (1, 2, 3)]
    assert [row.reason for row in rows[:3]] == [None, None, "'margin' is infinite"]
    assert [row.records[0].margin for row in rows[:2]] == [1.0, 0.0]
    with pytest.raises(DataError, match="the hub does not give it: no such data set\n"):
        list(read("hub:nobody/nothing"))


LINE = json.dumps(
    {"prompt": "Why?", "chosen": [{"role": "assistant", "content": "é\n"}], "rejected": "b", "n": 1.5}
).encode()
mutations = st.one_of(
    st.tuples(st.integers(0, len(LINE) - 1), st.integers(0, 255)).map(
        lambda m: LINE[: m[0]] + bytes([m[1]]) + LINE[m[0] + 1 :]
    ),
    st.tuples(st.integers(0, len(LINE)), st.integers(0, len(LINE))).map(lambda m: LINE[: min(m)] + LINE[max(m) :]),
    st.tuples(st.integers(0, len(LINE)), st.integers(0, len(LINE))).map(lambda m: LINE[: m[0]] + LINE[m[1] :]),
    st.tuples(st.integers(0, len(LINE)), st.binary(max_size=9)).map(lambda m: LINE[: m[0]] + m[1] + LINE[m[0] :]),
)


@examples(300)
@given(st.lists(mutations, min_size=1, max_size=6))
def test_no_mutation_of_a_line_escapes_or_is_lost(tmp_path_factory, mutated):
    file = tmp_path_factory.getbasetemp() / "mutated.jsonl"
    file.write_bytes(as_jsonl(ROWS[:3]) + b"\n" + b"\n".join(mutated) + b"\n")
    rows = list(read(file))
    expected = [line for line in file.read_bytes().split(b"\n") if line.strip()]
    assert [row.raw for row in rows] == expected
    assert all(row.kept != (row.reason is not None) for row in rows)


@examples(200)
@given(st.lists(mutations, min_size=1, max_size=6), st.sampled_from(["array", "object"]))
def test_no_mutation_inside_an_array_escapes(tmp_path_factory, mutated, kind):
    file = tmp_path_factory.getbasetemp() / "mutated.json"
    pieces = [json.dumps(row).encode() for row in ROWS[:3]] + mutated
    if kind == "object":
        file.write_bytes(b'{"a": ' + b', "b": '.join(pieces) + b"}")
    else:
        file.write_bytes(b"[" + b", ".join(pieces) + b"]")
    rows = list(read(file))
    assert sum(row.kept for row in rows) >= 3


@pytest.mark.slow
def test_memory_stays_flat_whatever_the_line(tmp_path):
    """40 MB of rows as lines, array and csv, a line of 60 MB, and an array that breaks early: all under one bound."""
    big = as_jsonl([{**ROWS[0], "chosen": "word " * 400}] * 20_000)
    (tmp_path / "a.jsonl").write_bytes(big)
    (tmp_path / "a.json").write_bytes(b"[" + big.replace(b"\n", b",") + b"]")
    (tmp_path / "long.jsonl").write_bytes(
        as_jsonl(ROWS[:1]) + b'\n{"prompt": "' + b"x" * 60_000_000 + b'"}\n' + as_jsonl(ROWS)
    )
    (tmp_path / "open.json").write_bytes(b"[" + as_jsonl(ROWS[:1]) + b', {"prompt": "' + b"x" * 60_000_000)
    code = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        from plaudit.data.limits import Limits
        from plaudit.data.read import read
        from plaudit.data.rejects import keep_rejects
        next(iter(read(sys.argv[1])))
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for path in sys.argv[1:]:
            rows = keep_rejects(read(path, limits=Limits(line_bytes=1 << 20)), Path(path + ".rejects"))
            assert sum(row.kept for row in rows) > 0
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start)
    """)
    names = [str(tmp_path / n) for n in ("a.jsonl", "a.json", "long.jsonl", "open.json")]
    out = subprocess.run([sys.executable, "-c", code, *names], capture_output=True, text=True, check=True)
    assert int(out.stdout) < 40_000  # kilobytes
    for name, extra in (("long.jsonl", 15), ("open.json", 13)):
        assert (tmp_path / f"{name}.rejects").stat().st_size == 60_000_000 + extra


@pytest.mark.slow
def test_a_line_of_100_mb_is_one_bad_row(tmp_path):
    long = b'{"prompt": "a", "chosen": "b", "rejected": "' + b"x" * 100_000_000 + b'"}'
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(ROWS[:2]) + b"\n" + long + b"\n" + as_jsonl(ROWS[2:4]))
    rows = list(read(tmp_path / "a.jsonl"))
    assert [row.kept for row in rows] == [True, True, False, True, True]
    assert rows[2].reason == f"{len(long):,} bytes long, over the limit of {LIMITS.line_bytes:,} (line_bytes)"


def test_a_row_over_a_limit_of_ones_own(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(as_jsonl(ROWS[:2]) + b'\n{"prompt": "' + b"x" * 3000 + b'"}\n')
    last = list(read(tmp_path / "a.jsonl", limits=Limits(line_bytes=2000)))[-1]
    assert last.reason == "3,014 bytes long, over the limit of 2,000 (line_bytes)"
    assert len(last.raw) == 1024
