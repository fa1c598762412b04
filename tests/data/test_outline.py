"""One light pass: counts that a slow reading of the same records confirms, and the published numbers of real files."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.data.outline import form, marks, outline
from plaudit.data.read import Row, read
from plaudit.data.tally import (
    contradictions,
    contradictions_between,
    disagreements,
    duplicates,
    lengths,
    longer_wins,
    shared,
    summary,
    ties,
)
from plaudit.records import group, message, pair
from tiers import examples

# From the data's own description: pairs, duplicates, contradictions, share in which the longer response wins. It counts
# every row as it stands: empty and identical sides, and tied rows in the order of the file.
PUBLISHED = {
    "hh/helpful-base/train.jsonl.gz": (1452, 0, 0, 0.606),
    "hh/helpful-base/test.jsonl.gz": (400, 0, 0, 0.585),
    "hh/harmless-base/train.jsonl.gz": (1412, 0, 0, 0.445),
    "hh/harmless-base/test.jsonl.gz": (400, 0, 0, 0.455),
    "hh/docta100/helpful-base.jsonl.gz": (92, 0, 0, 0.630),
    "hh/docta100/harmless-base.jsonl.gz": (95, 0, 0, 0.400),
    "hh/docta100/helpful-online.jsonl.gz": (100, 0, 0, 0.475),
    "hh/docta100/helpful-rejection-sampled.jsonl.gz": (100, 0, 0, 0.515),
    "hh/tara_single_turn/train.jsonl.gz": (479, 0, 0, 0.396),
    "hh_relabelled/train.jsonl.gz": (2487, 0, 0, 0.532),
    "tldr/train.parquet": (7415, 0, 0, 0.569),
    "tldr/test.parquet": (1500, 0, 0, 0.568),
    "tldr_axes/accuracy.parquet": (407, 0.015, 0, 0.514),
    "tldr_axes/coverage.parquet": (407, 0.015, 0, 0.649),
    "tldr_axes/coherence.parquet": (407, 0.015, 0, 0.587),
    "tldr_workers/comparisons.parquet": (535, 0.2, 15, 0.635),
    "helpsteer2_100/preferences.jsonl.gz": (100, 0, 0, 0.575),
    "ultrafeedback_binarized/train.jsonl.gz": (1000, 0, 0, 0.556),
    "ultrafeedback_binarized/eval.jsonl.gz": (200, 0, 0, 0.463),
    "faireval80/human.jsonl.gz": (66, 0, 0, 0.591),
    "alpaca_eval_soft/annotations.jsonl.gz": (1535, 0.001, 0, 0.866),
    "alpacafarm_gold_proxy/pairs.jsonl.gz": (1000, 0, 0, 0.490),
    "webgpt/train.json.gz": (504, 0, 0, 0.663),
    "webgpt/test.json.gz": (152, 0, 0, 0.668),
    "finegrained_qa/dev_feedback.json.gz": (2616, 0, 0, 0.512),
    "layouts/llamafactory_dpo_en_demo.json.gz": (300, 0.017, 0, 0.438),
    "layouts/llamafactory_dpo_zh_demo.json.gz": (300, 0.037, 0, 0.623),
    "layouts/alpaca_style_polite.json.gz": (1100, 0, 0, 0.521),
}
# Here a tie is a tie also in the description, and rows of two equal texts were left out.
WITHOUT_TIES = ("faireval80", "webgpt", "finegrained_qa", "alpaca_eval_soft")


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_real_files_give_their_published_numbers(data, name):
    rows = list(read(data / name))
    o = outline(rows)
    pairs, share, opposed, longer = PUBLISHED[name]
    if name.startswith(WITHOUT_TIES):
        assert summary(o, 0)["comparisons"] == pairs
        assert longer_wins(o) == pytest.approx(longer, abs=0.0006)
    else:
        assert len(rows) == pairs
        # The gold scores of alpacafarm tie in 4 rows, and which side then counted as chosen is not said.
        slack = 0.002 if name.startswith("alpacafarm") else 0.0006
        assert as_it_stands(o, rows) == pytest.approx(longer, abs=slack)
    assert duplicates(o, annotators=False).sum() / pairs == pytest.approx(share, abs=0.0006)
    assert contradictions(o, annotators=False) == opposed


def as_it_stands(o, rows):
    """Share won by the longer response with the rejected rows put back and tied ones in the order of the file."""
    chars = o.response["chars"].astype(int).reshape(-1, 2)
    rank = o.response["rank"].reshape(-1, 2)
    gap = np.where(rank[:, 0] <= rank[:, 1], chars[:, 0] - chars[:, 1], chars[:, 1] - chars[:, 0])
    reasons = Counter(row.reason for row in rows if not row.kept)
    won = (gap > 0).sum() + (gap == 0).sum() / 2 + reasons.pop("rejected is empty", 0)
    lost = reasons.pop("chosen is empty", 0)
    same = sum(n for reason, n in reasons.items() if reason.endswith("identical"))
    assert same == sum(reasons.values())
    assert lost >= 0
    return (won + same / 2) / len(rows)


words = st.sampled_from(["a", "bb", "ccc", "- x\n- y"])
preferences = st.builds(
    lambda prompt, responses, seed, annotator, tied: group(
        prompt, responses, [0 if tied else (i + seed) % len(responses) for i in range(len(responses))],
        annotator=annotator),
    st.sampled_from(["Why?", "How?", ""]), st.lists(words, min_size=1, max_size=4, unique=True),
    st.integers(0, 3), st.sampled_from(["", "ann", "bob"]), st.booleans(),
)  # fmt: skip


def rows_of(records, file="a.jsonl"):
    return [Row(f"{file}:{i}", b"", "x", (record,)) for i, record in enumerate(records, 1)]


@examples(60)
@given(st.lists(preferences, max_size=25))
def test_the_outline_counts_what_a_slow_reading_counts(records):
    o = outline(rows_of(records))
    seen, again, orders, gaps = set(), 0, {}, []
    for p in records:
        key = (p.prompt, frozenset(zip(p.responses, p.ranks)), p.annotator)
        again += key in seen
        seen.add(key)
        for i, j in p.comparisons():
            if p.ranks[i] != p.ranks[j]:
                a, b = p.responses[i], p.responses[j]
                orders.setdefault((p.prompt, frozenset((a, b)), p.annotator), set()).add((a, b))
                gaps.append(len(a[-1].text) - len(b[-1].text))
    assert duplicates(o).sum() == again
    assert contradictions(o) == sum(len(both) == 2 for both in orders.values())
    judges: dict = {}
    for (prompt, two, who), said in orders.items():
        judges.setdefault((prompt, two), []).append((who, said))
    differ = [
        any(one != other for who, mine in own for them, theirs in own if who < them for one in mine for other in theirs)
        for own in judges.values()
    ]
    assert disagreements(o) == sum(differ)
    assert ties(o).tolist() == [p.is_tie for p in records]
    share = None if not gaps else sum((g > 0) + (g == 0) / 2 for g in gaps) / len(gaps)
    assert longer_wins(o) == (None if share is None else pytest.approx(share))
    assert [o.id(i) for i in range(len(o))] == [p.id for p in records]
    assert [o.source(i) for i in range(len(o))] == [f"a.jsonl:{i}" for i in range(1, len(records) + 1)]


def test_judges_who_contradict_themselves_do_not_take_disagreements_away():
    both = [(("4", "5"), who) for who in ("ann", "bob")] + [(("5", "4"), who) for who in ("ann", "bob")]
    o = outline(rows_of([pair("2+2?", *sides, annotator=who) for sides, who in both]))
    assert (summary(o, 0)["contradictions"], summary(o, 0)["disagreements"]) == (2, 1)


def test_what_one_file_contradicts_itself_is_not_between_files():
    there_and_back = [pair("2+2?", "4", "5"), pair("2+2?", "5", "4")]
    others = [pair("3+3?", "6", "7"), pair("3+3?", "7", "6")]
    o = outline([*rows_of([*there_and_back, others[0]]), *rows_of([*there_and_back, others[1]], "b.jsonl")])
    assert (contradictions(o), contradictions_between(o)) == (2, 1)


def test_between_files():
    one, other = pair("Why  is it?", "yes", "no"), pair("Why is it?", "no", "yes")
    o = outline([*rows_of([pair("Why?", "yes", "no"), one], "a"), *rows_of([pair("Why?", "no", "yes"), other], "b")])
    assert (summary(o, 0)["contradictions"], contradictions(o)) == (0, 1)  # white space makes another prompt
    assert [two[:3] for two in shared(o)] == [((0, 1), 1, 0.5)]


def test_what_two_files_share_is_told_by_file():
    same, against = pair("2+2?", "4", "5"), pair("3+3?", "6", "7")
    a, b = [same, against, pair("Who?", "I", "you")], [same, pair("3+3?", "7", "6"), pair("Where?", "here", "no")]
    found = shared(outline([*rows_of(a, "a"), *rows_of(b, "b"), *rows_of([pair("When?", "now", "no")], "c")]))
    assert found == [((0, 1), 2, 2 / 3, 1, 1)]


def test_shared_prompts_are_told_by_their_turns_and_not_by_groups_that_files_number_alike():
    a = [pair("Why?", "yes", "no", group="1"), pair("How?", "so", "no", group="2"), pair("", "x", "y", group="3")]
    b = [pair("Who?", "I", "you", group="1"), pair("Where?", "here", "no", group="2"), pair("", "v", "w", group="3")]
    assert shared(outline([*rows_of(a, "a"), *rows_of(b, "b")])) == []
    c = [pair("How?", "so", "not", group="77"), pair("How?", "so", "thus"), pair("When?", "now", "no")]
    o = outline([*rows_of(a, "a"), *rows_of(c, "c"), *rows_of(b, "b")])
    assert [two[:3] for two in shared(o)] == [((0, 1), 1, 0.5)]


def test_strengths_turns_tags_and_lengths():
    talk = (message("user", "Hi"), message("assistant", "Hello"), message("user", "Bye"))
    o = outline(rows_of([pair(talk, "longer", "short", strength=2.0, tags={"topic": "x"}), pair("q", "a", "b")]))
    s = summary(o, 0)
    assert (s["strengths"], s["human_turns"]) == ({"2": 1}, {"median": 1.5, "max": 2})
    assert [o.tag_sets[i] for i in o.preference["tags"]] == [{"topic": "x"}, {}]
    assert lengths(o, np.ones(2, bool))["chosen"][-1] == 6


def test_form_tells_list_items_from_other_marks():
    text = "# Head\n- a\n * b\n12. c\n3) d\n> quoted\n```\ncode\n```\n**bold** and **more**\n1999 was - not a list"
    assert form(text) == (4, 6)
    assert marks(text) == 10
    o = outline(rows_of([pair("q", "- a\n- b", "## c")]))
    assert (o.response["lists"].tolist(), o.response["marks"].tolist()) == ([2, 0], [0, 1])


def test_nothing_at_all():
    o = outline([Row("a:1", b"", "", (), "broken")])
    assert (len(o), contradictions(o), longer_wins(o), duplicates(o).tolist()) == (0, 0, None, [])
    assert summary(o, 0)["rejected"] == 1
    assert len(outline([])) == 0
