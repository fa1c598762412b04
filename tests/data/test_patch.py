"""Repaired and undone, every file is the same bytes: all layouts, all framings, all rulings."""

import csv
import gzip
import io
import json
import tempfile
from collections import Counter
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plaudit import catalog
from plaudit.data import patch_edits, patch_pairs
from plaudit.data.limits import Limits
from plaudit.data.patch import Edit, entry, patch, trimmed, undo
from plaudit.data.patch_edits import Plan
from plaudit.data.patch_rows import SEVERAL, TIE, Manner, Ruling, asked, ruled, signed, values_of
from plaudit.data.patch_spans import contents, spans
from plaudit.data.read import read
from plaudit.data.sources import form_of
from plaudit.records import Preference
from tiers import examples

ROOM = "plaudit.data.layouts"
FIXTURES = Path(__file__).parents[1] / "fixtures" / "layouts"
NAMES = catalog.names(ROOM)
SWAPPED = [name for name in NAMES if hasattr(catalog.load(ROOM, name), "swap")]
LISTS = ["rewardbench2", "rmb_lists", "ultrafeedback", "canonical", "pandalm", "finegrained_qa", "nemo_rl"]


def fixture(name):
    lines = (FIXTURES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


# --- rulings: a pure function of the comparison, so that copies of one row are ruled alike ---------------------------

FLIP = (0.0, 0.0, 1.0)
OUTCOMES = [(1.0, 0.0, 1.0), FLIP, (0.8, 0.0, 1.0), (0.25, 0.0, 1.0), (1.0, 0.75, 1.0), (0.0, -1.5, 1.0),
            (1.0, 0.0, 0.5), (0.5, 0.0, 1.0), (1.0, 0.0, 0.0), None]  # fmt: skip


def rule_of(seed, outcomes):
    def rule(record, better, worse):
        key = f"{seed}/{record.content}/{better}/{worse}/{record.annotator}".encode()
        chosen = outcomes[int.from_bytes(blake2b(key, digest_size=4).digest(), "big") % len(outcomes)]
        if chosen is None:
            return None
        label = 0.5 if record.is_tie else 1.0
        target, margin, weight = chosen
        facts = {"id": record.id, "better": better, "worse": worse, "mean": -0.5, "std": 0.1, "p_disagree": 0.6,
                 "verdict": "ambiguous"}  # fmt: skip
        return Ruling(
            0.5 if record.is_tie else target,
            None if record.is_tie or not margin else margin,
            weight,
            label,
            ("x",),
            facts,
        )

    return rule


def fill_of(outcomes):
    real = [o for o in outcomes if o is not None]
    soft, wide = any(o[0] not in (0, 1) for o in real), any(o[1] for o in real)
    light = any(o[2] not in (0, 1) for o in real)
    return frozenset(n for n, there in (("target", soft), ("margin", wide), ("weight", light)) if there)


def repaired(path, layout, rule, manner=None, table=None, room=patch_edits):
    """(bytes of the contents, ledger lines as they would be read back, the plan with its counts)."""
    plan = Plan(rule, manner or Manner(), table or {})
    form = form_of(str(path))
    rows = read(str(path), layout=layout, columns=table)
    edits = list(room.edits(rows, spans(contents(str(path)), form, Limits()), form, plan))
    lines = []
    new = b"".join(patch(contents(str(path)), edits, lambda *made: lines.extend(entry(*made))))
    return new, [json.loads(json.dumps(line)) for line in lines], plan


def whole(path):
    return b"".join(contents(str(path)))


def test_a_margin_of_exchanged_sides_has_the_sign_that_was_asked_for():
    asked = {sign: [signed(margin, sign) for margin in (-2.0, 3.0)] for sign in ("negate", "keep", "abs")}
    assert asked == {"negate": [2.0, -3.0], "keep": [-2.0, 3.0], "abs": [2.0, 3.0]}


# --- files: rows in every framing, with whatever may stand between and around them ----------------------------------

BAD = ["{", "not json", '{"prompt": "cut o', "[1, 2]", '{"a": 1, "a": 2}', "null", '{"prompt": "", "x": "é"}']


@st.composite
def texts_of(draw, rows):
    """A row's JSON in one of the styles that writers have."""
    style = draw(st.sampled_from(["plain", "compact", "ascii", "loose", "indented"]))
    row = draw(st.sampled_from(rows))
    if style == "compact":
        return json.dumps(row, separators=(",", ":"), ensure_ascii=False)
    if style == "loose":
        return json.dumps(row, separators=(" ,  ", " : "), ensure_ascii=False)
    return json.dumps(row, ensure_ascii=style == "ascii", indent=2 if style == "indented" else None)


@st.composite
def json_lines(draw, rows):
    end = draw(st.sampled_from(["\n", "\r\n"]))
    good = texts_of(rows).map(lambda text: text.replace("\n", " "))
    between = st.sampled_from(["", "  ", *BAD])
    lines = [draw(good)] + draw(st.lists(st.one_of(good, good, good, between), max_size=7))
    lines = draw(st.lists(st.just(""), max_size=1)) + lines
    text = end.join(lines) + draw(st.sampled_from(["", end, end + end]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode()


@st.composite
def arrays(draw, rows):
    elements = draw(st.lists(texts_of(rows), min_size=2, max_size=6))
    comma = draw(st.sampled_from([",", ",\n", " ,\n  ", ", "]))
    if draw(st.booleans()):
        elements.insert(draw(st.integers(1, len(elements))), draw(st.sampled_from(["[1, 2]", "7", '{"a": 1, "a": 2}'])))
    shape = draw(st.sampled_from(["array", "object", "pretty array"]))
    if shape == "object":
        elements = [f'"row {i}": {text}' for i, text in enumerate(elements)]
        text = "{" + comma.join(elements) + "}"
    else:
        text = ("[\n" if shape == "pretty array" else "[") + comma.join(elements) + draw(st.sampled_from(["]", "\n]"]))
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode() + draw(st.sampled_from([b"", b"\n"]))


@st.composite
def values(draw, rows):
    return "\n".join(json.dumps(draw(st.sampled_from(rows)), indent=1) for _ in range(draw(st.integers(2, 4)))).encode()


def flat(rows):
    return [row for row in rows if all(isinstance(v, str | int | float) or v is None for v in row.values())]


@st.composite
def cells(draw, rows):
    rows = [row for row in flat(rows) if set(row) == set(flat(rows)[0])]
    names = list(rows[0])
    mark = draw(st.sampled_from([",", ";", "\t"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))

    def record(row):
        out = io.StringIO()
        csv.writer(out, delimiter=mark, lineterminator="", quoting=quoting).writerow([row.get(n) for n in names])
        return out.getvalue()

    good = st.sampled_from(rows).map(record)
    bad = st.sampled_from(["", "x", mark.join("y" * (len(names) + 2)), mark.join(['"a"b'] * len(names))])
    header = record({n: n for n in names})
    records = [header, draw(good)] + draw(st.lists(st.one_of(good, good, bad), max_size=6))
    return (
        draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + (end.join(records) + draw(st.sampled_from(["", end]))).encode()
    )


FORMS = {"lines": json_lines, "array": arrays, "values": values}


@st.composite
def files(draw, name):
    """(suffix, contents, packed) of a file in this layout."""
    several = name in ("pandalm", "finegrained_qa")  # a margin of the whole row cannot turn with one of its votes
    rows = [marked(row, draw(st.sampled_from([0, 3] if several else [0, 1, 2, 3]))) for row in fixture(name)]
    kinds = [json_lines, arrays] + [values] * (name not in ("helpsteer2_preference",)) + [cells] * bool(flat(rows))
    kind = draw(st.sampled_from(kinds))
    data = draw(kind(rows))
    return (".csv" if kind is cells else ".json"), data, draw(st.booleans())


def marked(row, turn):
    """The fixture's row, sometimes with texts that csv and JSON must quote, or with columns of its own."""
    row = json.loads(json.dumps(row))
    if turn == 1:
        row |= {"weight": 2, "margin": -0.25}
    if turn == 2:
        row |= {"note": 'a "quoted", split;\tthing\nof two lines é\u2028', "target": 0.9}
    if turn == 3:
        row |= {"strength": 3.5, "note": ""}
    return row


def stored(folder, suffix, data, packed):
    path = Path(folder) / f"in{suffix}{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(data) if packed else data)
    return path


@pytest.mark.parametrize("name", NAMES)
@given(st.data())
@examples(8, least=3)
def test_undone_is_the_same_bytes_and_repaired_reads_as_it_was_ruled(name, data):
    repair_and_undo(name, data)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@given(st.data())
@settings(max_examples=200, deadline=None)
def test_undone_is_the_same_bytes_in_many_more_cases(name, data):
    repair_and_undo(name, data)


def repair_and_undo(name, data):
    suffix, raw, packed = data.draw(files(name))
    outcomes = data.draw(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4))
    manner = Manner(fill_of(outcomes), data.draw(st.sampled_from(["auto", "always", "never"])))
    rule = rule_of(data.draw(st.integers(0, 9)), outcomes)
    with tempfile.TemporaryDirectory() as folder:
        path = stored(folder, suffix, raw, packed)
        stood = path.read_bytes()
        if not any(row.kept for row in read(str(path), layout=name)):
            return
        new, lines, plan = repaired(path, name, rule, manner)
        assert b"".join(undo([new], lines)) == raw
        assert path.read_bytes() == stood
        after = stored(folder, f".new{suffix}", new, packed)
        gone = plan.counts["drop"] == plan.counts["comparisons"]
        if not gone and form_of(str(after)) == form_of(str(path)):  # else the command refuses
            check_values(path, after, name, rule, lines)
        check_accounts(path, name, rule, lines, plan)


def check_accounts(path, layout, rule, lines, plan):
    """Of every comparison the ledger says what was done and what was not: together all that was ruled."""
    wanted = {}
    for row in read(str(path), layout=layout):
        for record in (r for r in row.records if isinstance(r, Preference)):
            for sides in record.comparisons():
                ruling = rule(record, *sides)
                if ruling is not None and (names := asked(record, ruling)):
                    wanted[patch_edits.number_of(row), record.id, *sides] = sorted(names)
    told, left = {}, Counter()
    for line in lines:
        if "id" in line:
            left.update((name, line["left_because"]) for name in line.get("left", ()))
            names = {*line["done"], *line.get("left", ())} - {"columns", "strength"}
            assert len(line["done"]) + len(line.get("left", ())) == len({*line["done"], *line.get("left", ())})
            told[line["row"], line["id"], line["better"], line["worse"]] = sorted(names)
    assert {key: names for key, names in told.items() if names} == wanted
    assert left == plan.unapplied


def judged(path, layout):
    """What a loss reads of every pair of a file, by row; rejected rows by their number alone."""
    out = []
    for row in read(str(path), layout=layout):
        pairs = [r for r in row.records if isinstance(r, Preference) and len(r.responses) == 2 and r.comparisons()]
        out.append((row, pairs))
    return out


def check_values(before, after, layout, rule, lines):
    """Every comparison stands as the ledger promises."""
    wanted = promised(judged(before, layout), rule, lines)
    if not any(wanted):
        return
    found = [[values_of(p) for p in pairs] for _, pairs in judged(after, layout)]
    assert len(found) == len(wanted)
    for have, new in zip(found, wanted, strict=True):
        assert len(have) == len(new)
        assert all(map(alike, have, new)), (have, new)


def promised(rows, rule, lines):
    """What a loss shall read of each row: as it was ruled; where something was left, as it was, or flipped."""
    turned = {(line["row"], line["id"]) for line in lines if "flip" in line.get("done", ())}
    short = {line["row"] for line in lines if "left" in line}
    wanted = []
    for row, pairs in rows:
        rulings = [rule(p, *p.comparisons()[0]) for p in pairs]
        if pairs and len(pairs) == len(row.records) and all(r is not None and r.weight == 0 for r in rulings):
            if row.reason is None:
                continue
        number = patch_edits.number_of(row)
        as_told = [flipped(values_of(p)) if (number, p.id) in turned else values_of(p) for p in pairs]
        as_ruled = [ruled(p, r) for p, r in zip(pairs, rulings, strict=True)]
        wanted.append(as_told if number in short else as_ruled)
    return wanted


def flipped(own):
    return own._replace(better=own.worse, worse=own.better)


def alike(one, two):
    return one[2:] == two[2:] and (one[:2] == two[:2] or (one.target == 0.5 and one[:2] == two[:2][::-1]))


@pytest.mark.parametrize("name", SWAPPED)
@given(st.data())
@examples(4, least=3)
def test_flipping_everything_twice_changes_no_record(name, data):
    suffix, raw, packed = data.draw(files(name))
    with tempfile.TemporaryDirectory() as folder:
        path = stored(folder, suffix, raw, packed)
        before = judged(path, name)
        if not any(pairs for _, pairs in before):
            return
        once = stored(folder, f".once{suffix}", repaired(path, name, rule_of(0, [FLIP]))[0], packed)
        twice = stored(folder, f".twice{suffix}", repaired(once, name, rule_of(0, [FLIP]))[0], packed)
        blank = [[replace(p, source="") for p in pairs] for _, pairs in before]
        assert [[replace(p, source="") for p in pairs] for _, pairs in judged(twice, name)] == blank
        turned = [values_of(p) for _, pairs in judged(once, name) for p in pairs]
        for old, new in zip([p for _, pairs in before for p in pairs], turned, strict=True):
            own = values_of(old)
            if not old.is_tie:
                assert (new.better, new.worse, new.margin + 0.0) == (own.worse, own.better, -own.margin + 0.0)


@pytest.mark.parametrize("name", LISTS)
@given(st.data())
@examples(6, least=3)
def test_as_pairs_gives_every_comparison_and_the_same_bytes_back(name, data):
    rows = fixture(name)
    raw = data.draw(json_lines(rows) | arrays(rows))
    outcomes = data.draw(st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3))
    rule = rule_of(data.draw(st.integers(0, 9)), outcomes)
    with tempfile.TemporaryDirectory() as folder:
        path = stored(folder, ".json", raw, packed=False)
        new, lines, plan = repaired(path, name, rule, Manner(fill_of(outcomes)), room=patch_pairs)
        assert b"".join(undo([new], lines)) == raw
        after = stored(folder, ".new.json", new, packed=False)
        if plan.counts["drop"] == plan.counts["comparisons"] or form_of(str(path)) != form_of(str(after)):
            return  # the command refuses both
        found = [p for _, pairs in judged(after, "canonical") for p in pairs]
        wanted = [rule(r, *c) for row in read(str(path), layout=name) for r in row.records
                  for c in (r.comparisons() if isinstance(r, Preference) else ())]  # fmt: skip
        assert len(found) == sum(1 for r in wanted if r is None or r.weight != 0)


# --- the pieces ------------------------------------------------------------------------------------------------------


@given(st.lists(st.binary(max_size=9), max_size=6), st.data())
@examples(200)
def test_any_edits_are_undone_however_the_blocks_fall(blocks, data):
    old = b"".join(blocks)
    places = sorted(data.draw(st.lists(st.integers(0, len(old)), max_size=8)))
    edits = [Edit(a, b, data.draw(st.binary(max_size=5))) for a, b in zip(places[::2], places[1::2])]
    lines = []
    new = b"".join(patch(blocks, edits, lambda *made: lines.extend(entry(*made))))
    size = data.draw(st.integers(1, 7))
    parts = [new[i : i + size] for i in range(0, len(new), size)]
    assert b"".join(undo(parts, json.loads(json.dumps(lines)))) == old


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_a_trimmed_edit_makes_the_same_bytes(old, new):
    edit = trimmed(0, old, new)
    assert old[: edit.start] + edit.new + old[edit.end :] == new


@given(st.data())
@examples(60)
def test_places_are_where_the_rows_stand(data):
    kind = data.draw(st.sampled_from([json_lines, arrays, values]))
    raw = data.draw(kind(fixture("trl")))
    with tempfile.TemporaryDirectory() as folder:
        path = stored(folder, ".json", raw, packed=False)
        rows = {patch_edits.number_of(row): row for row in read(str(path), layout="trl")}
        size = data.draw(st.integers(1, 40))
        blocks = [raw[i : i + size] for i in range(0, len(raw), size)]
        found = {place.number: place for place in spans(blocks, form_of(str(path)), Limits())}
        for number, row in rows.items():
            if row.kept:
                assert raw[found[number].at : found[number].end] == row.raw


def test_renamed_columns_are_written_under_the_names_of_the_file(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "Why?", "good": "a", "bad": "b", "w": 2, "weight": "heavy"}\n')
    table = {"q": "prompt", "good": "chosen", "bad": "rejected", "w": "weight"}
    new, lines, _ = repaired(path, None, rule_of(0, [(0.0, 0.0, 0.5)]), Manner(frozenset({"weight"})), table)
    assert json.loads(new) == {"q": "Why?", "good": "b", "bad": "a", "w": 1.0, "weight": "heavy", "strength": 0.5}
    assert b"".join(undo([new], lines)) == path.read_bytes()


def test_a_dropped_last_element_takes_the_comma_before_it(tmp_path):
    rows = [{"prompt": f"q{i}", "chosen": "a", "rejected": "b"} for i in range(4)]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows, indent=1))
    kept = {"q1"}

    def rule(record, better, worse):
        base = rule_of(0, [(1.0, 0.0, 1.0)])(record, better, worse)
        return base if record.prompt[0].text in kept else replace(base, weight=0.0)

    new, lines, plan = repaired(path, None, rule)
    assert json.loads(new) == [rows[1]]
    assert plan.counts["drop"] == 3
    assert b"".join(undo([new], lines)) == path.read_bytes()


