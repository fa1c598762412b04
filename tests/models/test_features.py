"""Features on disk are the model's own hidden states, computed once and resumed."""

import numpy as np
import pytest

from plaudit.models import features as room
from plaudit.models.backbone import load_backbone
from plaudit.models.score import ModelScorer
from plaudit.models.tokens import encode_all
from plaudit.records import group, message


@pytest.fixture(scope="module")
def scorer():
    return ModelScorer(load_backbone("tiny", for_training=True), dtype="float32", budget=300)


def made(n):
    return [
        group((message("user", f"Question {i}?"),), [f"answer {i} {j} " * (j + 1) for j in range(2 + i % 2)], None)
        for i in range(n)
    ]


def test_features_give_the_scores_back(scorer, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PART", 4)
    data = made(11)
    found = room.features(scorer, data, tmp_path, layers=(1, -1), pools=("read", "mean"))
    weight = scorer.reader.model.score.weight.detach().numpy()[0]
    for i, row in enumerate(scorer.score_all(data)):
        assert found.record(i).shape[:3] == (2, 2, len(data[i].responses))
        np.testing.assert_allclose(found.record(i)[1, 0] @ weight, row, atol=1e-5)
    assert found.matrix(1, "mean").shape == (sum(len(p.responses) for p in data), len(weight))


def test_what_lies_there_is_not_computed_again(scorer, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "PART", 4)
    calls = []
    real = room.compute
    monkeypatch.setattr(room, "compute", lambda *a: calls.append(1) or real(*a))
    data = made(8)
    first = room.features(scorer, data, tmp_path)
    assert len(calls) == 2
    again = room.features(scorer, [*data, *made(9)[8:]], tmp_path)
    assert len(calls) == 3
    np.testing.assert_array_equal(first.matrix(-1), again.matrix(-1)[: len(first.matrix(-1))])
    broken = next(tmp_path.glob("*/part-*/features.npy"))
    broken.write_bytes(broken.read_bytes()[:-8])
    room.features(scorer, data, tmp_path)
    assert len(calls) == 4


def test_other_layers_and_other_precision_have_other_keys(scorer, tmp_path):
    data = made(2)
    room.features(scorer, data, tmp_path)
    room.features(scorer, data, tmp_path, layers=(1,))
    half = room.features(scorer, data, tmp_path, store="float16")
    assert len(list(tmp_path.iterdir())) == 3
    assert half.record(0).dtype == np.float32
    assert len(encode_all(data, scorer.loaded.policy)) == len(half)


@pytest.mark.parametrize("longest", [400, 24])
def test_an_encoders_mean_is_over_the_response_alone(tmp_path, longest):
    """Against single sequences of plain transformers; a prompt that is cut does not move the response's tokens."""
    import torch

    from families import tiny_family

    folder = tmp_path / "bert"
    model, tokenizer = tiny_family("bert", 0)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    loaded = load_backbone(folder, for_training=True, max_length=longest)
    scorer = ModelScorer(loaded, dtype="float32", budget=300)
    rows = [
        group(
            (message("user", "Why does the sky look blue to us " * 3),), ["Light is scattered.", "No one knows."], None
        ),
        group((), ["Alone it stands.", "So does this."], None),
    ]
    found = room.features(scorer, rows, tmp_path / "features", layers=(1,), pools=("mean",))
    for i, row in enumerate(rows):
        for j, e in enumerate(row.responses):
            own = tokenizer(e[0].text, add_special_tokens=False).input_ids
            (encoded,) = encode_all([row], loaded.policy)
            ids = torch.as_tensor(encoded.full(j).astype(np.int64))[None]
            with torch.no_grad():
                hidden = model.base_model(ids, output_hidden_states=True).hidden_states[1][0]
            tail = len(own) + 1  # and the closing mark
            assert ids[0, -tail:-1].tolist() == own
            np.testing.assert_allclose(found.record(i)[0, 0, j], hidden[-tail:].mean(0), atol=1e-5)
