"""docs/results.md says what the measurements say, and says aloud what was missed."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("results", ROOT / "benchmarks" / "results.py")
assert spec
assert spec.loader
results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results)

BAR = {"name": "fp32", "bar": "at least 3x", "value": 3.4, "at_least": 3.0}
GOOD = {"title": "Scoring", "question": "How fast?", "what": "96 pairs, one seed.", "bars": [BAR]}


def page(folder, **files):
    for name, found in files.items():
        (folder / f"{name}.json").write_text(found if isinstance(found, str) else json.dumps(found))
    return results.page(folder)


def test_the_page_is_up_to_date():
    assert results.main(["--check"]) == 0, "docs/results.md is stale: run `make bench`"


def test_every_measurement_has_its_script():
    measured = list((ROOT / "benchmarks").glob("*.json"))
    assert measured
    for path in measured:
        assert path.with_suffix(".py").exists(), f"{path.name} has no script"


def test_a_folder_without_measurements_says_so(tmp_path):
    assert "Nothing has been measured yet." in page(tmp_path)


def test_bars_met_missed_and_not_measured(tmp_path):
    bars = [BAR, {**BAR, "name": "bf16", "value": 2.0}, {"name": "rss", "bar": "300 MB", "value": None, "at_most": 300}]
    text = page(tmp_path, one={**GOOD, "bars": bars, "notes": ["bf16 has no fast path on this processor"]})
    assert "3 bars: 1 met, 1 missed, 1 not measured." in text
    assert "| fp32 | at least 3x | 3.4 | met |" in text
    assert "| bf16 | at least 3x | 2 | **missed** |" in text
    assert "| rss | 300 MB | - | not measured |" in text
    assert "| Scoring | bf16 | at least 3x | 2 |" in text
    assert "- bf16 has no fast path on this processor" in text


@pytest.mark.parametrize(
    ("bound", "value", "verdict"),
    [("at_least", 3.0, True), ("at_least", 2.999, False), ("at_most", 3.0, True), ("at_most", 3.1, False),
     ("equals", 3, True), ("equals", 3.0001, False)],
)  # fmt: skip
def test_bounds(bound, value, verdict):
    assert results.met({"value": value, bound: 3}) is verdict


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({**GOOD, "bars": [{**BAR, "value": 1.0}]}, "fp32: is missed and no note says why"),
        ({**GOOD, "bars": [{**BAR, "met": True}]}, "'met' is computed, not stored"),
        ({**GOOD, "bars": [{**BAR, "at_most": 4}]}, "needs exactly one of"),
        ({**GOOD, "bars": [{**BAR, "value": "3.4x"}]}, "finite numbers"),
        ({**GOOD, "bars": [{**BAR, "value": float("nan")}]}, "finite numbers"),
        ({**GOOD, "nots": []}, "unknown key 'nots'"),
        ({"title": "x"}, "has no 'what'"),
        ({**GOOD, "tables": [{"title": "t", "columns": ["a"], "rows": [[1, 2]]}]}, "not as many cells"),
        ("[1", "is not JSON"), ("[]", "is not an object"),
    ],
)  # fmt: skip
def test_what_cannot_be_printed_is_refused(tmp_path, found, message):
    with pytest.raises(ValueError, match=r"one\.json: .*" + message):
        page(tmp_path, one=found)


def test_cells_cannot_break_the_table(tmp_path):
    table = {"title": "all", "columns": ["a|b", "n"], "rows": [["<b>\nx|", 12345], ["y", 0.51239]]}
    text = page(tmp_path, one={**GOOD, "tables": [table]})
    assert "| a\\|b | n |\n|---|---:|\n| &lt;b> x\\| | 12,345 |\n| y | 0.5124 |" in text


def test_scripts_without_a_measurement_and_remarks_of_people_are_printed(tmp_path):
    (tmp_path / "fast.py").write_text(
        '"""Is it fast?\n"""\nfrom harness import machine, write\n\n\ndef main():\n    ...\n'
    )
    bar = {"name": "b", "bar": "1", "value": 0, "at_least": 1}
    found = {"title": "T", "question": "Q", "what": "W", "bars": [bar]}
    (tmp_path / "done.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match="no note says why"):
        results.page(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/done.md").write_text("- The cores were busy.\n")
    page = results.page(tmp_path)
    assert "- The cores were busy." in page
    assert "| `benchmarks/fast.py` | Is it fast? |" in page
