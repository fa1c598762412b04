"""RMB: the contract, and the numbers of others exactly."""

import json
from collections import Counter

import numpy as np
import pytest

from plaudit.errors import DataError, OptionError, PlauditError
from plaudit.evaluation.evaluate import evaluate
from plaudit.evaluation.suites import _contract, _grade, rmb
from plaudit.evaluation.suites._files import Held, is_withheld
from plaudit.metrics.outcomes import formula_intervals, outcomes
from plaudit.records import Preference

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

NAMES = {
    "BoN_set/Harmlessness": "lists/harmlessness",
    "BoN_set/Helpfulness": "lists/helpfulness",
    "Pairwise_set/Harmlessness": "pairs/harmlessness",
    "Pairwise_set/Helpfulness": "pairs/helpfulness",
}


@pytest.fixture(scope="module")
def folder(data):
    return data / "suites"


@pytest.fixture(scope="module")
def items(folder):
    return rmb.load(folder)


def hashed(p: Preference):
    from hashlib import sha256

    return np.array([int(sha256(r[-1].text.encode()).hexdigest()[:8], 16) for r in p.responses], dtype=float)


def overlap(p: Preference):
    import re

    def words(text):
        return set(re.findall(r"\w+", text.lower()))

    prompt = words("\n".join(m.text for m in p.prompt))
    return np.array([len(prompt & words(r[-1].text)) for r in p.responses], dtype=float)


TOYS = {"L": lambda p: np.array([len(r[-1].text) for r in p.responses], dtype=float), "H": hashed, "O": overlap}


def test_contract(folder):
    _contract.check(rmb, folder)


def test_what_the_files_hold(items):
    held = Held(items)
    assert len(items) == 14_543 + 3_786
    assert sum(map(is_withheld, items)) == 2_597
    here = {block: held.rows(block) for block in rmb.BLOCKS}
    assert here == {
        "pairs/helpfulness": 10_067 - 849 - 762, "pairs/harmlessness": 7_064 - 977,
        "lists/helpfulness": 2_109, "lists/harmlessness": 1_677,
    }  # fmt: skip


@pytest.mark.parametrize("toy", ["L", "H", "O"])
def test_toy_scorers(items, data, toy):
    expected = json.loads((data / "suites" / "expected_values.json").read_text())["toy"]["rmb"][toy]
    scored = [p for p in items if not is_withheld(p)]
    found = rmb.measure(scored, [TOYS[toy](p) for p in scored])
    for name, block in NAMES.items():
        rows = found.section(block)
        n, right, percent, ties = expected[name]
        assert (int(rows.sum()), int(found.credit[rows].sum())) == (n, right)
        assert 100 * right / n == pytest.approx(percent, abs=5e-5)
        if block.startswith("pairs"):  # in a list a tie counts here only when it decides
            assert int(found.tied[rows].sum()) == ties
    assert 100 * rmb.combine(found)["overall"] == pytest.approx(expected["overall"], abs=5e-5)


def test_random_expectations_over_all_lists(items):
    labels = rmb.measure(items, [np.zeros(len(p.responses)) for p in items]).at_random()
    numbers = rmb.combine(labels)
    assert 100 * numbers["lists/harmlessness"] == pytest.approx(31.22, abs=0.005)
    assert 100 * numbers["lists/helpfulness"] == pytest.approx(30.90, abs=0.005)
    assert 100 * numbers["overall"] == pytest.approx(40.53, abs=0.005)


ABSENT = {  # scenarios whose pairs are not among the files, and how many they are
    "pairs/harmlessness/S11": 977, "pairs/helpfulness/Brainstorming/Idea Development": 849,
    "pairs/helpfulness/Generation/Creative Writing": 762,
}  # fmt: skip


def earned(credit, leaves):
    """Outcomes of these credits, a prompt each."""
    n = len(leaves)
    return outcomes([str(i) for i in range(n)], credit, np.zeros(n, bool), np.full(n, 0.5), range(n), leaves)


