"""`plaudit repair` and `--undo` through the real command: what is written, what comes back, what is refused."""

import csv
import gzip
import io
import json
import shlex
from hashlib import blake2b
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_audits import comparisons, made

from plaudit.auditing.repair import repair
from plaudit.auditing.repair_caution import caution
from plaudit.cli import run
from plaudit.data.ledger import ledger_of
from plaudit.data.read import read
from plaudit.training.prepare import gather

ROWS = [{"prompt": f"What is {i} + {i}?", "chosen": f"{2 * i}", "rejected": f"{2 * i + 1}"} for i in range(8)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
MEAN = [2.0, -1.0, 0.5, -3.0, 1.0, 0.1, -0.2, 4.0]  # flip: rows 1, 3 and 6
LISTS = [
    {"id": "12", "prompt": "Which planet?", "chosen": ["Jupiter."], "rejected": ["Saturn.", "Mars."], "num_correct": 1},
    {"id": "13", "prompt": "A prime?", "chosen": ["11", "13"], "rejected": ["12"], "num_correct": 2},
]


def plaudit(capsys, *args):
    status = run([str(a) for a in args])
    out = capsys.readouterr()
    return status, out.out, out.err


@pytest.fixture
def lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(LINES)
    made([path], tmp_path / "audit", MEAN)
    return path


def repaired(capsys, path, *args, output="b.jsonl", exit_status=0):
    target = path.with_name(output)
    status, out, err = plaudit(
        capsys, "repair", path, "--audit", path.with_name("audit"), *args, "--output", target, "--json")  # fmt: skip
    assert status == exit_status, err
    return target, json.loads(out)


def back(capsys, target, output="back"):
    undone = target.with_name(output + "".join(target.suffixes[-1:]))
    status, _, err = plaudit(capsys, "repair", "--undo", target, "--output", undone)
    assert status == 0, err
    return undone


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def cells():
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    table.writerow(["prompt", "chosen", "rejected"])
    table.writerows([row["prompt"], row["chosen"] + ', "so"\nit is', row["rejected"]] for row in ROWS)
    return out.getvalue().encode()


BODIES = {
    "jsonl": b"\xef\xbb\xbf" + LINES.replace("\n", "\r\n").encode() + b'{"broken\r\n\r\n{"prompt": "no end"',
    "json": json.dumps(ROWS, indent=2, ensure_ascii=False).encode() + b"\n",
    "csv": cells() + b"too,few\r\n",
    "jsonl.gz": gzip.compress(LINES.encode()),
    "parquet": b"",
}


@pytest.mark.parametrize("treatment", [(), ("flip",), ("flip", "margin"), ("soften", "drop:quantile=0.2"), ("weight",)])
@pytest.mark.parametrize("suffix", BODIES)
def test_every_kind_of_file_is_repaired_and_comes_back(suffix, treatment, tmp_path, capsys):
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_bytes(BODIES[suffix])
    made([path], tmp_path / "audit", MEAN)
    before = path.read_bytes()
    target, found = repaired(capsys, path, *(("--treatment", *treatment) if treatment else ()), output=f"b.{suffix}")
    undone = back(capsys, target, "back.jsonl" if suffix == "jsonl.gz" else "back")
    assert path.read_bytes() == before
    if suffix == "parquet":
        assert pq.read_table(undone).equals(pq.read_table(path))
        assert undone.read_bytes() != target.read_bytes()
    else:
        plain = gzip.decompress if suffix.endswith("gz") else bytes
        assert plain(undone.read_bytes()) == plain(before)
        assert target.read_bytes() != before
    assert found["comparisons"] == 8
    kept, _, counts = gather([str(target)])
    assert len(kept) == 8 - found["drop"]
    assert bool(counts["carried"]) == bool({"margin", "target", "weight"} & set(found["columns"]))


def test_training_reads_what_was_decided(lines, capsys):
    target, found = repaired(capsys, lines, "--treatment", "flip", "margin", "weight:by=certainty")
    kept, dropped, counts = gather([str(target)])
    assert (dropped, counts["carried"], found["flip"]) == ([], 8, 3)
    flipped = kept[3]
    assert (flipped.responses[0][0].text, flipped.responses[1][0].text) == ("7", "6")
    assert (flipped.target, flipped.margin) == (None, 3.0)  # the mean was -3, and the sides are exchanged
    assert kept[0].margin == 2.0
    assert flipped.strength == 3.0
    assert 0.9 < flipped.weight < 1
    assert found["columns"] == ["margin", "weight", "strength"]


def test_the_ledger_says_what_where_and_why_and_holds_no_path(lines, capsys):
    target, _ = repaired(capsys, lines, "--treatment", "flip")
    header, *changes = rows_of(ledger_of(target))
    assert (header["layout"], header["treatments"], header["counts"]["flip"]) == ("trl", ["flip"], 3)
    assert [c["row"] for c in changes] == [2, 4, 7]
    assert changes[1]["signals"] == {
        "mean": -3.0,
        "std": 0.1,
        "p_disagree": 0.952574,
        "verdict": "wrong",
        "p_wrong": 0.952574,
    }
    assert changes[1]["reason"].startswith(
        "flip: the committee puts the other side first (chance that the label is wrong 0.953"
    )
    assert str(lines.parent) not in ledger_of(target).read_text()
    again, _ = repaired(capsys, lines, "--treatment", "flip", output="c.jsonl")
    assert ledger_of(again).read_bytes() == ledger_of(target).read_bytes()


def test_unchanged_rows_are_the_same_bytes(lines, capsys):
    target, _ = repaired(capsys, lines, "--treatment", "flip")
    old, new = LINES.splitlines(), target.read_text().splitlines()
    assert [i for i in range(8) if old[i] != new[i]] == [1, 3, 6]


def test_the_default_flips_what_is_likely_wrong_and_nothing_else(lines, capsys):
    _, found = repaired(capsys, lines)  # p_wrong is 0.73 of row 1, 0.95 of row 3, 0.55 of row 6
    assert (found["treatments"], found["columns"], found["changed"], found["flip"]) == (["mend"], [], 2, 2)


def test_the_default_flips_softens_and_gives_margin_where_the_rate_cannot_be_told(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text(LINES)
    made([path], tmp_path / "audit", MEAN, told=False)
    target, found = repaired(capsys, path)
    assert [found[k] for k in ("changed", "flip", "soften", "margin")] == [8, 2, 1, 8]
    kept, _, _ = gather([str(target)])
    assert [p.margin for p in kept] == [abs(m) if m <= -1 else m for m in MEAN]  # of a flipped row: the other way round
    assert [p.target for p in kept] == [1, 1, 1, 1, 1, 1, 0.8, 1]
    undone = back(capsys, target)
    assert undone.read_bytes() == path.read_bytes()


def test_a_decided_margin_of_nothing_goes_before_that_of_the_file(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row | {"margin": 0.75}) + "\n" for row in ROWS))
    made([path], tmp_path / "audit", MEAN)
    target, _ = repaired(capsys, path, "--treatment", "margin:mode=clamp0")
    kept, _, _ = gather([str(target)])
    assert [p.margin for p in kept] == [max(m, 0) for m in MEAN]


