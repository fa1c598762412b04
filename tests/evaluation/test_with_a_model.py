"""A model as the scorer: what it cannot take is left out aloud, the rest is scored; the cache gives the same."""

import json

import numpy as np
import pytest

import plaudit
from plaudit.errors import DataError
from plaudit.evaluation.score import score
from plaudit.records import pair
from plaudit.report import terminal
from plaudit.rewards.cached import Cached
from plaudit.rewards.load import Handle
from plaudit.rewards.stream import scored


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from plaudit.models.embedded import tiny

    place = tmp_path_factory.mktemp("tiny")
    tiny.build(place)
    return place


@pytest.fixture
def handle(folder):
    return plaudit.load(folder, max_length=64)


ROWS = [pair(f"question {i}", "yes " * (i % 7 + 1), "no", id=str(i), source=f"f:{i}") for i in range(20)]
LONG = pair("question", "word " * 300, "no", id="long", source="f:20")


def test_too_long_for_the_model_is_left_out_and_listed(handle):
    left = []
    found = list(scored(handle, [*ROWS[:5], LONG, *ROWS[5:]], leave=lambda p, reason: left.append((p.id, reason))))
    assert [p.id for p, _ in found] == [p.id for p in ROWS]
    assert [name for name, _ in left] == ["long"]
    assert "64" in left[0][1]
    with pytest.raises(DataError):
        list(scored(handle, [LONG]))
    evaluated = plaudit.evaluate(handle, [*ROWS, LONG])
    assert (evaluated.results[0].n, evaluated.counts["not_scored"]) == (20, 1)
    assert evaluated.rejects[0]["where"] == "f:20 (id long)"


def test_the_file_the_handle_and_the_cache_give_the_same(folder, handle, tmp_path):
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    rows = [{"id": p.id, "prompt": p.prompt[0].text, "chosen": p.responses[0][0].text, "rejected": "no"} for p in ROWS]
    rows.insert(3, {"id": "long", "prompt": "question", "chosen": "word " * 300, "rejected": "no"})
    source.write_text("\n".join(map(json.dumps, rows)))
    cached = Handle(Cached(handle, tmp_path / "cache"), handle.name)
    found = score(cached, source, out, with_text=True)
    lines = [json.loads(text) for text in out.read_text().splitlines()]
    assert (len(lines), found.not_scored) == (20, 1)
    again = score(
        Handle(Cached(handle, tmp_path / "cache"), handle.name), source, tmp_path / "again.jsonl", with_text=True
    )
    assert (again.not_scored, out.read_bytes()) == (1, (tmp_path / "again.jsonl").read_bytes())
    for line, record in zip(lines, ROWS):
        assert line["id"] == record.id
        alone = handle.score(record.prompt, [r[0].text for r in record.responses])
        assert np.allclose(line["scores"], alone, rtol=1e-5, atol=1e-6)
        tokenizer = handle.scorer.loaded.tokenizer
        assert all(tokenizer(text, add_special_tokens=False)["input_ids"] for text in line["texts"])


def test_an_estimate_counts_tokens_and_passes_over_what_does_not_fit(handle):
    from plaudit.evaluation.estimate import of_preferences

    found = of_preferences(handle, [*ROWS, LONG])
    assert found["tried"] == len(ROWS)
    assert found["tokens"] > 0
    assert of_preferences(handle, [LONG])["tried"] == 0


def test_progress_moves_with_every_batch_of_a_model_also_behind_a_cache(folder, tmp_path, monkeypatch):
    """Not only when a whole chunk of preferences is done: on a slow machine that takes minutes."""
    moves = []
    monkeypatch.setattr(terminal.Progress, "_move", lambda self, steps, **facts: moves.append(steps))
    scorer = plaudit.load(folder, budget=64)
    rows = [pair(f"What is {i}?", "a number " * 9, "no", id=str(i)) for i in range(12)]
    plaudit.evaluate(folder, rows, batch_tokens=64, output_dir=tmp_path / "D")
    assert sum(moves) == 12
    assert max(moves) < 12
    moves.clear()
    for _ in range(2):  # the second time all is looked up
        plaudit.evaluate(folder, rows, batch_tokens=64, cache=tmp_path / "cache")
    assert sum(moves) == 24
    plaudit.evaluate(scorer, rows)
    moves.clear()
    scorer.score_all(rows)  # the bar is gone: nobody is told
    assert not moves
