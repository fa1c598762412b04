"""A checkpoint as a scorer: both precisions, every family."""

import numpy as np
import pytest

from families import FAMILIES, tiny_family
from plaudit.errors import OptionError
from plaudit.models.backbone import load_backbone
from plaudit.models.committee import load_trunk
from plaudit.models.score import ModelScorer, load_scorer
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


@pytest.mark.parametrize("device", ["toaster", "cuda:77", "meta"])
@pytest.mark.parametrize("ask", [load_scorer, load_trunk])
def test_a_device_that_there_is_not_is_said_in_words(ask, device):
    with pytest.raises(OptionError, match=f"device '{device}' cannot be used: .+\n  known: cpu, cuda"):
        ask("tiny", device=device)
