"""What is written reads back; what a layout cannot hold is counted and listed; a file appears whole or not at all."""

import gzip
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit import catalog
from plaudit.data import sinks
from plaudit.data.layouts._contract import held
from plaudit.data.read import fault_of, read
from plaudit.data.write import writable, write, writer
from plaudit.errors import OptionError, PlauditError
from plaudit.records import Message, Preference, Steps, group, message, pair
from tiers import examples

LAYOUTS = ["trl", "trl_implicit", "openrlhf", "nemo_rl", "llama_factory", "hh", "canonical"]
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
edge = st.sampled_from(["", "", " ", "\n"])  # white space at the ends of a turn is part of it
plain = st.tuples(edge, words.filter(lambda s: s.strip()), edge).map("".join)
name = st.text("abc xyz-1é", min_size=1, max_size=6).filter(lambda s: s.strip())
number = st.floats(-8, 8, allow_nan=False).map(lambda x: round(x, 3))
image = st.just({"type": "image", "url": "a.png"})


@st.composite
def turns(draw, last, rich):
    """An alternating talk that ends with a turn of the role `last`."""
    n = draw(st.integers(0, 2))
    roles = [("user", "assistant")[(i + (last == "assistant")) % 2] for i in range(2 * n, -1, -1)]
    talk = [message(role, draw(plain)) for role in roles]
    if draw(st.booleans()) and last == "user":
        talk.insert(0, message("system", draw(plain)))
    if rich and draw(st.booleans()):
        talk[-1] = Message(last, (draw(plain), draw(image), draw(plain)))
    return tuple(talk)


@st.composite
def preferences(draw, rich=True, strict=False):
    """With `strict`, a pair of which one is better: what every layout is made for."""
    n = 2 if strict else draw(st.sampled_from([2, 2, 2, 1, 3]))
    answers = [draw(turns("assistant", rich)) if rich and draw(st.booleans()) else (message("assistant", draw(plain)),)
               for _ in range(n)]  # fmt: skip
    orders = [tuple(range(n)), tuple(range(n))[::-1]]
    ranks = draw(st.sampled_from(orders if strict else [None] if n == 1 else [None, *orders, (0,) * n]))
    rated = draw(st.booleans())
    return group(
        draw(turns("user", rich)), answers, ranks,
        id=draw(st.sampled_from(["", "x1"])),
        ratings=tuple(draw(st.dictionaries(name, number, min_size=1, max_size=2)) for _ in answers) if rated else (),
        strength=draw(st.none() | number), target=draw(st.none() | st.sampled_from([0.0, 0.25, 1.0])),
        margin=draw(st.just(0.0) | number), weight=draw(st.sampled_from([1.0, 0.0, 2.5])),
        annotator=draw(st.just("") | name), group=draw(st.just("") | name),
        tags=draw(st.dictionaries(name, name, max_size=2)), source="a.jsonl:1",
    )  # fmt: skip


pairs = preferences(rich=False, strict=True)


@st.composite
def solutions(draw):
    steps = draw(st.lists(plain, min_size=1, max_size=3))
    labels = tuple(draw(st.sampled_from([True, False, None])) for _ in steps)
    return Steps("s", draw(turns("user", False)), tuple(steps), labels, draw(st.sampled_from([None, True])), {}, "a:2")


def back(path, layout=None):
    rows = list(read(path, layout=layout))
    assert not [row for row in rows if row.reason], rows
    return [record for row in rows for record in row.records]


def told_apart(records):
    """The reader tells equal ids apart, so records with equal ids are given different ones first."""
    return [replace(r, id=f"{i}.{r.id}") if i else r for i, r in enumerate(records)]


