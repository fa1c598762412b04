"""Members that are trained models: each votes on folds it never saw, is kept in the cache, travels in the folder."""

import numpy as np
import pytest

from plaudit.auditing import trained
from plaudit.auditing.audit import audit
from plaudit.data.worlds import make
from plaudit.data.worlds._files import lines, row
from plaudit.errors import OptionError
from plaudit.rewards.load import load


@pytest.mark.slow
@pytest.mark.parametrize("heads", ["lora", "full"])
def test_trained_members_vote_out_of_fold(heads, tmp_path, monkeypatch):
    file = tmp_path / "world.jsonl"
    file.write_bytes(lines([row(p) for p in make("text-v1", n=40, seed=5).preferences]))
    how = {"model": "tiny", "heads": heads, "members": 2, "folds": 2, "cache": tmp_path / "cache"}
    found = audit([file], output_dir=tmp_path / "audit", **how)
    assert found.signals["margins"].shape == (40, 2)
    assert found.summary["folds"] == 2
    assert len(list((tmp_path / "audit/committee").glob("member-*"))) == 4
    panel = load(tmp_path / "audit/committee")
    assert panel.votes_all(list(make("text-v1", n=2, seed=6).preferences))[0].shape == (4, 2)
    monkeypatch.setattr(trained, "train", lambda *a, **k: pytest.fail("trained again"))
    again = audit([file], **how)
    np.testing.assert_array_equal(again.signals["margins"], found.signals["margins"])


def test_trained_members_are_never_in_sample(tmp_path):
    file = tmp_path / "world.jsonl"
    file.write_bytes(lines([row(p) for p in make("text-v1", n=10, seed=5).preferences]))
    with pytest.raises(OptionError, match="in-sample"):
        audit([file], model="tiny", heads="lora", in_sample=True, cache=tmp_path / "cache")