def test_votes_flip_each_for_itself_and_say_when_they_cannot_hold_more(tmp_path):
    path = tmp_path / "votes.jsonl"
    path.write_text(json.dumps(fixture("pandalm")[0]) + "\n")

    def first_only(outcome):
        return lambda r, b, w: rule_of(0, [outcome if r.annotator == "annotator1" else (1.0, 0.0, 1.0)])(r, b, w)

    new, lines, plan = repaired(path, "pandalm", first_only(FLIP))
    assert [line["done"] for line in lines] == [["flip"]]
    assert json.loads(new)["annotator1"] == 2
    same, _, plan = repaired(path, "pandalm", first_only((0.8, 0.0, 1.0)))
    assert same == path.read_bytes()
    assert [n for reason, n in plan.left.items() if "--as-pairs" in reason] == [1]


DECIDED = {"flip": FLIP, "tie": (0.5, 0.0, 1.0), "drop": (1.0, 0.0, 0.0), "keep": (1.0, 0.0, 1.0)}


@pytest.mark.parametrize("name", ["pandalm", "finegrained_qa"])
@given(st.data())
@examples(40)
def test_of_decisions_about_several_judgements_of_a_row_the_flips_are_applied_and_the_others_told(name, data):
    words = data.draw(st.lists(st.sampled_from([*DECIDED, ""]), min_size=1, max_size=6))

    def rule(record, better, worse):
        word = words[int(record.id[:6].encode().hex(), 16) % len(words)] if name == "finegrained_qa" else None
        word = words[int(record.annotator[9:]) % len(words)] if word is None else word
        found = rule_of(0, [DECIDED.get(word, (1.0, 0.0, 1.0))])(record, better, worse)
        return replace(found, facts=found.facts | ({"decision": word} if word else {}))

    with tempfile.TemporaryDirectory() as folder:
        path = stored(folder, ".json", data.draw(json_lines(fixture(name)) | arrays(fixture(name))), packed=False)
        new, lines, plan = repaired(path, name, rule)
        assert b"".join(undo([new], lines)) == path.read_bytes()
        pairs = [p for _, found in judged(path, name) for p in found]
        given_ = Counter((rule(p, *p.comparisons()[0]).facts.get("decision", ""), p.is_tie) for p in pairs)
        asked_for = sum(n for (word, _), n in given_.items() if word not in ("", "keep"))
        assert asked_for == plan.counts["decisions"] == plan.counts["decisions_applied"] + len(plan.lost)
        assert plan.counts["flip"] == given_["flip", False]
        assert Counter(line["reason"] for line in plan.lost)[TIE] == given_["flip", True]
        assert plan.carried == set()