def test_rows_that_a_margin_was_not_meant_for_keep_their_own(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(row | {"margin": 0.75}) + "\n" for row in ROWS))
    made([path], tmp_path / "audit", MEAN)
    target, _ = repaired(capsys, path, "--treatment", "margin:quantile=0.25")  # rows 3 and 1 of eight
    kept, _, _ = gather([str(target)])
    assert [p.margin for p in kept] == [m if m < -0.5 else 0.75 for m in MEAN]


@pytest.mark.parametrize("layout", ["trl", "canonical", "openrlhf", "llama_factory"])
def test_what_speaks_of_a_side_goes_with_it(tmp_path, capsys, layout):
    """Ratings stay with their texts and a grade turns against the new label, as a source's own scores do."""
    own = {"margin": 0.5, "strength": 2, "ratings": [{"help": 4.0}, {"help": 1.0}]}
    rows = [{"prompt": r["prompt"], "chosen": r["chosen"], "rejected": r["rejected"], **own} for r in ROWS]
    (tmp_path / "trl.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    path = tmp_path / "a.jsonl"
    assert plaudit(capsys, "convert", tmp_path / "trl.jsonl", "--to", layout, "--output", path)[0] == 0
    made([path], tmp_path / "audit", MEAN)
    before = sides(path)
    target, found = repaired(capsys, path, "--treatment", "flip:below=0")
    assert found["flip"] == 3
    for old, new, mean in zip(before, sides(target), MEAN, strict=True):
        assert new == (old if mean > 0 else (*old[1::-1], -2.0, -0.5))
    (tmp_path / "two").mkdir()
    once = target.rename(tmp_path / "two/b.jsonl")
    made([once], tmp_path / "two/audit", MEAN)
    assert sides(repaired(capsys, once, "--treatment", "flip:below=0", output="c.jsonl")[0]) == before
    if layout == "trl":
        kept, _ = repaired(capsys, path, "--treatment", "flip:below=0", "--margin-sign", "abs", output="d.jsonl")
        assert {s[2:] for s in sides(kept)} == {(2.0, 0.5)}


def sides(path):
    """(better with its ratings, worse with its ratings, strength, margin) of every pair."""
    out = []
    for p in gather([str(path)])[0]:
        i, j = p.comparisons()[0]
        out.append(
            ((p.responses[i][0].text, p.ratings[i]), (p.responses[j][0].text, p.ratings[j]), p.strength, p.margin)
        )
    return out


def test_an_audit_that_says_not_to_act_says_so_again(lines, capsys):
    assert repaired(capsys, lines)[1]["caution"] is None
    held = {"score": 0.51, "low": 0.46, "high": 0.55}
    made([lines], lines.with_name("blind"), MEAN, summary={"accuracy": held})
    args = ("--audit", lines.with_name("blind"), "--output", lines.with_name("d.jsonl"))
    _, _, err = plaudit(capsys, "repair", lines, *args)
    assert "do not trust these changes yet" in err
    assert "(46.0% to 55.0%): it cannot be told from a coin" in " ".join(err.split())
    told = {"accuracy": held | {"low": 0.505}, "folds": 5, "voters": {"scorer": "rm"}, "members": ["rm"]}
    assert caution(told) == ""
    mere = told | {"length": {"mere": True, "prefers": "longer"}}
    assert caution(mere) == "the scorer is not surely more than length: it votes for the longer response"
    assert "may have seen the labels" in caution(told | {"folds": 0})


def test_quantiles_are_of_the_audit_and_rows_are_known_by_content(lines, capsys):
    half = lines.with_name("half.jsonl")
    unseen = {"prompt": "New?", "chosen": "yes", "rejected": "no"}
    chosen = [ROWS[6], unseen, ROWS[3], ROWS[0]]
    half.write_text("".join(json.dumps({"extra": 1, **row}) + "\n" for row in chosen))
    target, found = repaired(capsys, half, "--treatment", "flip:quantile=0.25")  # rows 3 and 1 of eight
    assert (found["comparisons"], found["unseen"], found["flip"]) == (3, 1, 1)
    assert [row["chosen"] for row in rows_of(target)] == ["12", "yes", "7", "0"]


def test_every_pair_carries_a_column_that_one_needs(lines, capsys):
    with lines.open("a") as f:
        f.write(json.dumps({"prompt": "New?", "chosen": "yes", "rejected": "no"}) + "\n")
    target, _ = repaired(capsys, lines, "--treatment", "margin:mode=clamp0")
    assert [row["margin"] for row in rows_of(target)] == [2.0, 0.0, 0.5, 0.0, 1.0, 0.1, 0.0, 4.0, 0.0]


def test_dropped_rows_go_and_come_back(lines, capsys):
    target, found = repaired(capsys, lines, "--treatment", "drop:quantile=0.5")
    assert (found["drop"], len(rows_of(target))) == (4, 4)
    assert back(capsys, target).read_text() == LINES


def test_lists_are_left_and_counted_or_written_as_pairs(tmp_path, capsys):
    path = tmp_path / "lists.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in LISTS))
    made([path], tmp_path / "audit", [1.0, -2.0, 1.0, 1.0])
    target, found = repaired(capsys, path, "--treatment", "flip", "margin")
    assert target.read_bytes() == path.read_bytes()
    assert (found["lists"], found["changed"]) == (2, 0)
    pairs, found = repaired(capsys, path, "--treatment", "flip", "margin", "--as-pairs", output="pairs.jsonl")
    kept = [r for row in read(str(pairs)) for r in row.records]
    assert [r.ranks for r in kept] == [(0, 1), (1, 0), (0, 1), (0, 1)]
    assert [r.margin for r in kept] == [1.0, 2.0, 1.0, 1.0]
    assert [r.weight for r in kept] == [0.5] * 4
    assert back(capsys, pairs).read_bytes() == path.read_bytes()


def test_lists_remain_where_every_pair_is_dropped(tmp_path, capsys):
    path = tmp_path / "mixed.jsonl"
    said = [[{"role": "assistant", "content": c}] for c in "abc"]
    asked = {"prompt": [{"role": "user", "content": "Q?"}]}
    rows = [asked | {"responses": said[:2], "ranks": [0, 1]}, asked | {"responses": said, "ranks": [0, 1, 2]}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made([path], tmp_path / "audit", [-3.0, 1.0, 1.0, 1.0])
    target, found = repaired(capsys, path, "--treatment", "drop:below=0")
    assert (found["drop"], rows_of(target)) == (1, rows[1:])


# --- decisions -------------------------------------------------------------------------------------------------------


def ids(path):
    return [r.id for r, *_ in comparisons([path])]


def decided(path, *lines):
    file = path.with_name("decisions.jsonl")
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_decisions_go_before_the_model_and_the_last_one_counts(lines, capsys):
    name = ids(lines)
    file = decided(
        lines,
        {"id": name[0], "decision": "flip"}, {"id": name[3], "decision": "keep"}, {"id": name[1], "decision": ""},
        {"id": name[2], "decision": "flip", "better": 0, "worse": 1}, {"id": name[2], "decision": "tie"},
        {"id": name[7], "decision": "drop"},
    )  # fmt: skip
    target, found = repaired(capsys, lines, "--treatment", "flip", "--decisions", file)
    rows = rows_of(target)
    assert [row["chosen"] for row in rows] == ["1", "3", "4", "6", "8", "10", "13"]
    assert [row["target"] for row in rows] == [1, 1, 0.5, 1, 1, 1, 1]
    assert (found["flip"], found["tie"], found["drop"]) == (3, 1, 1)
    reasons = {c["row"]: c["reason"] for c in rows_of(ledger_of(target))[1:]}
    assert reasons[1] == "a person decided: flip"
    assert back(capsys, target).read_text() == LINES


def test_decisions_alone_do_nothing_else(lines, capsys):
    file = decided(lines, {"id": ids(lines)[0], "decision": "flip"})
    _, found = repaired(capsys, lines, "--decisions", file)
    assert (found["treatments"], found["flip"]) == (["decide"], 1)


VOTES = [
    {"instruction": f"What is {i} + {i}?", "input": "", "response1": f"{2 * i}", "response2": f"{2 * i + 1}",
     "annotator1": 1, "annotator2": 1, "annotator3": 2} for i in range(4)
]  # fmt: skip


def laid(rows, path):
    """Rows as a file of the kind that its name says."""
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def voted(tmp_path, suffix="jsonl", mean=1.0, **how):
    path = tmp_path / f"votes.{suffix}"
    laid(VOTES, path)
    made([path], tmp_path / "audit", lambda i: mean, **how)
    return path


def test_one_tie_among_a_rows_votes_does_not_discard_its_flips(tmp_path, capsys):
    path = voted(tmp_path)
    words = ["flip", "tie", "flip", "drop", "keep", "flip", "tie", "drop", "", "flip", "flip", "flip"]
    file = decided(path, *({"id": name, "decision": word} for name, word in zip(ids(path), words, strict=True)))
    target, found = repaired(capsys, path, "--decisions", file)
    votes = [[row[f"annotator{i}"] for i in (1, 2, 3)] for row in rows_of(target)]
    assert votes == [[2, 1, 1], [1, 1, 1], [1, 1, 2], [2, 2, 1]]
    assert [found[k] for k in ("changed", "flip", "decisions", "decisions_applied", "columns")] == [3, 6, 10, 6, []]
    assert [(line["id"], line["decision"]) for line in found["decisions_lost"]] == [
        (name, word) for name, word in zip(ids(path), words, strict=True) if word in ("tie", "drop")]  # fmt: skip
    told = [line for line in rows_of(ledger_of(target))[1:] if "left" in line]
    assert [(line["row"], line["left"], line["reason"]) for line in told] == [
        (1, ["tie"], "a person decided: tie"), (2, ["drop"], "a person decided: drop"),
        (3, ["tie"], "a person decided: tie"), (3, ["drop"], "a person decided: drop")]  # fmt: skip
    assert back(capsys, target).read_bytes() == path.read_bytes()


def test_decisions_that_were_not_applied_are_named_and_none_at_all_is_a_failure(tmp_path, capsys):
    path = voted(tmp_path)
    file = decided(path, *({"id": name, "decision": "tie"} for name in ids(path)))
    args = ("repair", path, "--audit", tmp_path / "audit", "--decisions", file)
    for more in ("--dry-run", "--output"):
        status, out, err = plaudit(capsys, *args, more, *([tmp_path / "b.jsonl"] if more == "--output" else []))
        assert (status, "ruled, but not applied" in out) == (1, True)
        assert "warning: 12 of 12 decisions could not be applied:" in err
        assert f"    tie {ids(path)[0]} (line 1, 0 over 1)" in err
        assert "and 2 more" in err
        assert "columns on every pair" not in err
        assert f"--decisions {file} --as-pairs --output votes.pairs.jsonl" in err
    assert (tmp_path / "b.jsonl").read_bytes() == path.read_bytes()
    file = decided(path, {"id": ids(path)[0], "decision": "keep"})
    assert repaired(capsys, path, "--decisions", file, output="c.jsonl")[1]["decisions"] == 0


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_what_votes_cannot_hold_is_left_out_and_the_command_proposed_writes_it(suffix, tmp_path, capsys, monkeypatch):
    path = voted(tmp_path, suffix, -1.0, told=False)
    monkeypatch.chdir(tmp_path)
    target, found = repaired(capsys, path, output=f"b.{suffix}")
    assert [found[k] for k in ("changed", "flip", "margin", "columns")] == [4, 12, 0, []]
    assert [(u["what"], u["count"]) for u in found["unapplied"]] == [("margin", 12)]
    undone = back(capsys, target)
    if suffix == "parquet":
        assert pq.read_table(undone).equals(pq.read_table(path))
    else:
        assert undone.read_bytes() == path.read_bytes()
    _, _, err = plaudit(capsys, "repair", path, "--audit", "audit", "--output", f"c.{suffix}")
    assert "columns on every pair" not in err
    assert ("no row was given a value: margin, strength" in err) == (suffix != "jsonl")
    proposed = next(line for line in err.splitlines() if line.startswith("next: ")).removeprefix("next: ")
    for command in proposed.split(" && "):
        assert plaudit(capsys, *shlex.split(command)[1:])[0] == 0
    pairs, dropped, _ = gather(["votes.pairs.jsonl"])
    assert (len(pairs), [p.margin for p in pairs], dropped) == (12, [1.0] * 12, [])


def test_decisions_about_lists_are_named_with_their_sides(tmp_path, capsys):
    path = tmp_path / "lists.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in LISTS))
    made([path], tmp_path / "audit", [1.0] * 4)
    file = decided(path, {"id": "13", "better": 1, "worse": 2, "decision": "flip"})
    _, found = repaired(capsys, path, "--decisions", file, exit_status=1)
    (lost,) = found["decisions_lost"]
    assert "--as-pairs" in lost.pop("reason")
    assert lost == {"id": "13", "better": 1, "worse": 2, "decision": "flip", "where": "line 2"}
    _, found = repaired(capsys, path, "--decisions", file, "--as-pairs", output="pairs.jsonl")
    assert (found["flip"], found["decisions_lost"], found["unapplied"]) == (1, [], [])


def test_a_tie_stays_a_tie_whatever_is_decided(tmp_path, capsys):
    path = tmp_path / "ties.jsonl"
    row = {"prompt": "q", "chosen": "a", "rejected": "b", "score_chosen": 3.0, "score_rejected": 3.0}
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "prompt": "r"}) + "\n")
    made([path], tmp_path / "audit", [-2.0, -1.0])
    for decision in ("flip", "keep", "tie"):
        file = decided(path, {"id": ids(path)[0], "decision": decision})
        status = int(decision == "flip")  # the one decision that could not be done
        target, found = repaired(capsys, path, "--decisions", file, output=f"{decision}.jsonl", exit_status=status)
        assert (found["flip"], len(found["decisions_lost"])) == (0, status)
        assert target.read_bytes() == path.read_bytes()
    target, _ = repaired(capsys, path, "--treatment", "flip", "margin", output="treated.jsonl")
    assert target.read_bytes() == path.read_bytes()


