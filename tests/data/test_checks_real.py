"""The checks on real files: the traps that the data's own description names are found, with its numbers."""

from functools import cache

import numpy as np
import pytest

from plaudit import catalog
from plaudit.data.checks import _contract as contract
from plaudit.data.outline import outline
from plaudit.data.read import read
from plaudit.records import Preference

pytestmark = pytest.mark.slow  # seconds in all: `make test` runs them, `make check` does not

ROOM = "plaudit.data.checks"


@cache
def columns(*paths):
    rows = list(read([str(path) for path in paths]))
    preferences = [r for row in rows for r in row.records if isinstance(r, Preference)]
    return {"outline": outline(rows), "preferences": preferences, "equal_pairs": [], "against": []}


def found(name, *paths, **more):
    part = catalog.load(ROOM, name)
    given = {**columns(*paths), **more}
    finding = part.check(**{column: given[column] for column in contract.columns(part)})
    contract.sound(part, finding)
    return finding


def test_helpful_and_harmless_pull_apart_and_the_pooled_number_hides_it(data):
    finding = found("skews", data / "hh/helpful-base/train.jsonl.gz", data / "hh/harmless-base/train.jsonl.gz")
    assert finding.status == "warn"
    (opposite,) = [o for o in finding.value["opposite"] if o["what"] == "longer"]
    assert opposite["high"] == {"part": "helpful-base/train.jsonl.gz", "share": pytest.approx(0.606, abs=2e-3)}
    assert opposite["low"] == {"part": "harmless-base/train.jsonl.gz", "share": pytest.approx(0.445, abs=2e-3)}
    assert finding.value["length_only"] < 0.53 < 0.57 < finding.value["length_only_by_file"]


def test_two_users_in_one_file_are_told_apart_by_their_tag(data):
    finding = found("skews", data / "hh_relabelled/train.jsonl.gz")
    assert {o["by"] for o in finding.value["opposite"]} >= {"objective"}
    assert finding.value["tags"]["objective"]["helpful"]["longer"]["low"] > 0.5
    assert finding.value["tags"]["objective"]["harmless"]["longer"]["high"] < 0.5


@pytest.mark.parametrize("name", ["hh/helpful-base/train.jsonl.gz", "ultrafeedback_binarized/train.jsonl.gz"])
def test_one_set_alone_has_no_opposite_parts(data, name):
    assert not found("skews", data / name).value["opposite"]


def test_pandalm_annotators_agree_as_described(data):
    finding = found("annotators", data / "pandalm/testset-v1.json.gz")
    value = finding.value
    assert finding.status == "ok"
    assert value["annotators"] == 3
    assert 0.82 < value["alpha_low"] < value["alpha"] < value["alpha_high"] < 0.93  # 88.9 % of the rows are unanimous
    assert all(0.95 < row["reliability"] < 1 for row in value["each"].values())
    reach = found("reachable", data / "pandalm/testset-v1.json.gz").value
    assert 0.9 < reach["one_more_person"]["score"] < reach["best"]["score"] < 1
    assert found("both_orders", data / "pandalm/testset-v1.json.gz").value["follow_place"] == 0


def test_the_tldr_workers_disagree_and_their_small_number_shows(data):
    file = data / "tldr_workers/comparisons.parquet"
    value = found("annotators", file).value
    assert value["annotators"] == 39
    assert value["alpha_high"] - value["alpha_low"] > 0.3
    known = [row for row in value["each"].values() if "reliability" in row]
    assert known
    assert all(row["reliability_high"] - row["reliability_low"] > 0.2 for row in known)
    assert found("disagreements", file).value["disagree"] == 15
    assert found("both_orders", file).value["pairs"] > 0
    cycles = found("cycles", file).value
    assert 0 < cycles["share"] < 0.1


@pytest.mark.parametrize("name", catalog.names(ROOM))
def test_the_order_of_real_rows_changes_no_bit(data, name):
    rows = columns(data / "pandalm/testset-v1.json.gz")["preferences"]
    part = catalog.load(ROOM, name)
    order = np.random.default_rng(0).permutation(len(rows))
    straight, mixed = contract.run(part, rows, rows[:50]), contract.run(part, [rows[i] for i in order], rows[:50])
    assert straight.document() | {"ids": []} == mixed.document() | {"ids": []}


@pytest.mark.parametrize(
    ("name", "share"), [("tldr_axes/coverage.parquet", 0.015), ("layouts/llamafactory_dpo_zh_demo.json.gz", 0.037)]
)
def test_exact_duplicates_are_those_of_the_description(data, name, share):
    assert found("exact_duplicates", data / name).value["share"] == pytest.approx(share, abs=0.001)


def test_six_summaries_of_one_post_are_no_near_duplicates(data):
    finding = found("near_duplicates", data / "tldr/train.parquet")
    assert finding.value["share"] < 0.005  # 7,415 pairs of 1,219 posts
    assert finding.value["clusters"] > 0


def test_a_split_by_prompt_group_may_leave_near_copies_on_both_sides(data):
    """HH is split by exact first turn; a familiar question in other words stands in train and in test."""
    test = columns(data / "hh/helpful-base/test.jsonl.gz")["preferences"]
    value = found("benchmark_overlap", data / "hh/helpful-base/train.jsonl.gz", against=test).value
    assert value["exact_prompts"] == 0
    assert value["preferences"] > 0
    assert value["benchmark_prompts"] == len({p.prompt for p in test})
