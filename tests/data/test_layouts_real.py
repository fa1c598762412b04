"""Every real file reads with the counts its description states; what is rejected is rejected for a named reason."""

from collections import Counter

import pytest

from plaudit.data.read import read
from plaudit.records import Preference, Steps

# file, layout, rows, rows kept, records, ties
FILES = [
    ("hh/helpful-base/train.jsonl.gz", "hh", 1452, 1449, 1449, 0),
    ("hh/helpful-base/test.jsonl.gz", "hh", 400, 400, 400, 0),
    ("hh/harmless-base/train.jsonl.gz", "hh", 1412, 1410, 1410, 0),
    ("hh/harmless-base/test.jsonl.gz", "hh", 400, 399, 399, 0),
    ("hh/docta100/helpful-base.jsonl.gz", "hh", 92, 92, 92, 0),
    ("hh/docta100/harmless-base.jsonl.gz", "hh", 95, 95, 95, 0),
    ("hh/docta100/helpful-online.jsonl.gz", "hh", 100, 98, 98, 0),
    ("hh/docta100/helpful-rejection-sampled.jsonl.gz", "hh", 100, 95, 95, 0),
    ("hh/tara_single_turn/train.jsonl.gz", "tara", 479, 479, 479, 0),
    ("hh_relabelled/train.jsonl.gz", "hh", 2487, 2481, 2481, 0),
    ("hh_relabelled/test.jsonl.gz", "hh", 705, 704, 704, 0),
    ("tldr/train.parquet", "trl", 7415, 7415, 7415, 0),
    ("tldr/test.parquet", "trl", 1500, 1500, 1500, 0),
    ("tldr_workers/comparisons.parquet", "tldr_comparisons", 535, 535, 535, 0),
    ("tldr_workers/axis_ratings.parquet", "tldr_axes", 7949, 7949, 7949, 0),
    ("tldr_axes/accuracy.parquet", "trl", 407, 407, 407, 0),
    ("tldr_axes/coverage.parquet", "trl", 407, 407, 407, 0),
    ("tldr_axes/coherence.parquet", "trl", 407, 407, 407, 0),
    ("helpsteer2_100/preferences.jsonl.gz", "helpsteer2_preference", 100, 100, 100, 29),
    ("ultrafeedback_binarized/train.jsonl.gz", "ultrafeedback_scores", 1000, 994, 994, 110),
    ("ultrafeedback_binarized/eval.jsonl.gz", "ultrafeedback_scores", 200, 199, 199, 24),
    ("pandalm/testset-v1.json.gz", "pandalm", 748, 696, 2088, 258),
    ("faireval80/human.jsonl.gz", "faireval", 80, 80, 80, 14),
    ("alpaca_eval_soft/annotations.jsonl.gz", "alpaca_eval", 1610, 1535, 1535, 0),
    ("alpacafarm_gold_proxy/pairs.jsonl.gz", "alpacafarm", 1000, 958, 958, 4),
    ("webgpt/train.json.gz", "webgpt", 701, 701, 701, 197),
    ("webgpt/test.json.gz", "webgpt", 200, 200, 200, 48),
    ("finegrained_qa/dev_feedback.json.gz", "finegrained_qa", 500, 500, 3000, 384),
    ("stepverify/dataset.json.gz", "stepverify", 1002, 1002, 1002, 0),
    ("bigbench_mistake/dyck_languages.jsonl.gz", "bigbench_mistake", 986, 985, 985, 0),
    ("bigbench_mistake/logical_deduction.jsonl.gz", "bigbench_mistake", 300, 300, 300, 0),
    ("bigbench_mistake/multistep_arithmetic.jsonl.gz", "bigbench_mistake", 300, 300, 300, 0),
    ("bigbench_mistake/tracking_shuffled_objects.jsonl.gz", "bigbench_mistake", 300, 300, 300, 0),
    ("bigbench_mistake/word_sorting.jsonl.gz", "bigbench_mistake", 300, 300, 300, 0),
    ("prmbench_sample/sample.jsonl.gz", "prmbench", 2420, 2381, 2381, 0),
    ("layouts/llamafactory_dpo_en_demo.json.gz", "llama_factory", 300, 300, 300, 0),
    ("layouts/llamafactory_dpo_zh_demo.json.gz", "llama_factory", 300, 300, 300, 0),
    ("layouts/llamafactory_kto_en_demo.json.gz", "llama_factory_kto", 300, 300, 300, 0),
    ("layouts/alpaca_style_polite.json.gz", "alpaca", 1100, 1094, 1094, 0),
    ("layouts/medicalgpt_dpo_zh_500.jsonl.gz", "medicalgpt", 500, 500, 500, 0),
    ("suites/processbench/gsm8k.json.gz", "processbench", 400, 400, 400, 0),
    ("suites/processbench/math.json.gz", "processbench", 1000, 1000, 1000, 0),
    ("suites/contrast-instructions/data/human_preferences/twitter/test.json.gz", "contrast_instructions",
     1131, 1131, 1131, 0),
    ("suites/rmb/RMB_dataset/Pairwise_set/Harmlessness/S7.json.gz", "rmb_pairs", 510, 508, 508, 0),
    ("suites/rmb/RMB_dataset/BoN_set/Harmlessness/S7.json.gz", "rmb_lists", 121, 120, 120, 0),
]  # fmt: skip
# Enough of each kind for a fast run; the rest belongs to the slow one.
QUICK = {"hh/docta100/helpful-online.jsonl.gz", "tldr_axes/accuracy.parquet", "pandalm/testset-v1.json.gz",
         "bigbench_mistake/word_sorting.jsonl.gz", "helpsteer2_100/preferences.jsonl.gz",
         "layouts/llamafactory_kto_en_demo.json.gz"}  # fmt: skip