def test_doubtful_pairs_are_exported_filled_in_and_taken_back(lines, capsys):
    file = lines.with_name("doubtful.jsonl")
    audit = lines.with_name("audit")
    status, _, err = plaudit(capsys, "repair", lines, "--audit", audit, "--doubtful", file)
    found = rows_of(file)
    assert (status, [f["chosen"] for f in found]) == (0, ["6", "2", "12", "10"])  # most doubtful first
    assert "--decisions" in err
    assert {"id", "better", "worse", "prompt", "chosen", "rejected", "p_disagree", "decision"} <= set(found[0])
    status, _, err = plaudit(
        capsys, "repair", lines, "--audit", audit, "--decisions", file, "--output", lines.with_name("b")
    )
    assert (status, "no decision is filled in" in err) == (2, True)
    target, counted = repaired(capsys, lines, "--decisions", file, "--treatment", "flip:above=0.99")
    assert (counted["changed"], target.read_text()) == (0, LINES)
    file.write_text("".join(json.dumps(f | {"decision": "flip"}) + "\n" for f in found))
    _, counted = repaired(capsys, lines, "--decisions", file, output="c.jsonl")
    assert counted["flip"] == 4
    some = lines.with_name("some.jsonl")
    assert plaudit(capsys, "repair", lines, "--audit", audit, "--doubtful", some, "--doubtful-above", 0.9)[0] == 0
    assert [f["chosen"] for f in rows_of(some)] == ["6"]


