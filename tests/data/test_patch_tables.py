"""Parquet files, repaired and undone: the same schema, order and values, whatever types they hold."""

import json
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_patch import FIXTURES, OUTCOMES, SWAPPED, alike, fill_of, judged, promised, rule_of

from plaudit.data.patch_edits import Plan
from plaudit.data.patch_rows import Manner, values_of
from plaudit.data.patch_table import batches, restored, schema_of, schema_text, shape_of, table_digest, write_tables
from plaudit.data.read import read
from plaudit.data.write import write
from plaudit.errors import PlauditError
from plaudit.records import group, pair
from tiers import examples


@cache
def tables_of(name):
    """The layout's rows as a table, with columns of every awkward kind beside them; None where arrow takes no such."""
    rows = [json.loads(line) for line in (FIXTURES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if set(row) == set(rows[0])] * 3
    try:
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, pa.BufferOutputStream())
    except (pa.ArrowException, TypeError):
        return None
    n = len(table)
    extra = {
        "when": pa.array([datetime(2020, 1, 1 + i) for i in range(n)], pa.timestamp("us", tz="UTC")),
        "kind": pa.array(["a", None, "b"] * n, pa.string())[:n].dictionary_encode(),
        "missing": pa.array([float("nan") if i % 2 else None for i in range(n)], pa.float32()),
        "long": pa.array([str(i) for i in range(n)], pa.large_string()), "small": pa.array(range(n), pa.int8()),
        "map": pa.array([[("k", 1.5)], None, []] * n, pa.map_(pa.string(), pa.float64()))[:n],
        "bytes": pa.array([b"\x00\xff"] * n), "nothing": pa.nulls(n),
    }  # fmt: skip
    for column, values in extra.items():
        table = table.append_column(column, values)
    return table.replace_schema_metadata({"huggingface": "{}", "who": "me"})


READABLE = [name for name in SWAPPED if tables_of(name) is not None]


def repaired(path, layout, rule, manner, folder):
    """(path of the new file, the ledger's lines, plan)."""
    plan = Plan(rule, manner)
    shape = shape_of(str(path), plan.columns)
    lines, new = [], Path(folder) / "new.parquet"

    def tables():
        for table, found in batches(str(path), read(str(path), layout=layout), plan, shape):
            lines.extend(found)
            yield table

    write_tables(new, tables(), shape.new, str(path))
    return new, json.loads(json.dumps(lines)), plan


def check(name, table, rule, manner):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "old.parquet"
        pq.write_table(table, path, compression="zstd", row_group_size=2)
        old = pq.read_table(path)
        new, lines, plan = repaired(path, name, rule, manner, folder)
        back = Path(folder) / "back.parquet"
        schema = schema_of(schema_text(pq.read_schema(path)))
        write_tables(back, restored(str(new), schema, lines), schema, str(path))
        again = pq.read_table(back)
        assert again.schema.equals(old.schema, check_metadata=True)
        assert str(again.to_pylist()) == str(old.to_pylist())  # NaN is not equal to itself, but is written the same
        assert table_digest(str(back)) == table_digest(str(path))
        return judged(path, name), judged(new, name) if pq.read_metadata(new).num_rows else [], lines


@pytest.mark.parametrize("name", READABLE)
@given(st.data())
@examples(4, least=2)
def test_a_table_comes_back_and_reads_as_it_was_ruled(name, data):
    table_and_back(name, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", READABLE)
@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_table_comes_back_in_many_more_cases(name, data):
    table_and_back(name, data)


def table_and_back(name, data):
    outcomes = data.draw(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4))
    manner = Manner(fill_of(outcomes), data.draw(st.sampled_from(["auto", "always", "never"])))
    rule = rule_of(data.draw(st.integers(0, 9)), outcomes)
    before, after, lines = check(name, tables_of(name), rule, manner)
    wanted = promised(before, rule, lines)
    assert len(after) == len(wanted)
    for (_, pairs), new in zip(after, wanted, strict=True):
        assert all(map(alike, [values_of(p) for p in pairs], new))


def test_most_layouts_make_tables():
    assert len(READABLE) >= 20


def test_own_columns_of_another_type_come_back(tmp_path):
    table = pa.table({
        "prompt": ["q"] * 4, "chosen": ["a", "b", "c", "d"], "rejected": ["x"] * 4,
        "weight": pa.array([1, 2, 3, None], pa.int64()), "margin": pa.array([0.5, None, -1, 0.1], pa.float32()),
    })  # fmt: skip
    outcomes = [(0.0, 0.0, 1.0), (1.0, 0.0, 0.5), (1.0, 0.25, 1.0), (1.0, 0.0, 0.0)]
    for seed in range(12):
        check("trl", table, rule_of(seed, outcomes), Manner(fill_of(outcomes)))


@pytest.mark.parametrize("cells", [["0.5", "1.50"], ["n/a", "1"]])
def test_own_columns_that_hold_no_numbers_are_refused(tmp_path, cells):
    table = pa.table({"prompt": ["p", "q"], "chosen": ["a", "b"], "rejected": ["c", "d"], "margin": cells})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(PlauditError, match="the column 'margin' is string, and numbers go there"):
        shape_of(str(tmp_path / "a.parquet"), ["margin"])


def test_dictionaries_inside_lists_are_refused(tmp_path):
    roles = pa.array([["a", "b"], None], pa.list_(pa.dictionary(pa.int32(), pa.string())))
    table = pa.table({"prompt": ["p", "q"], "chosen": ["a", "b"], "rejected": ["c", "d"], "roles": roles})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(PlauditError, match="'roles' is list<.*which arrow loses"):
        shape_of(str(tmp_path / "a.parquet"), [])


def test_a_canonical_table_comes_back(tmp_path):
    records = [
        pair("q", "a", "b", id="x", tags={"k": "v"}, ratings=({"s": 1.0}, {"s": 0.5})),
        group("r", ("c", "d", "e"), (1, 0, 2)), group("s", ("f", "g"), (0, 0)), pair("t", "h", "i", margin=0.5),
    ]  # fmt: skip
    write(records, "canonical", tmp_path / "c.parquet")
    table = pq.read_table(tmp_path / "c.parquet")
    outcomes = [(0.0, 0.0, 1.0), (0.8, 0.5, 0.5), (1.0, 0.0, 0.0)]
    for seed in range(8):
        check("canonical", table, rule_of(seed, outcomes), Manner(fill_of(outcomes)))
