"""Files that ask for opposite things: learned apart where that surely agrees with more labels, and only there."""

import json

import numpy as np
import pytest

from plaudit.auditing.apart import FEWEST, compared, learn_apart, parts_of
from plaudit.auditing.audit import audit
from plaudit.auditing.options import AuditOptions
from plaudit.auditing.show import show
from plaudit.data.worlds import make
from plaudit.errors import OptionError
from plaudit.models.members import Member
from plaudit.rewards.load import load
from plaudit.seeds import generator
from plaudit.training.bags import Pairs
from plaudit.training.heads import fit

N, WIDTH = 600, 6


def some(opposed: bool):
    """Features [2N, H], pairs whose label follows one direction; in the second half, if `opposed`, the other way."""
    luck = generator(3, "apart")
    x = luck.normal(size=(2 * N, WIDTH)).astype(np.float32)
    first = np.arange(0, 2 * N, 2)
    gap = x[first, 0] - x[first + 1, 0] + 0.5 * luck.normal(size=N)
    sign = np.where(np.arange(N) < N // 2, 1, -1 if opposed else 1)
    up = gap * sign > 0
    pairs = Pairs(np.where(up, first, first + 1), np.where(up, first + 1, first), np.ones(N), np.ones(N),
                  np.arange(N).astype(np.uint64))  # fmt: skip
    return x, pairs, np.where(np.arange(N) < N // 2, "a", "b")


@pytest.mark.parametrize("opposed", [True, False])
def test_apart_is_surely_ahead_where_parts_oppose_each_other_and_only_there(opposed):
    x, pairs, kind = some(opposed)
    fold, members = np.arange(N) % 3, [Member(0, "linear", k) for k in range(2)]
    parts = parts_of(kind, pairs.group, fold)
    together, _ = fit(lambda _: x, pairs, fold, members)
    alone, heads = learn_apart(lambda _: x, pairs, fold, members, parts, together)
    told = compared(together, alone, pairs, parts)
    assert (told["low"] > 0.2) if opposed else (told["low"] <= 0 <= told["high"])
    assert told["ahead"] == pytest.approx(told["apart"] - told["together"])
    assert [len(h.weights["w"]) for h in heads] == [6, 6]  # two parts, three folds each
    assert [h.member for h in heads] == members


def test_apart_votes_of_a_part_are_those_of_its_rows_alone():
    x, pairs, kind = some(True)
    fold, members = np.arange(N) % 3, [Member(0, "linear", 1)]
    together, _ = fit(lambda _: x, pairs, fold, members)
    own = kind == "a"
    mine = Pairs(pairs.better[own], pairs.worse[own], pairs.target[own], pairs.weight[own], pairs.group[own])
    votes, _ = fit(lambda _: x, mine, fold[own], members)
    alone, _ = learn_apart(lambda _: x, pairs, fold, members, {"a": own}, together)
    assert np.array_equal(alone[own], votes)
    assert np.array_equal(alone[~own], together[~own])


def test_parts_need_rows_prompts_folds_and_votes_out_of_fold():
    kind, group, fold = np.repeat(["a", "b"], FEWEST), np.arange(2 * FEWEST), np.arange(2 * FEWEST) % 5
    assert set(parts_of(kind, group, fold)) == {"a", "b"}
    assert parts_of(kind[1:], group[1:], fold[1:]) == {}  # one row too few
    assert parts_of(kind, group // 10, fold) == {}  # twenty prompts each
    assert parts_of(kind, group, np.full(2 * FEWEST, -1)) == {}  # in-sample
    assert parts_of(kind, group, np.where(kind == "a", 0, 1)) == {}  # a part in one fold
    assert parts_of(np.where(kind == "a", "", kind), group, fold) == {}  # those that do not say are no part


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """Two files of everyday pairs: in one the answer in capitals wins, in the other it loses."""
    folder = tmp_path_factory.mktemp("two")
    prompts = [p.prompt[0].text for p in make("text-v1", n=440, seed=5).preferences]  # unlike: copies are one prompt
    for name, up, own in (("loud", True, prompts[:220]), ("quiet", False, prompts[220:])):
        rows = []
        for i, prompt in enumerate(own):
            loud, quiet = f"YES, THAT IS RIGHT {i}", f"yes, that is right {i}"
            chosen, rejected = (loud, quiet) if up else (quiet, loud)
            rows.append({"prompt": prompt, "chosen": chosen, "rejected": rejected})
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return [str(folder / "loud.jsonl"), str(folder / "quiet.jsonl")]


def test_audit_learns_opposed_files_apart_says_so_and_saves_the_committee(two, tmp_path, capsys):
    options = AuditOptions(model="tiny", cache=tmp_path / "cache", members=2, noise="none")
    found = audit(two, output_dir=tmp_path / "a", options=options)
    told = found.summary["apart"]
    assert told["done"]
    assert told["low"] > 0
    assert set(told["parts"]) == {"loud.jsonl", "quiet.jsonl"}
    assert found.summary["accuracy"]["score"] == pytest.approx(told["apart"])
    show(found.summary, two, str(tmp_path / "a"))
    assert "ask for different things" in " ".join(capsys.readouterr().err.split())
    assert "Every file was learned by itself" in (tmp_path / "a/report.html").read_text(encoding="utf-8")
    scores = load(str(tmp_path / "a/committee")).score("hello?", ["Yes.", "No."])
    assert np.isfinite(scores).all()
    again = audit(two, output_dir=tmp_path / "b", options=options)  # votes from the cache
    assert (tmp_path / "a/audit.json").read_bytes() == (tmp_path / "b/audit.json").read_bytes()
    assert again.summary["apart"] == told


def test_apart_none_learns_from_all_and_a_mistaken_value_is_refused(two, tmp_path, capsys):
    options = AuditOptions(model="tiny", cache=tmp_path / "cache", members=1, noise="none", apart="none")
    found = audit(two, options=options)
    assert found.summary["apart"] is None
    assert found.summary["options"]["apart"] == "none"
    found = audit(two[:1], options=options.model_copy(update={"apart": "file"}))
    assert found.summary["apart"] is None
    assert "all heads learn from all rows" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(OptionError, match="--apart"):
        audit(two, model="tiny", apart="files")
    with pytest.raises(OptionError, match="--apart"):
        audit(two, model="tiny", apart="file", in_sample=True)
    with pytest.raises(OptionError, match="no row has the tag 'topic'"):
        audit(two, model="tiny", apart="tag:topic")
