"""Every check keeps the room's contract and finds what was planted for it, and nothing when nothing was."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit import catalog
from plaudit.data.checks import _contract as contract
from plaudit.data.checks import _judgements as judgements
from plaudit.data.checks.annotators import reliabilities
from plaudit.data.findings import Equal
from plaudit.records import group, message, pair
from tiers import examples

ROOM = "plaudit.data.checks"
NAMES = catalog.names(ROOM)


def found(name, preferences, against=()):
    finding = contract.run(catalog.load(ROOM, name), preferences, against)
    contract.sound(catalog.load(ROOM, name), finding)
    return finding


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("promise", contract.CHECKS, ids=lambda c: c.__name__)
def test_every_check_keeps_its_promises(name, promise):
    promise(catalog.load(ROOM, name))


words = st.sampled_from(["", "a", "b", "c d", "the answer is four of course", "\ud800"])
preferences = st.builds(
    lambda prompt, texts, ranks, who: group(prompt, texts, ranks and ranks[: len(texts)], annotator=who),
    words, st.lists(words, min_size=1, max_size=4),
    st.one_of(st.none(), st.permutations((0, 1, 1, 2)).map(tuple)), st.sampled_from(["", "ann", "bob"]),
)  # fmt: skip


@examples(40)
@given(st.lists(preferences, max_size=12))
def test_whatever_the_rows_a_check_answers_and_row_order_is_nothing(rows):
    rows = [p for p in rows if p.ranks is None or min(p.ranks) == 0]
    for name in NAMES:
        straight, back = found(name, rows, rows[:2]), found(name, rows[::-1], rows[:2])
        assert straight.document() | {"ids": []} == back.document() | {"ids": []}, name


def crowd(skills, items, *, seed=0, habit=None, longer=None):
    """Pairs judged by every annotator: a good and a bad answer, either first; some follow a habit instead."""
    draw = np.random.default_rng(seed)
    rows = []
    for i in range(items):
        good, bad = f"good {i} " + "x" * draw.integers(0, 9), f"bad {i} " + "x" * draw.integers(0, 9)
        sides = (good, bad) if draw.random() < 0.5 else (bad, good)
        for who, skill in skills.items():
            first = (sides[0] == good) == (draw.random() < skill)
            if who == habit:
                first = draw.random() < 0.97
            if who == longer and len(good) != len(bad):
                first = len(sides[0]) > len(sides[1])
            rows.append(group(f"Q{i}", sides, (0, 1) if first else (1, 0), id=f"{i}{who}", annotator=who))
    return rows


@pytest.mark.slow
def test_reliabilities_are_the_planted_ones_and_the_guessing_annotator_is_named():
    skills = {"ann": 0.95, "bob": 0.85, "eve": 0.7, "guess": 0.5}
    rows = crowd(skills, 400)
    for name, share in reliabilities(rows).items():
        assert share == pytest.approx(skills[name], abs=0.06)
    finding = found("annotators", rows)
    assert finding.status == "warn"
    assert list(finding.value["suspicious"]) == ["guess"]
    assert finding.count == 400
    for name, row in finding.value["each"].items():
        assert row["reliability_low"] <= skills[name] <= row["reliability_high"]
    agree = np.mean([2 * a * b - a - b + 1 for a in skills.values() for b in skills.values() if a != b])
    assert finding.value["observed"] == pytest.approx(agree, abs=0.03)
    assert finding.value["alpha_low"] < 2 * agree - 1 < finding.value["alpha_high"]


@pytest.mark.slow
def test_annotators_who_follow_a_habit_are_named_with_it():
    skills = {"ann": 0.9, "bob": 0.9, "eve": 0.9}
    first = found("annotators", crowd(skills, 120, habit="eve")).value["suspicious"]
    assert list(first) == ["eve"]
    longer = found("annotators", crowd(skills, 120, longer="bob")).value["suspicious"]
    assert list(longer) == ["bob"]
    assert not found("annotators", crowd(skills, 120)).value["suspicious"]


def test_habits_are_seen_in_disjoint_work_too():
    rows = [
        p
        for p in crowd({"ann": 0.9, "bob": 0.9, "eve": 0.9}, 600, longer="eve")
        if int(p.id[:-3]) % 3 == "abe".index(p.annotator[0])
    ]
    finding = found("annotators", rows)
    assert finding.value["alpha"] is None
    assert list(finding.value["suspicious"]) == ["eve"]
    assert reliabilities(rows) == {}


def test_alpha_does_not_depend_on_which_side_is_called_first():
    rows = crowd({"ann": 0.8, "bob": 0.8}, 60)
    swapped = [group(p.prompt, p.responses[::-1], p.ranks[::-1], id=p.id, annotator=p.annotator) for p in rows]
    one, other = found("annotators", rows).value, found("annotators", swapped).value
    assert one["alpha"] == pytest.approx(other["alpha"], abs=1e-12)
    assert one["alpha"] == pytest.approx(one["alpha_strict"], abs=1e-12)


def test_reachable_brackets_what_the_best_scorer_gets():
    draw = np.random.default_rng(1)
    q = draw.choice([0.6, 0.8, 0.99], 600)  # share of the crowd that sides with the majority
    rows = [
        group(f"Q{i}", ("a", "b"), (0, 1) if draw.random() < q[i] else (1, 0), id=f"{i}-{k}", annotator=f"w{k}")
        for i in range(600) for k in range(3)
    ]  # fmt: skip
    value = found("reachable", rows).value
    low, best, crowd_says = value["one_more_person"], value["best"], value["majority"]
    assert low["low"] <= (q**2 + (1 - q) ** 2).mean() <= low["high"]
    assert low["score"] < crowd_says["score"] < q.mean() < best["score"]
    assert value["ceiling"] == pytest.approx(np.mean([max(k, 3 - k) for k in draw.binomial(3, q)]) / 3, abs=0.02)
    assert value["lower"] is None
    assert set(value["meaning"]) == {"lower", "one_more_person", "majority", "best", "ceiling"}


def test_a_tag_called_file_is_no_file():
    rows = [pair(f"q{i}", "long answer", "no", tags={"file": "xy"[i % 2]}, source=f"a.jsonl:{i}") for i in range(200)]
    value = found("skews", rows).value
    assert list(value["files"]) == ["a.jsonl"]
    assert set(value["tags"]["file"]) == {"x", "y"}


def test_skews_that_pull_apart_are_named_and_alike_ones_are_not():
    draw = np.random.default_rng(2)

    def part(file, share, n=400):
        rows = []
        for i in range(n):
            long, short = f"{file} {i} long long long", f"{file} {i}"
            sides = (long, short) if draw.random() < share else (short, long)
            rows.append(pair(f"{file} Q{i}", *sides, tags={"kind": file, "id": str(i)}))
        return rows

    def placed(rows):
        return [group(p.prompt, p.responses, p.ranks, tags=p.tags, source=f"/data/{p.tags['kind']}/train.jsonl:{i}")
                for i, p in enumerate(rows, 1)]  # fmt: skip

    opposed = found("skews", placed(part("helpful", 0.65) + part("harmless", 0.4)))
    assert opposed.status == "warn"
    assert {o["by"] for o in opposed.value["opposite"]} == {"file", "kind"}
    assert opposed.value["opposite"][0]["high"]["part"] == "helpful/train.jsonl"
    assert "helpful/train.jsonl" in opposed.text
    assert set(opposed.value["tags"]) == {"kind"}  # an id a row is no part
    assert opposed.value["length_only"] < 0.55 < 0.6 < opposed.value["length_only_by_file"]
    assert opposed.value["first"]["share"] is None  # the better one is named first
    alike = found("skews", placed(part("helpful", 0.65) + part("harmless", 0.62)))
    assert not alike.value["opposite"]
    assert alike.status in ("note", "warn")
    assert found("skews", placed(part("helpful", 0.5) + part("harmless", 0.5))).status == "ok"


def test_the_first_place_is_measured_where_the_file_shows_it():
    draw = np.random.default_rng(3)
    rows = [group(f"Q{i}", ("aa", "bb"), (0, 1) if draw.random() < 0.7 else (1, 0)) for i in range(500)]
    first = found("skews", rows).value["first"]
    assert first["low"] < 0.7 < first["high"]


def test_lists_and_other_markdown_count_apart_and_only_where_they_differ():
    rows = [
        pair(f"Q{i}", "- one\n- two" if i % 4 else "plain", "plain text" if i % 4 else "also plain") for i in range(80)
    ]
    rows += [pair(f"R{i}", "plain", "# Head\n**bold** plain") for i in range(40)]
    finding = found("skews", rows)
    lists, marked = finding.value["lists"], finding.value["marked"]
    assert (lists["n"], lists["share"]) == (60, 1.0)
    assert (marked["n"], marked["share"]) == (40, 0.0)  # opposite skews that one count of both would hide
    assert "the one with more list items 100.0%" in finding.text


def test_both_orders_tells_the_place_from_the_response():
    place = [group(f"Q{i}", sides, (0, 1), id=f"{i}{sides[0]}") for i in range(8) for sides in (("a", "b"), ("b", "a"))]
    reader = [
        group(f"R{i}", s, (0, 1) if s[0] == "a" else (1, 0), id=f"r{i}{s[0]}")
        for i in range(12)
        for s in (("a", "b"), ("b", "a"))
    ]
    finding = found("both_orders", place + reader)
    value = finding.value
    assert (value["pairs"], value["follow_place"], value["follow_response"]) == (20, 8, 12)
    assert (value["first_place"], value["second_place"], finding.count, finding.status) == (8, 0, 16, "warn")
    assert found("contradictions", place + reader).value["pairs"] == 8  # one and the same judge, whatever the reason
    assert found("both_orders", place).status == "skip"  # the better one is always first: no order is shown
    same_order = [group("Q", ("a", "b"), ranks, id=str(i)) for i, ranks in enumerate([(0, 1), (1, 0)])]
    assert found("both_orders", same_order).status == "skip"
    assert found("contradictions", same_order).value["pairs"] == 1  # a contradiction with nothing swapped


def test_one_judge_contradicts_two_disagree():
    one = [pair("Q", "a", "b", id="1", annotator="ann"), pair("Q", "b", "a", id="2", annotator="ann")]
    two = [pair("R", "a", "b", id="3", annotator="ann"), pair("R", "b", "a", id="4", annotator="bob")]
    tied = [pair("S", "a", "b", id="5", annotator="ann"), group("S", ("a", "b"), (0, 0), id="6", annotator="bob")]
    agree = [pair("T", "a", "b", id="7", annotator="ann"), pair("T", "a", "b", id="8", annotator="bob")]
    contradict = found("contradictions", one + two + tied + agree)
    assert (contradict.value["pairs"], contradict.ids) == (1, ("1", "2"))
    disagree = found("disagreements", one + two + tied + agree)
    assert (disagree.value["pairs_judged_by_several"], disagree.value["disagree"], disagree.ids) == (3, 1, ("3", "4"))
    assert disagree.value["tie_against_choice"] == 1


@pytest.mark.parametrize(("n", "words"), [(0, ""), (1, "; once an annotator"), (2, "; in 2 cases an annotator")])
def test_labels_of_one_annotator_against_their_own_are_counted_in_words(n, words):
    rows = [pair(f"Q{i}", "yes", "no", annotator=name, id=f"{i}{name}") for i in range(4) for name in "ab"]
    rows += [pair(f"Q{i}", "no", "yes", annotator="a", id=f"again {i}") for i in range(n)]
    finding = found("annotators", rows)
    assert finding.value["contradict_themselves"] == n
    assert ("gave a pair both labels, against their own earlier label" in finding.text) == (n > 0)
    assert words in finding.text


def test_what_one_judge_says_against_their_own_label_is_no_agreement_of_people():
    """Forty pairs, each with both labels from one of three annotators: nobody judged what another did."""
    both = [
        pair(f"Question {i}?", *sides, annotator="abc"[i % 3], id=f"{i}{sides[0]}")
        for i in range(40) for sides in (("yes", "no"), ("no", "yes"))
    ]  # fmt: skip
    finding = found("annotators", both)
    assert finding.value["alpha"] is None
    assert finding.value["contradict_themselves"] == 40
    assert "no pair of responses was judged by two of them" in finding.text
    assert "; in 40 cases an annotator gave a pair both labels, against their own earlier label" in finding.text
    reached = found("reachable", both)
    assert reached.value["one_more_person"] is None
    assert "one more person" not in reached.text
    assert "p_disagree" not in found("contradictions", both).advice
    others = [pair(f"Question {i}?", "yes", "no", annotator=name, id=f"{i}{name}") for i in range(40) for name in "de"]
    beside = found("annotators", both + others).value
    assert beside["observed"] == pytest.approx(2 / 3)  # d and e agree, and half of the split voice sides with each
    assert found("annotators", others).value["observed"] == 1
    assert found("reachable", both + others).value["one_more_person"]["score"] == pytest.approx(2 / 3)


def tournament(prompt, edges, **more):
    return [pair(prompt, a, b, id=f"{prompt}{a}{b}", **more) for a, b in edges]


def test_circles_are_counted_within_a_prompt_and_not_across():
    rows = tournament("Q", ["ab", "bc", "ca"]) + tournament("R", ["ab", "bc", "ac"]) + tournament("S", ["ab", "bc"])
    rows += tournament("T", ["ca"])
    finding = found("cycles", rows)
    assert (finding.value["circles"], finding.value["circular_triples"], finding.value["triples"]) == (1, 1, 2)
    assert set(finding.ids) == {"Qab", "Qbc", "Qca"}
    assert finding.value["listed"] == [["Qab", "Qbc", "Qca"]]


def test_a_contradiction_is_no_circle_and_the_majority_points():
    assert found("cycles", tournament("Q", ["ab", "ba", "bc", "cb", "ac"])).value.get("circles", 0) == 0
    rows = tournament("Q", ["ab", "bc", "ca"]) + [
        pair("Q", "a", "c", id=f"more{i}", annotator=str(i)) for i in range(2)
    ]
    assert found("cycles", rows).status == "ok"
    long = found("cycles", tournament("Q", ["ab", "bc", "cd", "da"]))
    assert (long.value["circles"], long.value["triples"]) == (1, 0)


def test_coin_throws_make_a_quarter_of_the_triples_circular():
    draw = np.random.default_rng(4)
    edges = {p: [a + b if draw.random() < 0.5 else b + a for a, b in ("ab", "bc", "ac")] for p in range(1500)}
    value = found("cycles", [row for p, own in edges.items() for row in tournament(f"P{p}", own)]).value
    assert value["triples"] == 1500
    assert value["share"] == pytest.approx(0.25, abs=0.035)


POST = " ".join(f"word{i}" for i in range(60))


def test_near_duplicates_need_near_prompts_and_near_responses():
    answer, other = " ".join(f"yes{i}" for i in range(30)), " ".join(f"no{i}" for i in range(30))
    rows = [
        pair(POST, answer, other, id="a"), pair(POST + " more", answer + " indeed", other, id="b"),
        pair(POST, other, answer, id="turned"), pair(POST, "quite another answer to it", "one more of those", id="c"),
        pair("another prompt that stands alone", answer, other, id="d"),
    ]  # fmt: skip
    finding = found("near_duplicates", rows)
    assert finding.value["listed"] == [{"size": 3, "ids": ["a", "b", "turned"]}]
    assert (finding.value["opposed"], finding.value["prompt_clusters"], finding.value["prompts_in_them"]) == (1, 1, 2)
    exact = [pair(POST, answer, other, id=str(i), annotator=str(i)) for i in range(3)]
    assert found("near_duplicates", exact).value["clusters"] == 0


def test_benchmark_overlap_says_how():
    against = [pair(POST, "the one true answer is this", "b"), pair("Why is the sky blue?", "c", "d")]
    turns = (message("user", POST), message("assistant", "Well"), message("user", "And what then, my friend?"))
    rows = [
        pair("why is the sky BLUE", "x", "y", id="exact"), pair(POST + " more", "x", "y", id="near"),
        pair(turns, "x", "y", id="first"), pair("Unrelated?", "The one true answer is this!", "z", id="answer"),
        pair("Nothing in common here at all", "x", "y", id="none"),
    ]  # fmt: skip
    finding = found("benchmark_overlap", rows, against)
    value = finding.value
    assert (value["exact_prompts"], value["near_prompts"], value["responses"]) == (1, 2, 1)
    assert (value["benchmark_prompts"], value["benchmark_prompts_found"]) == (2, 2)
    assert finding.ids == ("exact", "near", "first", "answer")
    assert found("benchmark_overlap", rows[-1:], against).status == "ok"


def test_exact_duplicates_across_files_are_a_warning():
    once = pair("Q", "a", "b", id="1")
    many = [pair(f"Q{i}", "a", "b") for i in range(300)]
    here = [
        group(p.prompt, p.responses, p.ranks, id=p.id, source=f"train.jsonl:{i}")
        for i, p in enumerate([once, *many, once], 1)
    ]
    finding = found("exact_duplicates", here)
    assert (finding.value["repeats"], finding.value["between_files"], finding.status) == (1, 0, "note")
    there = [*here[:-1], group(once.prompt, once.responses, once.ranks, id="2", source="test.jsonl:1")]
    finding = found("exact_duplicates", there)
    assert (finding.value["between_files"], finding.status) == (1, "warn")


def test_equal_pairs_tells_the_text_from_the_tokenizer_and_the_cut():
    part = catalog.load(ROOM, "equal_pairs")
    rows = [
        pair("Q", "a", "a", id="text"), pair("Q", "a", "b", id="cut"), pair("Q", "a", "A", id="case"),
        pair("Q", "a", "c", id="fine"), group("Q", ("a", "A", "b", "a"), (0, 1, 1, 2), id="list"),
    ]  # fmt: skip
    of = [Equal(1, 0, 1, cut=True), Equal(0, 0, 1), Equal(2, 0, 1), Equal(4, 0, 1), Equal(4, 1, 3), Equal(4, 0, 3)]
    finding = part.check(rows, of)
    kinds = {name: finding.value[name] for name in ("equal_texts", "by_tokenizer", "by_truncation")}
    assert kinds == {"equal_texts": 2, "by_tokenizer": 3, "by_truncation": 1}
    assert (finding.value["pairs"], finding.value["preferences"], finding.value["share"]) == (6, 4, 0.8)
    assert (finding.count, finding.ids) == (4, ("text", "cut", "case", "list"))
    words = "2 of equal texts, 3 made equal by the tokenizer, 1 equal after the cut to --max-length"
    assert finding.text == f"to the model both responses are the same in 6 comparisons (80.0% of rows): {words}"
    assert "--max-length" in finding.advice
    uncut = part.check(rows, of[1:])
    assert "cut" not in uncut.text
    assert "max-length" not in uncut.advice
    assert "tokenizer" in uncut.advice
    assert "tokenizer" not in part.check(rows, of[1:2]).advice


def test_judgements_of_an_outline_and_of_preferences_are_the_same():
    rows = [p for p in contract.awkward() if p.prompt or p.group]
    part = type("part", (), {"check": staticmethod(lambda outline: judgements.of_outline(outline)), "__name__": "p"})
    one, (other, _) = contract.run(part, rows), judgements.of_preferences(rows)
    for name in ("preference", "item", "low_won", "low_first", "named", "group", "first_node"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