def test_a_flip_among_votes_leaves_out_what_the_row_cannot_hold(tmp_path):
    path = tmp_path / "votes.jsonl"
    row = fixture("pandalm")[0] | {"annotator1": 1, "annotator2": 1, "annotator3": 2}
    fates = {"annotator1": (0.0, -1.5, 0.5), "annotator2": (0.25, 0.0, 1.0), "annotator3": (1.0, 0.0, 0.0)}

    def rule(record, better, worse):
        return rule_of(0, [fates[record.annotator]])(record, better, worse)

    path.write_text(json.dumps(row) + "\n")
    new, lines, plan = repaired(path, "pandalm", rule, Manner(frozenset({"margin", "weight"})))
    assert json.loads(new) == row | {"annotator1": 2}
    said = [(["flip"], ["margin", "weight"]), ([], ["flip", "soften"]), ([], ["drop"])]
    assert [(line["done"], line["left"]) for line in lines] == said
    assert {line["left_because"] for line in lines} == {SEVERAL}
    assert plan.carried == set()
    path.write_text(json.dumps(row | {"strength": 3, "margin": 0.5}) + "\n")  # the margin would turn with one vote only
    same, lines, _ = repaired(path, "pandalm", rule)
    assert (same, [line["done"] for line in lines]) == (path.read_bytes(), [[], [], []])
    new, lines, _ = repaired(path, "pandalm", rule, Manner(margin_sign="keep"))
    assert (json.loads(new)["annotator1"], lines[0]["left"]) == (2, ["margin", "weight"])
    path.write_text(json.dumps(row | {"strength": 3}) + "\n")
    new, lines, _ = repaired(path, "pandalm", rule)
    assert (json.loads(new)["strength"], lines[0]["left"]) == (3, ["margin", "weight", "strength"])