BAD_DECISIONS = [
    ("{", "not JSON"),
    ('["a"]', 'a decision has the form {"id": "...", "decision": "flip"}'),
    ('{"id": "ID"}', 'a decision has the form {"id": "...", "decision": "flip"}'),
    ('{"id": "ID", "decision": "maybe"}', "decision is 'maybe'"),
    ('{"id": "ID", "decision": "tie", "better": [0, 1], "worse": 0}', "better and worse are places of responses"),
    ('{"id": "no such", "decision": "flip"}', "the audit knows no comparison with the id 'no such'"),
    ('{"id": "ID", "decision": "tie", "better": 1, "worse": 0}', "the audit has no comparison of 1 with 0 under it"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "why"), BAD_DECISIONS, ids=[why for _, why in BAD_DECISIONS])
def test_a_bad_decision_is_named_with_its_line(line, why, lines, capsys):
    file = lines.with_name("decisions.jsonl")
    file.write_text("\n" + line.replace("ID", ids(lines)[0]) + "\n")
    audit = lines.with_name("audit")
    status, _, err = plaudit(capsys, "repair", lines, "--audit", audit, "--decisions", file, "--output", "b.jsonl")
    assert (status, err.splitlines()[0]) == (2, f"plaudit: {file}:2: {why}")


