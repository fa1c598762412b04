"""A checkpoint as a scorer: both precisions, every family."""

import numpy as np
import pytest

from families import FAMILIES, tiny_family
from plaudit.models.backbone import load_backbone
from plaudit.models.score import ModelScorer
from plaudit.records import pair

PAIRS = [pair(f"why is {word} so?", f"because {word} is", "no") for word in ("the sky", "water", "a cat", "it", "she")]


@pytest.mark.parametrize("family", FAMILIES)
def test_bf16_scorers_of_every_family_stay_near_fp32(family, tmp_path):
    model, tokenizer = tiny_family(family)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    exact = np.stack(ModelScorer(load_backbone(tmp_path), dtype="float32", budget=300).score_all(PAIRS))
    rough = np.stack(ModelScorer(load_backbone(tmp_path), dtype="bfloat16", budget=300).score_all(PAIRS))
    assert rough.dtype == np.float32
    assert np.abs(exact - rough).max() < 0.3 * exact.std()