def test_another_model_s_published_headline_comes_out_of_its_scenarios(items, folder):
    """RM-R1 32B: accuracies of 49 scenarios, weighed by their rows, give its four blocks and its 73.01 %."""
    sizes = Counter(p.tags["leaf"] for p in items) + Counter(ABSENT)
    assert len({leaf.split("/", 1)[1] for leaf in sizes}) == 49
    assert sum(leaf.startswith("pairs/harmlessness") for leaf in sizes) == 12
    assert (sizes["pairs/harmlessness/S1"], sizes["pairs/harmlessness/S2"]) == (459, 1040)
    shares = {}
    results = folder / "rm-r1-results/RM-R1-Qwen2.5-Instruct-32B/RMB"
    for file in sorted(results.glob("*/score_result/Final_score.json")):
        for part in json.loads(file.read_text()):
            shares |= {rmb._leaf(path): share for path, share in part.items() if path.count("/") >= 2}
    credit = [shares[leaf] for leaf, n in sizes.items() for _ in range(n)]
    found = rmb.combine(earned(credit, list(sizes.elements())))
    blocks = (0.801728, 0.805776, 0.650545, 0.662493)
    assert [found[block] for block in rmb.BLOCKS] == pytest.approx(blocks, abs=1e-6)
    assert found["overall"] == pytest.approx(0.730136, abs=1e-6)


def test_macro_counts_scenarios_where_overall_counts_rows():
    leaves = [f"{block}/{scenario}" for block in rmb.BLOCKS for scenario in "AAAB"]
    found = rmb.combine(earned([1, 1, 1, 0] * 4, leaves))
    assert (found["overall"], found["macro"]) == (0.75, 0.5)
    assert {found[f"{block}/macro"] for block in rmb.BLOCKS} == {0.5}


def test_the_lead_over_length_is_drawn_with_the_score():
    """Of length itself nothing is left in any draw."""
    won = np.random.Generator(np.random.PCG64(0)).random(200) < 0.6
    found = earned(won.astype(float), ["pairs/helpfulness/A"] * 200)
    ends = formula_intervals(found, _grade._with_gap(rmb.combine, found))
    assert ends[_grade._GAP + "pairs/helpfulness"] == (0, 0)
    low, high = ends["pairs/helpfulness"]
    assert high - low > 0.1


def test_stored_scores_of_armorm(folder):
    file = folder / "rmb/eval/result/ArmoRM-Llama3-8B-v0.1_result.json.gz"
    for options in ({}, {"suite_data": folder}):
        found = evaluate(None, scores=file, suite="rmb", **options)
        line = next(r for r in found.results if r.name == "rmb/pairs/helpfulness/Brainstorming/Idea Development")
        assert (line.n, round(line.score * 849), round(line.ties * 849)) == (849, 675, 12)
        assert options or (line.groups, line.interval) == (849, "bootstrap")
        assert not any(r.name == "rmb" for r in found.results)  # three blocks are missing, so there is no headline


def test_through_the_command_and_again_from_its_score_file(folder, tmp_path, capsys):
    from plaudit.cli import run

    first = tmp_path / "first"
    assert run(["evaluate", "length", "--suite", "rmb", "--suite-data", str(folder), "--output-dir", str(first)]) == 0
    assert "51.9" in capsys.readouterr().out
    document = json.loads((first / "results.json").read_text())
    top = document["results"][0]
    assert (top["name"], top["n"], top["score"], top["length_only"]) == ("rmb", 15_732, top["score"], top["score"])
    assert 0.50 < top["low"] < top["score"] < top["high"] < 0.534
    assert top["score"] == pytest.approx(0.519337, abs=5e-7)
    coverage = document["suites"]["rmb"]["coverage"]
    assert coverage[0]["official"] == 20_917
    assert coverage[0]["lowest"] < top["score"] < coverage[0]["highest"]
    scores = str(first / "scores.jsonl")
    arguments = ["evaluate", "--scores", scores, "--suite", "rmb", "--suite-data", str(folder / "rmb"), "--json"]
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["results"] == document["results"]


def small(tmp_path, rows, path="Pairwise_set/Harmlessness/S1.json"):
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows))
    return tmp_path


ROW = {
    "pair_uid": "1", "category_path": "Pairwise_set/Harmlessness/S1",
    "conversation_input": [{"role": "user", "content": "hi"}],
    "chosen": {"llm_name": "a", "answer": "no"}, "reject": {"llm_name": "b", "answer": "yes"},
}  # fmt: skip


def test_contract_on_a_few_rows_of_every_block(tmp_path):
    for kind in ("Pairwise_set", "BoN_set"):
        for path in (f"{kind}/Harmlessness/S1", f"{kind}/Helpfulness/Code/Debugging"):
            rows = []
            for i in range(60):
                answers = [{"llm_name": "m", "answer": f"{path} {i} answer {j}"} for j in range(4)]
                row = ROW | {"category_path": path, "pair_uid": f"{path}-{i}", "bon_uid": f"{path}-{i}"}
                row |= {"chosen": answers[0], "reject": answers[1], "bon_best": answers[0], "loser_list": answers[1:]}
                row["conversation_input"] = [{"role": "user", "content": f"{path} {i // 2}"}]
                rows.append(row)
            small(tmp_path, rows, f"{path}.json")
    _contract.check(rmb, tmp_path)