def test_a_list_must_say_which_comparison(tmp_path, capsys):
    path = tmp_path / "lists.jsonl"
    path.write_text(json.dumps(LISTS[0]) + "\n")
    audit = made([path], tmp_path / "audit", [1.0, 1.0])
    file = decided(path, {"id": "12", "decision": "flip"})
    status, _, err = plaudit(
        capsys, "repair", path, "--audit", audit, "--decisions", file, "--output", tmp_path / "b.jsonl")  # fmt: skip
    assert status == 2
    assert f"{file}:1: this id has 2 comparisons: say which, with better and worse" in err


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(capsys, *args):
    status, out, err = plaudit(capsys, "repair", *args)
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    return err.removeprefix("plaudit: ")


def test_the_audit_of_another_file_is_refused(lines, tmp_path, capsys):
    other = tmp_path / "other.jsonl"
    other.write_text(LINES.replace("What", "Which"))
    err = refused(capsys, other, "--audit", tmp_path / "audit", "--output", tmp_path / "b.jsonl")
    assert "it is the audit of another file" in err
    assert f"plaudit audit {other}" in err


def test_nothing_is_overwritten(lines, tmp_path, capsys):
    for name in ("b.jsonl", "c.jsonl.ledger.jsonl", "d.jsonl"):
        (tmp_path / name).write_text("mine")
    audit = ("--audit", tmp_path / "audit")
    assert "b.jsonl exists already" in refused(capsys, lines, *audit, "--output", tmp_path / "b.jsonl")
    assert "c.jsonl.ledger.jsonl exists" in refused(capsys, lines, *audit, "--output", tmp_path / "c.jsonl")
    assert "d.jsonl exists already" in refused(capsys, lines, *audit, "--doubtful", tmp_path / "d.jsonl")
    assert "a.jsonl exists already" in refused(capsys, lines, *audit, "--output", lines)
    target, _ = repaired(capsys, lines, output="e.jsonl")
    assert "b.jsonl exists already" in refused(capsys, "--undo", target, "--output", tmp_path / "b.jsonl")
    assert {(tmp_path / n).read_text() for n in ("b.jsonl", "c.jsonl.ledger.jsonl", "d.jsonl")} == {"mine"}
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_an_edited_file_and_a_damaged_ledger_are_refused(lines, tmp_path, capsys):
    target, _ = repaired(capsys, lines, "--treatment", "flip")
    book = ledger_of(target)
    good, text = target.read_bytes(), book.read_bytes()
    to = ("--output", tmp_path / "back.jsonl")
    target.write_bytes(good + b"\n")
    assert "it was edited since it was repaired" in refused(capsys, "--undo", target, *to)
    target.write_bytes(good)
    head, _, rest = text.partition(b"\n")
    wrong = {
        b"": "its first line is not a header", b"{}\n": "its first line is not a header",
        text[:-30]: "its lines are not those its header names", text.replace(b"wrong", b"right"): "its lines are not",
        head.replace(b'"layout"', b'"lay"') + b"\n" + rest: "its header lacks 'layout'",
        head.replace(b'"format": 1', b'"format": 9') + b"\n" + rest: "written by another version",
        json.dumps({**json.loads(head), "input": "0" * 32}).encode() + b"\n" + rest: "does not lead back to"
    }  # fmt: skip
    for damaged, why in wrong.items():
        book.write_bytes(damaged)
        assert why in refused(capsys, "--undo", target, *to)
        assert not (tmp_path / "back.jsonl").exists()
    lines_of = [json.loads(line) for line in rest.splitlines()]
    for key, value in (("at", "x"), ("old", 7), ("new", None), ("at", -5)):  # by someone who knows about digests
        forged = b"".join(json.dumps(line | {key: value}).encode() + b"\n" for line in lines_of)
        names = {**json.loads(head), "lines": blake2b(forged, digest_size=16).hexdigest()}
        book.write_bytes(json.dumps(names).encode() + b"\n" + forged)
        refused(capsys, "--undo", target, *to)
    book.unlink()
    assert "undo needs the ledger that repair wrote beside it" in refused(capsys, "--undo", target, *to)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_wrong_options_are_told_at_once(lines, tmp_path, capsys):
    audit = ("--audit", tmp_path / "audit")
    b = ("--output", tmp_path / "b.jsonl")
    assert "name the file to repair" in refused(capsys, *audit, *b)
    assert "one file at a time, not 2" in refused(capsys, lines, lines, *audit, *b)
    assert "--audit is missing" in refused(capsys, lines, *b)
    assert "where to? name --output F" in refused(capsys, lines, *audit)
    assert "known treatments" in refused(capsys, lines, *audit, *b, "--treatment", "polish")
    assert "repair writes the kind that came in" in refused(capsys, lines, *audit, "--output", tmp_path / "b.parquet")
    assert "goes before the options" in refused(capsys, *audit, *b, "--treatment", "flip", lines)
    assert "is a folder" in refused(capsys, tmp_path, *audit, *b)
    assert "only a file can be repaired" in refused(capsys, "hub:a/b", *audit, *b)
    assert "no such file" in refused(capsys, tmp_path / "none.jsonl", *audit, *b)
    assert "holds no audit" in refused(capsys, lines, "--audit", tmp_path / "nowhere", *b)
    assert "cannot be written" in refused(capsys, lines, *audit, "--output", tmp_path / "no" / "b.jsonl")
    assert "every preference would be dropped" in refused(capsys, lines, *audit, *b, "--treatment", "drop:quantile=1")
    undo = refused(capsys, lines, "--undo", lines, *audit, "--treatment", "flip")
    assert all(word in undo for word in ("no file", "no --audit", "no --treatment", "--output is missing"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "audit"]


def test_a_dry_run_counts_and_writes_nothing(lines, tmp_path, capsys):
    args = ("repair", lines, "--audit", tmp_path / "audit", "--treatment", "flip", "--dry-run")
    status, out, _ = plaudit(capsys, *args, "--json")
    assert (status, json.loads(out)["flip"]) == (0, 3)
    status, out, _ = plaudit(capsys, *args)
    assert "would be repaired: flip" in out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "audit"]