@pytest.mark.parametrize("suffix", ["jsonl", "json.gz", "parquet"])
@pytest.mark.parametrize("to", LAYOUTS)
@given(st.lists(pairs | preferences(strict=True) | preferences() | solutions(), min_size=1, max_size=4))
@examples(15)
def test_what_is_written_reads_back_in_all_that_the_layout_holds(to, suffix, records):
    records = told_apart([r for r in records if isinstance(r, Steps) or fault_of(r) is None])
    holds = catalog.load("plaudit.data.layouts", to).HOLDS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out.{suffix}"
        done = write(records, to, path)
        assert done.written + done.skipped == len(records)
        skipped = back(f"{path}.skipped.jsonl") if done.skipped else []
        listed = {r.id for r in skipped}
        blank = [replace(r, source="") for r in records if r.id in listed]
        assert [replace(r, source="") for r in skipped] == blank
        kept = [r for r in records if r.id not in listed]
        again = back(path, to) if done.written else []
        assert [held(r, holds) for r in again] == [held(r, holds) for r in kept]
        assert set(done.lost) <= {"order", "raw"} | {f for f in _FIELDS if f not in holds}


_FIELDS = ("id", "strength", "target", "margin", "weight", "annotator", "group", "tags", "ratings")


@given(pairs | preferences(rich=False), st.sampled_from(LAYOUTS))
@examples(60)
def test_lost_fields_are_exactly_those_that_differ(record, to):
    """A field that is not reported as lost came back; one that is reported did not."""
    if fault_of(record) is not None:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.jsonl"
        done = write([record], to, path)
        if not done.written:
            assert list(done.reasons.values()) == [1]
            return
        (again,) = back(path, to)
    better = record.comparisons()[0] if record.comparisons() else None
    for field in _FIELDS:
        before, after = getattr(record, field), getattr(again, field)
        if field == "ratings" and before and better and "order" in done.lost:
            before = (before[better[0]], before[better[1]])
        if field != "id":
            assert (before == after) == (field not in done.lost), (field, before, after)
        elif field not in done.lost and "order" not in done.lost and "annotator" not in done.lost:
            assert before == after


PAIR = pair("2+2?", "4", "5", source="in.jsonl:1")
TIE = group("2+2?", ("4", "four"), (0, 0), source="in.jsonl:2")
LIST = group("2+2?", ("4", "5", "6"), (0, 1, 2), weight=3.0, ratings=({"a": 3.0}, {"a": 2.0}, {"a": 1.0}))


def test_what_cannot_be_held_is_named_and_listed(tmp_path):
    swapped = group("2+2?", ("5", "4"), (1, 0), strength=2.0)
    done = write([PAIR, swapped, TIE], "LLaMA-Factory", tmp_path / "out.json")
    assert done.cannot_hold == (
        "llama_factory cannot hold: a tie (1 skipped, listed), the file order of the responses (1 rows)"
    )
    # LLaMA-Factory fails on a row without a column that its entry names.
    assert json.loads((tmp_path / "out.json").read_text())[0] == {
        "conversations": [{"from": "human", "value": "2+2?"}],
        "chosen": {"from": "gpt", "value": "4"}, "rejected": {"from": "gpt", "value": "5"},
        "system": "", "tools": "", "id": PAIR.id, "source": "in.jsonl:1", "tags": "{}"}  # fmt: skip
    (listed,) = [json.loads(line) for line in (tmp_path / "out.json.skipped.jsonl").read_text().splitlines()]
    assert (listed["reason"], listed["source"], listed["id"]) == ("a tie", "in.jsonl:2", TIE.id)
    entry = json.loads((tmp_path / "out.json.dataset_info.json").read_text())["out"]
    assert entry["file_name"] == "out.json"
    assert entry["ranking"] is True
    assert set(entry["columns"].values()) <= set(json.loads((tmp_path / "out.json").read_text())[0])


def test_the_layouts_of_other_tools(tmp_path):
    record = replace(PAIR, margin=1.5)
    ours = {"id": record.id, "margin": 1.5, "source": "in.jsonl:1", "tags": "{}"}
    shapes = {}
    for to in ("trl", "openrlhf", "nemo-rl"):
        write([record], to, tmp_path / f"{to}.jsonl")
        shapes[to] = json.loads((tmp_path / f"{to}.jsonl").read_text())
    user, good = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
    bad = {"role": "assistant", "content": "5"}
    assert shapes["trl"] == {"prompt": [user], "chosen": [good], "rejected": [bad], **ours}
    assert shapes["openrlhf"] == {"chosen": [user, good], "rejected": [user, bad], **ours}
    ranked = [{"rank": 0, "completion": [good]}, {"rank": 1, "completion": [bad]}]
    assert shapes["nemo-rl"] == {"context": [user], "completions": ranked, **ours}


