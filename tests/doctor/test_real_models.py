"""The embedded models, saved as checkpoints: every path within tolerance."""

import pytest
from patients import saved

from plaudit.doctor.examine import examine
from plaudit.models.backbone import load_backbone


@pytest.mark.slow
@pytest.mark.parametrize(("name", "longest"), [("tiny", 128), ("minilm-l6", 128), ("smollm2-135m", 64)])
def test_an_embedded_model_gives_one_number(name, longest, tmp_path):
    loaded = load_backbone(name, for_training=True)
    report = examine(saved(tmp_path / "rm", loaded.model, loaded.tokenizer, scale=0.03), longest=longest)
    assert [c for c in report.checks if c.status == "fail"] == []
    assert report.check("token-tree").status == "pass"