def test_what_was_not_decided_stays_to_the_last_digit(tmp_path):
    path = tmp_path / "a.jsonl"
    row = {"instruction": "q", "output_1": "a", "output_2": "b", "preference": 1.0312345678901}
    path.write_text(json.dumps(row) + "\n")
    same, _, plan = repaired(path, "alpaca_eval", rule_of(0, [(1.0, 0.0, 1.0)]))
    assert (same, plan.left) == (path.read_bytes(), {})
    new, _, plan = repaired(path, "alpaca_eval", rule_of(0, [(0.0, 0.0, 1.0)]))
    assert (json.loads(new)["preference"], plan.left) == (3 - row["preference"], {})
    new, _, _ = repaired(path, "alpaca_eval", rule_of(0, [(0.8, 0.0, 1.0)]))
    assert json.loads(new) == row | {"target": 0.781259}  # 0.8 t + 0.2 (1 - t) of its own t


def test_own_columns_compose_with_a_ruling(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "q", "chosen": "a", "rejected": "b", "target": 0.9, "margin": 0.5, "weight": 2}\n')
    new, _, _ = repaired(path, None, rule_of(0, [(0.25, 0.0, 0.5)]), Manner(strength="never"))
    row = json.loads(new)
    assert (row["chosen"], row["rejected"]) == ("b", "a")
    assert (row["target"], row["margin"], row["weight"]) == (0.7, -0.5, 1.0)  # 0.75 * 0.9 + 0.25 * 0.1