def counted(path):
    rows = list(read(path))
    records = [record for row in rows for record in row.records]
    ties = sum(isinstance(record, Preference) and record.is_tie for record in records)
    return rows, records, ties


def check(folder, name, layout, n, kept, judged, tied):
    rows, records, ties = counted(folder / name)
    assert {row.layout for row in rows} == {layout}
    assert (len(rows), sum(row.kept for row in rows), len(records), ties) == (n, kept, judged, tied)
    assert all(row.reason for row in rows if not row.kept)
    assert all(record.source.startswith(str(folder)) for record in records)


@pytest.mark.parametrize("case", [case for case in FILES if case[0] in QUICK], ids=lambda case: case[0])
def test_a_file_reads_as_described(data, case):
    check(data, *case)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in FILES if case[0] not in QUICK], ids=lambda case: case[0])
def test_every_file_reads_as_described(data, case):
    check(data, *case)


def test_step_labels_agree_with_the_first_wrong_step(data):
    rows, records, _ = counted(data / "stepverify" / "dataset.json.gz")
    assert all(isinstance(record, Steps) and record.labels.count(False) == 1 for record in records)
    rows, records, _ = counted(data / "suites" / "processbench" / "gsm8k.json.gz")
    assert sum(False in record.labels for record in records) == 207  # of 400; the other 193 have no error
    rows, records, _ = counted(data / "bigbench_mistake" / "word_sorting.jsonl.gz")
    assert sum(False not in record.labels for record in records) == 34


def test_pandalm_booleans_are_named(data):
    rows, _, _ = counted(data / "pandalm" / "testset-v1.json.gz")
    wrong = Counter(row.reason for row in rows if row.reason and "boolean" in row.reason)
    assert wrong == {"response1 is a boolean, not text": 4, "response2 is a boolean, not text": 2}


def test_hh_helpful_turns(data):
    """The median and the largest number of human turns that the data's description states."""
    _, records, _ = counted(data / "hh" / "helpful-base" / "test.jsonl.gz")
    turns = sorted(sum(m.role == "user" for m in record.prompt + record.responses[0]) for record in records)
    assert (turns[len(turns) // 2], turns[-1]) == (2, 8)


def test_alpaca_eval_prefers_its_baseline(data):
    _, records, _ = counted(data / "alpaca_eval_soft" / "annotations.jsonl.gz")
    assert all(record.target is not None and 0.5 < record.target <= 1 for record in records)
    assert sum(record.ranks == (0, 1) for record in records) / len(records) > 0.8  # output_1 is GPT-4's


def test_tldr_raters(data):
    _, records, _ = counted(data / "tldr_workers" / "axis_ratings.parquet")
    missing = {name: sum(name not in record.ratings[0] for record in records)
               for name in ("overall", "accuracy", "coverage", "coherence")}  # fmt: skip
    assert missing == {"overall": 48, "accuracy": 17, "coverage": 55, "coherence": 15}