def test_the_screen_says_what_was_done_and_what_comes_next(lines, tmp_path, capsys):
    with lines.open("a") as f:
        f.write('{"broken\n{"prompt": "New?", "chosen": "yes", "rejected": "no"}\n')
    args = ("repair", lines, "--audit", tmp_path / "audit", "--treatment", "flip", "--output", tmp_path / "b.jsonl")
    status, out, err = plaudit(capsys, *args)
    assert status == 0
    assert all(words in out for words in ("flipped", "rejected rows, copied", "not in the audit"))
    assert f"plaudit repair --undo {tmp_path / 'b.jsonl'}" in err
    assert f"plaudit train {tmp_path / 'b.jsonl'}" in err


def test_when_the_second_file_cannot_be_named_the_first_is_taken_back(lines, tmp_path, monkeypatch):
    from plaudit.data import patch_files

    real = patch_files.claim

    def claim(part, target):
        if target.name == "b.jsonl":
            assert ledger_of(target).exists()  # never a repaired file without its ledger
            raise OSError(28, "No space left on device", str(part))
        real(part, target)

    monkeypatch.setattr(patch_files, "claim", claim)
    with pytest.raises(Exception, match="No space left on device"):
        repair(lines, audit=tmp_path / "audit", output=tmp_path / "b.jsonl", treatment=["flip"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "audit"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_renamed_columns_keep_the_names_of_the_file(suffix, tmp_path, capsys):
    path = tmp_path / f"a.{suffix}"
    rows = [{"q": r["prompt"], "good": r["chosen"], "bad": r["rejected"], "prompt": "no"} for r in ROWS]
    laid(rows, path)
    names = {"q": "prompt", "good": "chosen", "bad": "rejected"}
    made([path], tmp_path / "audit", MEAN, columns=names)
    columns = ("--columns", "prompt=q,chosen=good,rejected=bad")
    target, _ = repaired(capsys, path, *columns, "--treatment", "flip", "margin", output=f"b.{suffix}")
    kept, _, _ = gather([str(target)], columns=names)
    assert (kept[3].responses[0][0].text, kept[3].margin, kept[3].strength) == ("7", 3.0, 3.0)
    undone = back(capsys, target)
    if suffix == "parquet":
        assert pq.read_table(target).column_names == [*rows[0], "margin", "strength"]
        assert pq.read_table(undone).equals(pq.read_table(path), check_metadata=True)
    else:
        assert undone.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("suffix", ["jsonl", "json", "csv"])
def test_rows_over_the_limit_are_copied_whole(suffix, tmp_path, capsys):
    long = {"prompt": "Long?", "chosen": "x" * 3000, "rejected": "y"}
    rows = [*ROWS[:3], long, *ROWS[3:], long]
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        with path.open("w", newline="") as f:
            table = csv.DictWriter(f, list(long))
            table.writeheader()
            table.writerows(rows)
    else:
        path.write_text(json.dumps(rows) if suffix == "json" else "".join(json.dumps(row) + "\n" for row in rows))
    short = tmp_path / "short.jsonl"
    short.write_text(LINES)
    made([short], tmp_path / "audit", MEAN)
    options = ("--line-bytes", 1024, "--treatment", "flip", "margin", "drop:quantile=0.2")
    target, found = repaired(capsys, path, *options, output=f"b.{suffix}")
    assert (found["rejected"], found["comparisons"], found["drop"]) == (2, 8, 1)
    assert "x" * 3000 in target.read_text()
    assert back(capsys, target).read_bytes() == path.read_bytes()


def test_copies_of_one_pair_are_decided_one_by_one(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_text((json.dumps(ROWS[0]) + "\n") * 3)
    made([path], tmp_path / "audit", [1.0, 1.0, 1.0])
    file = decided(path, {"id": ids(path)[1], "decision": "flip"})
    target, _ = repaired(capsys, path, "--decisions", file)
    assert [row["chosen"] for row in rows_of(target)] == ["0", "1", "0"]


def test_a_copy_in_another_file_keeps_the_decision_about_it(tmp_path, capsys):
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text(json.dumps(ROWS[0]) + "\n")
    second.write_text((json.dumps(ROWS[0]) + "\n") * 3)
    made([first, second], tmp_path / "audit", [1.0] * 4)
    name = [r.id for r, *_ in comparisons([first, second])]
    file = decided(second, {"id": name[2], "decision": "flip"})  # the second of three in the second file
    target, _ = repaired(capsys, second, "--decisions", file, output="c.jsonl")
    assert [row["chosen"] for row in rows_of(target)] == ["0", "1", "0"]
    target, found = repaired(capsys, first, "--decisions", file, output="d.jsonl")
    assert (found["changed"], target.read_text()) == (0, first.read_text())
    assert (found["decisions"], found["decisions_elsewhere"]) == (0, 1)
    args = ("--audit", tmp_path / "audit", "--decisions", file, "--dry-run")
    assert f"1 decision is about a comparison that {first} does not hold" in plaudit(capsys, "repair", first, *args)[2]


def test_a_file_of_the_same_name_in_a_folder_below_is_another(tmp_path, capsys, monkeypatch):
    """Copies on the same line of a.jsonl and sub/a.jsonl, audited by relative names: each has its own decision."""
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "sub/a.jsonl"):
        Path(name).write_text(json.dumps(ROWS[0] | {"id": "X"}) + "\n")
    made(["a.jsonl", "sub/a.jsonl"], "audit", [1.0, 1.0])
    file = decided(tmp_path / "d.jsonl", {"id": "X~2", "decision": "flip"})
    for source, changed in (("a.jsonl", 0), ("sub/a.jsonl", 1)):
        args = ("repair", source, "--audit", "audit", "--decisions", file, "--output", f"{source}.new.jsonl", "--json")
        status, out, err = plaudit(capsys, *args)
        assert status == 0, err
        assert json.loads(out)["flip"] == changed


def test_a_flip_alone_writes_no_strength_as_pairs_either(tmp_path, capsys, lines):
    target, _ = repaired(capsys, lines, "--treatment", "flip:below=0", "--as-pairs")
    assert {p.strength for p in gather([str(target)])[0]} == {None}


def test_options_that_nobody_would_read_are_refused(tmp_path, capsys, lines):
    args = ("repair", lines, "--audit", tmp_path / "audit", "--dry-run")
    assert "--doubtful-above does nothing" in plaudit(capsys, *args, "--doubtful-above", "0.5")[2]
    table = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), table)
    assert "--as-pairs: not in parquet" in plaudit(capsys, "repair", table, *args[2:], "--as-pairs")[2]