def test_a_list_can_be_written_as_its_comparisons(tmp_path):
    assert write([LIST], "trl", tmp_path / "whole.jsonl").reasons == {"a list of more than two responses": 1}
    done = write([LIST], "trl", tmp_path / "pairs.jsonl", as_pairs=True)
    again = back(tmp_path / "pairs.jsonl")
    assert done.written == 3
    assert [(r.responses[0][0].text, r.responses[1][0].text) for r in again] == [("4", "5"), ("4", "6"), ("5", "6")]
    assert [r.weight for r in again] == [1.0] * 3
    assert again[1].ratings == ({"a": 3.0}, {"a": 1.0})


def test_tools_stand_where_trl_looks_for_them(tmp_path):
    record = replace(PAIR, tags={"tools": '[{"name":"f"}]', "chat_template_kwargs": "{not json"})
    write([record], "trl", tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text())
    assert row["tools"] == [{"name": "f"}]
    assert "chat_template_kwargs" not in row
    assert back(tmp_path / "out.jsonl")[0].tags == record.tags


def test_tools_stand_there_in_parquet_too_and_what_parquet_cannot_hold_is_named(tmp_path):
    tools, odd = '[{"name":"f"}]', '{"enable_thinking":false}'
    record = replace(PAIR, tags={"tools": tools, "chat_template_kwargs": odd})
    done = write([PAIR, record], "trl", tmp_path / "out.parquet")
    assert done.cannot_hold == "trl cannot hold: chat_template_kwargs as a column of this file (1 rows)"
    assert pq.read_table(tmp_path / "out.parquet").column("tools").to_pylist() == [None, tools]
    assert back(tmp_path / "out.parquet")[1].tags == record.tags
    write([record], "trl", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["chat_template_kwargs"] == {"enable_thinking": False}


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_llama_factory_finds_the_tools(tmp_path, suffix):
    records = [replace(PAIR, id=str(i), tags={"tools": said}) for i, said in enumerate(['[{"name":"f"}]', "{no json"])]
    write(records, "llama-factory", tmp_path / f"out.{suffix}")
    again = back(tmp_path / f"out.{suffix}")
    assert [r.tags for r in again] == [r.tags for r in records]
    if suffix == "jsonl":
        rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [row["tools"] for row in rows] == ['[{"name":"f"}]', ""]


RAW = Preference("r", (message("raw", "Q: "),), ((message("raw", "a"),), (message("raw", "b"),)), (0, 1))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_rendered_text_goes_to_trl_as_text(tmp_path, suffix):
    done = write([RAW], "trl", tmp_path / f"out.{suffix}")
    path = tmp_path / f"out.{suffix}"
    row = json.loads(path.read_text()) if suffix == "jsonl" else pq.read_table(path).to_pylist()[0]
    assert (row["prompt"], row["chosen"], row["rejected"]) == ("Q: ", "a", "b")
    assert done.lost == {"raw": 1}


def test_one_parquet_file_holds_text_or_messages(tmp_path):
    done = write([PAIR, RAW, PAIR], "trl", tmp_path / "a.parquet")
    reason = "text that is already rendered, in a parquet file that began with messages (use .jsonl)"
    assert (done.written, done.reasons) == (2, {reason: 1})
    done = write([RAW, PAIR], "trl", tmp_path / "b.parquet")
    reason = "messages, in a parquet file that began with text already rendered (use .jsonl)"
    assert (done.written, done.reasons) == (1, {reason: 1})


def test_rendered_text_is_refused_where_messages_must_be_and_kept_by_canonical(tmp_path):
    for to in ("openrlhf", "nemo-rl", "llama-factory", "trl-implicit"):
        done = write([RAW], to, tmp_path / f"{to}.jsonl")
        (reason,) = done.reasons
        assert "already rendered, where messages must be (trl and canonical hold it)" in reason
    assert write([RAW], "canonical", tmp_path / "c.parquet").lost == {}
    assert back(tmp_path / "c.parquet") == [replace(RAW, source=f"{tmp_path}/c.parquet:1")]


RICH = replace(
    PAIR, strength=2.0, target=0.75, margin=0.5, weight=2.0, annotator="w", group="g", tags={"domain": "x"},
    ratings=({"a": 1.0, "b": 2.0}, {"a": 0.0, "b": 1.0}), id="mine",
)  # fmt: skip


@pytest.mark.parametrize("suffix", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("to", ["trl", "trl_implicit", "openrlhf", "nemo_rl", "llama_factory"])
def test_other_tools_layouts_carry_every_field_beside(tmp_path, to, suffix):
    done = write([RICH], to, tmp_path / f"out.{suffix}")
    assert done.lost == {}
    assert back(tmp_path / f"out.{suffix}") == [replace(RICH, source=f"{tmp_path}/out.{suffix}:1")]
    assert done.unread == {name: 1 for name in ("target", "margin", "weight") if name != "margin" or to[0] in "ln"}
    assert "does not look at: target (1 rows)" in done.warnings[0]


def test_a_target_that_says_what_the_label_says_is_not_told_as_unread(tmp_path):
    rows = [replace(RICH, id=str(i), target=t, margin=0.0, weight=1.0) for i, t in enumerate((1.0, 0.75, 1.0))]
    assert write(rows, "trl", tmp_path / "out.jsonl").unread == {"target": 1}


@pytest.mark.parametrize("to", LAYOUTS)
def test_the_parquet_of_every_layout_has_types_that_datasets_knows(tmp_path, to):
    datasets = pytest.importorskip("datasets")
    write([RICH], to, tmp_path / "out.parquet")
    assert datasets.Features.from_arrow_schema(pq.read_schema(tmp_path / "out.parquet"))


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("to", ["trl", "trl-implicit", "openrlhf"])
def test_every_row_has_a_margin_where_the_tool_reads_it(tmp_path, to, suffix):
    """TRL makes a tensor of a batch's margins as soon as one row has the column, and fails on a null."""
    path = tmp_path / f"out.{suffix}"
    write([PAIR, replace(PAIR, margin=1.5, id="b")], to, path)
    rows = (
        list(map(json.loads, path.read_text().splitlines())) if suffix == "jsonl" else pq.read_table(path).to_pylist()
    )
    assert [row["margin"] for row in rows] == [0.0, 1.5]


def test_a_column_that_begins_far_down_a_json_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sinks, "_FIRST_LOOK", 400)
    rows = [replace(PAIR, id=str(i), strength=1.0 if i == 9 else None) for i in range(12)]
    done = write(rows, "trl", tmp_path / "out.jsonl")
    assert done.late == ("strength",)
    assert "`datasets` refuse such a file" in done.warnings[0]
    assert write(rows, "trl", tmp_path / "out.parquet").late == ()
    assert write(rows[9:] + rows[:9], "trl", tmp_path / "first.jsonl").late == ()
    assert write(rows, "canonical", tmp_path / "own.jsonl").late == ()


def test_numbers_that_are_none_and_equal_responses_are_refused(tmp_path):
    bad = [replace(PAIR, strength=float("nan")), replace(PAIR, responses=(PAIR.responses[0],) * 2)]
    done = write([*bad, PAIR], "canonical", tmp_path / "out.jsonl")
    assert done.written == 1
    assert done.reasons == {"strength is not finite": 1, "response 1 and response 2 are identical": 1}


def test_csv_holds_text_pairs_and_nothing_else(tmp_path):
    record = replace(PAIR, tags={"domain": "math"}, strength=2.0, ratings=({"a": 1.0}, {"a": 0.0}))
    assert write([record], "hh", tmp_path / "out.csv").written == 1
    (again,) = back(tmp_path / "out.csv")
    assert held(again, writer("hh")[1].HOLDS) == held(record, writer("hh")[1].HOLDS)
    with pytest.raises(OptionError, match="csv cannot hold messages"):
        write([record], "trl", tmp_path / "trl.csv")


def test_parquet_has_a_fixed_schema_and_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(sinks, "_BATCH", 2)
    write([replace(PAIR, id=str(i)) for i in range(5)], "canonical", tmp_path / "out.parquet")
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert (file.num_row_groups, file.metadata.num_rows) == (3, 5)


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_where_nothing_can_be_written_only_the_list_of_what_was_skipped_appears(tmp_path, suffix):
    done = write([TIE], "llama-factory", tmp_path / f"none.{suffix}")
    assert (done.written, done.skipped, done.usage) == (0, 1, "")
    assert [p.name for p in tmp_path.iterdir()] == [f"none.{suffix}.skipped.jsonl"]


def test_an_existing_file_is_never_touched(tmp_path):
    for taken in ("out.jsonl", "out.jsonl.skipped.jsonl", "out.jsonl.dataset_info.json"):
        (tmp_path / taken).write_text("mine")
        with pytest.raises(PlauditError, match="exists already"):
            write([PAIR, TIE], "llama-factory", tmp_path / "out.jsonl")
        assert (tmp_path / taken).read_text() == "mine"
        (tmp_path / taken).unlink()
    assert list(tmp_path.iterdir()) == []


def test_nothing_stays_behind_when_the_input_breaks(tmp_path):
    def broken():
        yield PAIR
        yield TIE
        raise RuntimeError("the reader fell over")

    with pytest.raises(RuntimeError):
        write(broken(), "trl", tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", range(1, 4))
def test_all_files_appear_or_none(tmp_path, monkeypatch, fails):
    """The n-th rename fails: the file, its list of skipped rows and its entry are all absent."""
    real, calls = os.link, []

    def link(*names):
        calls.append(names)
        if len(calls) == fails:
            raise FileExistsError(names[1])
        return real(*names)

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(PlauditError, match="exists already"):
        write([PAIR, TIE], "llama-factory", tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_file_taken_meanwhile_is_kept_also_without_hard_links(tmp_path, monkeypatch):
    def unsupported(*names):
        raise OSError(95, "no links here")

    monkeypatch.setattr(os, "link", unsupported)
    assert write([PAIR], "trl", tmp_path / "out.jsonl").written == 1

    def late():
        yield PAIR
        (tmp_path / "late.jsonl").write_text("mine")

    with pytest.raises(PlauditError, match="exists already"):
        write(late(), "trl", tmp_path / "late.jsonl")
    assert (tmp_path / "late.jsonl").read_text() == "mine"


def test_names_and_suffixes_are_checked_first(tmp_path):
    assert set(writable()) == set(LAYOUTS)
    with pytest.raises(OptionError, match="read, not written"):
        write([], "pandalm", tmp_path / "out.jsonl")
    with pytest.raises(OptionError, match="did you mean"):
        write([], "openrlfh", tmp_path / "out.jsonl")
    with pytest.raises(OptionError, match="unknown suffix"):
        write([], "trl", tmp_path / "out.xlsx")
    with pytest.raises(PlauditError, match="cannot be written"):
        write([], "trl", Path(__file__) / "out.jsonl")


def test_a_folder_that_is_not_there_is_made(tmp_path):
    assert write([pair("p", "a", "b")], "trl", tmp_path / "new" / "out.jsonl").written == 1


def test_gzip_is_the_same_twice(tmp_path):
    for each in ("a", "b"):
        (tmp_path / each).mkdir()
        write([PAIR], "trl", tmp_path / each / "out.jsonl.gz")
    first, second = ((tmp_path / each / "out.jsonl.gz").read_bytes() for each in ("a", "b"))
    assert first == second
    assert json.loads(gzip.decompress(first))["id"] == PAIR.id