def test_uncompressed_files_and_one_block(tmp_path):
    folder = small(tmp_path, [ROW])
    graded = _grade.by_scorer("rmb", __import__("plaudit").load("length"), folder)
    assert {r.name: r.score for r in graded.results} == {
        "rmb/pairs/harmlessness": 0, "rmb/pairs/harmlessness/S1": 0, "rmb/pairs/harmlessness/macro": 0,
    }  # fmt: skip
    assert graded.results[0].interval == "wilson"


def test_errors_say_where(tmp_path):
    with pytest.raises(PlauditError, match="RMB is not here"):
        rmb.load(tmp_path)
    with pytest.raises(DataError, match=r"S1\.json:1: not an RMB row: KeyError\('chosen'\)"):
        rmb.load(small(tmp_path, [{k: v for k, v in ROW.items() if k != "chosen"}]))
    for wrong in ({"category_path": "Pairwise_set/Harmlessness"}, {"category_path": 3}, {"chosen": {"answer": None}}):
        with pytest.raises(DataError, match=r"S1\.json:1: not an RMB row"):
            rmb.load(small(tmp_path, [ROW | wrong]))
    bad = tmp_path / "bad.json"
    bad.write_text('[{"score": 3}]')
    with pytest.raises(DataError, match=r"bad\.json:1: neither a score row nor a result row of RMB"):
        evaluate(None, scores=bad, suite="rmb")
    good = tmp_path / "good.jsonl"
    good.write_text('{"id": "pair-1", "scores": [1, 2]}')
    with pytest.raises(OptionError, match="suite-data must say"):
        evaluate(None, scores=good, suite="rmb")


def test_a_row_without_a_stored_score_is_an_error_unless_said_otherwise(tmp_path):
    folder = small(tmp_path, [ROW, ROW | {"pair_uid": "2"}])
    file = tmp_path / "s.jsonl"
    file.write_text('{"id": "pair-1", "scores": [2, 1]}\n')
    with pytest.raises(DataError, match=r"S1\.json:2 \(id pair-2\): the score file holds no score"):
        evaluate(None, scores=file, suite="rmb", suite_data=folder)
    how = {"scores": file, "suite": "rmb", "suite_data": folder}
    found = evaluate(None, **how, missing="loss", output_dir=tmp_path / "D")
    assert found.results[0].score == 0.5
    assert found.counts == {"rows": 2, "without_score": 1}
    block = next(c for c in found.suites["rmb"]["coverage"] if c["section"] == "pairs/harmlessness")
    assert (block["scored"], block["highest"]) == (1, 1.0)
    (line,) = (tmp_path / "D/scores.jsonl").read_text().splitlines()
    assert json.loads(line) | {"content": ""} == {"id": "pair-1", "content": "", "scores": [2.0, 1.0]}
    file.write_text("")
    assert evaluate(None, **how, missing="loss").counts["without_score"] == 2


def test_nothing_counts_twice(tmp_path):
    row = {"pair_uid": "1", "category_path": "Pairwise_set/Harmlessness/S1", "chosen_reward": 2, "reject_reward": 1}
    own = tmp_path / "own.json"
    own.write_text(json.dumps([row, row]))
    with pytest.raises(DataError, match=r"own\.json:2: pair-1 comes twice"):
        evaluate(None, scores=own, suite="rmb")
    folder = small(tmp_path, [ROW])
    small(tmp_path, [ROW], "Pairwise_set/Harmlessness/S1 (copy).json")
    with pytest.raises(DataError, match="pair-1 comes twice"):
        rmb.load(folder)
    own.write_text(json.dumps([row]))
    with pytest.raises(OptionError, match="missing does nothing with result rows"):
        evaluate(None, scores=own, suite="rmb", missing="loss")


def test_few_prompts_are_treated_apart(tmp_path):
    rows = [ROW | {"pair_uid": str(i), "conversation_input": [{"role": "user", "content": f"q{i}"}]} for i in range(25)]
    longer = [r | {"chosen": {"answer": "no, never"}} for r in rows]
    for some, won in ((longer[:3] + rows[3:5], 3), (longer, 25)):
        graded = _grade.by_scorer("rmb", __import__("plaudit").load("random"), small(tmp_path, some))
        line = graded.results[0]
        if len(some) < 20:
            assert line.interval == "wilson"
        low, high = line.ahead[1:]
        assert line.ahead[0] == line.score - won / len(some)
        assert low < line.ahead[0] < high
        assert -1 < low < high < 1