def test_an_answer_of_several_lines_that_a_flip_takes_out_of_a_nested_cell_is_quoted(tmp_path, capsys):
    path = tmp_path / "a.csv"
    rows = [{"messages": json.dumps([{"role": "user", "content": "q"}, {"role": "assistant", "content": "one\ntwo"}]),
             "rejected_response": "three"}]  # fmt: skip
    with open(path, "w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)
    made([path], tmp_path / "audit", [-1.0])
    target, found = repaired(capsys, path, "--treatment", "flip", output="b.csv")
    assert found["flip"] == 1
    (after,), dropped, _ = gather([str(target)])
    assert [r[0].text for r in after.responses] == ["three", "one\ntwo"]
    assert not dropped
    assert back(capsys, target).read_bytes() == path.read_bytes()


def test_a_dry_run_counts_with_doubtful_pairs_asked_for_too(lines, tmp_path, capsys):
    args = ("repair", lines, "--audit", tmp_path / "audit", "--doubtful", tmp_path / "doubtful", "--dry-run")
    status, out, err = plaudit(capsys, *args)
    assert (status, "comparisons in the audit" in out) == (0, True)
    assert "4 doubtful pairs would be written to" in err
    assert json.loads(plaudit(capsys, *args, "--json")[1])["comparisons"] == 8
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "audit"]


def test_a_column_that_cannot_hold_a_flipped_margin_is_named(tmp_path, capsys):
    path = tmp_path / "a.parquet"
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table.append_column("margin", pa.array([1] * 8, pa.uint8())), path)
    made([path], tmp_path / "audit", MEAN)
    args = (path, "--audit", tmp_path / "audit", "--treatment", "flip", "--output", tmp_path / "b.parquet")
    assert "the column 'margin' of type uint8 cannot hold -1.0" in refused(capsys, *args)
    assert not (tmp_path / "b.parquet").exists()
    assert plaudit(capsys, "repair", *args, "--margin-sign", "keep")[0] == 0


def test_an_audit_whose_seal_says_nothing_of_a_file_is_refused(lines, tmp_path, capsys):
    seal = tmp_path / "audit" / "seal.json"
    seal.write_text(json.dumps({"files": {"signals.parquet": {}}}))
    assert "is damaged" in refused(capsys, lines, "--audit", tmp_path / "audit", "--output", tmp_path / "b.jsonl")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--doubtful", "G", "--treatment", "flip"), "--treatment does nothing without --output"),
        (("--output", "b.jsonl", "--treatment", "decide"), "--treatment decide does nothing without --decisions F"),
        (("--dry-run", "--treatment", "drop:above=0"), "every preference would be dropped"),
        (("--output", "b.jsonl", "--treatment", "drop:above=0"), "every preference would be dropped"),
    ],
)
def test_what_would_do_nothing_or_leave_nothing_is_refused(args, said, lines, capsys, monkeypatch):
    monkeypatch.chdir(lines.parent)
    before = sorted(lines.parent.iterdir())
    assert said in refused(capsys, lines, "--audit", "audit", *args)
    assert sorted(lines.parent.iterdir()) == before


def test_undo_does_not_write_json_into_a_table(lines, capsys):
    target, _ = repaired(capsys, lines)
    said = refused(capsys, "--undo", target, "--output", lines.with_name("x.csv"))
    assert "--output x.csv: " in said
    assert "is JSON, and repair writes the kind that came in" in said
    assert not lines.with_name("x.csv").exists()


def test_a_decision_about_an_id_that_repeats_must_say_where(tmp_path, capsys):
    """r0 and r1 stand in both files, on other texts: the audit knows the second ones as r0~2 and r1~2."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("".join(json.dumps(row | {"id": f"r{i}"}) + "\n" for i, row in enumerate(ROWS[:2])))
    second.write_text("".join(json.dumps(row | {"id": f"r{i}"}) + "\n" for i, row in enumerate(ROWS[2:4])))
    made([first, second], tmp_path / "audit", [1.0] * 4)
    file = decided(second, {"id": "r1", "decision": "flip"})
    status, _, err = plaudit(capsys, "repair", second, "--audit", tmp_path / "audit", "--decisions", file,
                             "--output", tmp_path / "c.jsonl")  # fmt: skip
    assert status == 2
    assert "2 rows have the id 'r1'" in err
    assert not (tmp_path / "c.jsonl").exists()
    file = decided(second, {"id": "r1", "decision": "flip", "source": f"{second}:2"})
    target, found = repaired(capsys, second, "--decisions", file, output="d.jsonl")
    assert (found["flip"], [row["chosen"] for row in rows_of(target)]) == (1, ["4", "7"])
    asked = tmp_path / "asked.jsonl"
    plaudit(capsys, "repair", first, "--audit", tmp_path / "audit", "--doubtful", asked, "--doubtful-above", 0)
    told = [json.loads(line) for line in asked.read_text().splitlines()]
    filled = tmp_path / "filled.jsonl"
    filled.write_text("".join(json.dumps(line | {"decision": "flip"}) + "\n" for line in told))
    target, found = repaired(capsys, first, "--decisions", filled, output="e.jsonl")
    assert (found["flip"], [row["chosen"] for row in rows_of(target)]) == (2, ["1", "3"])


def test_a_second_repair_by_the_same_audit_is_warned_of(lines, capsys):
    once = lines.with_name("once.jsonl")
    audit = lines.with_name("audit")
    assert plaudit(capsys, "repair", lines, "--audit", audit, "--treatment", "soften", "--output", once)[0] == 0
    twice = ("repair", once, "--audit", audit, "--treatment", "soften", "--output", lines.with_name("twice.jsonl"))
    status, _, err = plaudit(capsys, *twice)
    assert (status, "was repaired by this very audit before" in " ".join(err.split())) == (0, True)


def test_no_doubtful_pair_writes_no_file_and_lists_are_decided_on_as_pairs(lines, tmp_path, capsys):
    audit, file = lines.with_name("audit"), lines.with_name("none.jsonl")
    args = ("repair", lines, "--audit", audit, "--doubtful", file, "--doubtful-above", 1)
    status, _, err = plaudit(capsys, *args)
    assert (status, file.exists()) == (0, False)
    assert "no pair is doubtful by that measure" in " ".join(err.split())
    path = tmp_path / "lists" / "l.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(row) + "\n" for row in LISTS))
    made([path], path.with_name("audit"), [-1.0] * len(comparisons([path])))
    said = plaudit(capsys, "repair", path, "--audit", path.with_name("audit"), "--doubtful", path.with_name("d.jsonl"))
    command = next(line for line in said[2].splitlines() if "--decisions" in line)
    assert "--as-pairs" in said[2][said[2].index(command) :].replace("\n", " ")
