"""Every path to a score gives the same number: trees, single sequences, neighbours, budgets, gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_plan import Record

from families import FAMILIES, tiny_family
from plaudit.models.forward import Reader, forward, hidden_states, inner, own_tokens, sequences
from plaudit.models.score import scores
from plaudit.models.trees import attention, flex, folded
from plaudit.models.trees.plan import plan
from plaudit.models.trees.probe import probe
from tiers import examples

CACHE: dict = {}


def model_of(name):
    if name not in CACHE:
        model, _ = tiny_family(name, 0)
        CACHE[name] = model.eval(), probe(model).way
    return CACHE[name]


def random_records(model, draw, count):
    vocabulary = inner(model).config.get_text_config().vocab_size
    pad = inner(model).config.get_text_config().pad_token_id
    causal = probe_is_causal(model)

    def ids(n):
        found = draw.integers(0, vocabulary, n)
        return np.where(found == pad, (found + 1) % vocabulary, found).astype(np.int32)

    records = []
    for _ in range(count):
        prompt, answers = ids(draw.integers(1, 40)), [ids(draw.integers(1, 25)) for _ in range(draw.integers(1, 4))]
        if draw.random() < 0.3 and records and causal:  # extend an earlier conversation
            prompt = np.concatenate([records[-1].prompt, records[-1].responses[0], prompt])[:90]
        if causal:
            cuts = tuple(sorted({int(draw.integers(1, len(prompt) + 1)), len(prompt)}))
            records.append(Record(prompt, tuple(answers), cuts, tuple(len(prompt) + len(a) - 1 for a in answers)))
        else:
            full = tuple(np.concatenate([prompt, a]) for a in answers)
            records.append(Record(prompt[:0], full, (), tuple(0 for _ in full)))
    return records


def probe_is_causal(model):
    from plaudit.models.forward import is_causal

    return is_causal(model)


def alone(model, records):
    """Each full sequence by the family's own forward, one at a time."""
    out = []
    with torch.no_grad():
        before = model.config._attn_implementation
        model.set_attn_implementation("eager")
        for r in records:
            rows = [torch.as_tensor(np.concatenate([r.prompt, a]).astype(np.int64))[None] for a in r.responses]
            out.append(np.array([float(model(input_ids=x).logits[0, 0]) for x in rows]))
        model.set_attn_implementation(before)
    return out


def assert_same(ours, reference):
    for a, b in zip(ours, reference, strict=True):
        np.testing.assert_array_less(np.abs(a - b), 1e-5 * np.maximum(1, np.abs(b)))


@pytest.mark.parametrize("name", FAMILIES)
@examples(12)
@given(seed=st.integers(0, 10**6), budget=st.sampled_from([16, 100, 4096]))
def test_scores_whatever_neighbours_order_and_budget(name, seed, budget):
    model, way = model_of(name)
    draw = np.random.default_rng(seed)
    records = random_records(model, draw, int(draw.integers(1, 6)))
    reference = alone(model, records)
    reader = Reader(model, way)
    assert_same(scores(reader, records, budget=budget), reference)
    order = draw.permutation(len(records))
    assert_same(scores(reader, [records[i] for i in order], budget=4096), [reference[i] for i in order])


def test_bf16_stays_near_fp32():
    model, way = model_of("llama")
    records = random_records(model, np.random.default_rng(11), 6)
    reader = Reader(model, way)
    a = np.concatenate(scores(reader, records, dtype="bfloat16"))
    b = np.concatenate(scores(reader, records))
    assert np.isfinite(a).all()
    assert np.abs(a - b).max() < 0.25 * b.std()


def test_hidden_states_are_the_family_s_own():
    model, _ = model_of("llama")
    records = random_records(model, np.random.default_rng(13), 3)
    (tree,) = plan(records, budget=4096)
    laid = attention.layout(tree)
    with torch.no_grad():
        Reader(model, "tree")
        ours = forward(model, laid, layers=(0, 1, -1))[:, 0]
        means = forward(model, laid, layers=(1,), pools=("mean",))[:, 0]
        early = hidden_states(model, laid, (1,))
        model.set_attn_implementation("eager")
        for r, sequence in enumerate(sequences(tree)):
            own = model.base_model(input_ids=sequence[None], output_hidden_states=True)
            for i, layer in enumerate((0, 1)):
                torch.testing.assert_close(ours[i, r], own.hidden_states[layer][0, -1], atol=2e-5, rtol=1e-4)
            torch.testing.assert_close(ours[2, r], own.last_hidden_state[0, -1], atol=2e-5, rtol=1e-4)
            n = len(records[tree.owner[r]].responses[tree.which[r]])
            torch.testing.assert_close(means[0, r], own.hidden_states[1][0, -n:].mean(0), atol=2e-5, rtol=1e-4)
    assert set(early) == {1}
    assert [len(o) for o in own_tokens(tree)] == [
        len(records[o].responses[w]) for o, w in zip(tree.owner, tree.which, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("window", [0, 6])
def test_flex_attention_sees_what_the_segments_see(window):
    model, _ = model_of("llama")
    (tree,) = plan(random_records(model, np.random.default_rng(17), 3), budget=4096)
    laid = attention.layout(tree)
    total = len(tree.tokens)
    q, k, v = (torch.randn(1, h, total, 16, generator=torch.Generator().manual_seed(h)) for h in (4, 2, 2))
    module = torch.nn.Module()
    folded, _ = attention.attend(module, q, k, v, None, tree=laid, scaling=0.25, sliding_window=window or None)
    mask = flex.block_mask(tree, causal=True, window=window, device=torch.device("cpu"))
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # uncompiled FlexAttention says that it is slow
        flexed = flex.attend(q, k, v, mask, 0.25, 0.0)
    torch.testing.assert_close(flexed, folded, atol=1e-5, rtol=1e-4)


def test_sliding_windows_and_soft_caps_by_hand():
    model, _ = model_of("llama")
    (tree,) = plan(random_records(model, np.random.default_rng(19), 2), budget=4096)
    laid = attention.layout(tree)
    total = len(tree.tokens)
    q, k, v = (torch.randn(1, 2, total, 8, generator=torch.Generator().manual_seed(h)) for h in (1, 2, 3))
    for window, cap in ((5, None), (None, 3.0), (5, 3.0)):
        got, _ = attention.attend(
            torch.nn.Module(), q, k, v, None, tree=laid, scaling=0.5, sliding_window=window, softcap=cap
        )
        related, position = torch.as_tensor(flex.family(tree)), torch.as_tensor(tree.position)
        node = torch.as_tensor(tree.node)
        ahead = position[None] - position[:, None]
        seen = related[node][:, node] & (ahead <= 0)
        if window:
            seen &= ahead > -window
        logits = q @ k.transpose(2, 3) * 0.5
        if cap:
            logits = torch.tanh(logits / cap) * cap
        want = logits.masked_fill(~seen, float("-inf")).softmax(-1) @ v
        torch.testing.assert_close(got, want.transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_what_a_tree_cannot_honour_is_refused():
    model, _ = model_of("llama")
    (tree,) = plan(random_records(model, np.random.default_rng(23), 1), budget=4096)
    q = torch.randn(1, 2, len(tree.tokens), 8)
    for odd in ({"s_aux": torch.ones(2)}, {"position_bias": torch.ones(1)}, {"is_causal": False, "sliding_window": 4}):
        with pytest.raises(attention.Refused):
            attention.attend(torch.nn.Module(), q, q, q, None, tree=attention.layout(tree), **odd)
    with pytest.raises(attention.Refused):
        attention.attend(torch.nn.Module(), q, q, q, None)


def test_a_family_that_ignores_the_interface_falls_back():
    from transformers import DebertaV2Config, DebertaV2ForSequenceClassification

    config = DebertaV2Config(
        vocab_size=120, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=128, pad_token_id=0, num_labels=1, relative_attention=True, pos_att_type=["c2p", "p2c"],
    )  # fmt: skip
    torch.manual_seed(0)
    model = DebertaV2ForSequenceClassification(config).eval()
    verdict = probe(model)
    assert verdict.way == "padded"
    assert "differ" in verdict.reason
    records = random_records(model, np.random.default_rng(29), 4)
    assert_same(scores(Reader(model, verdict.way), records, budget=64), alone(model, records))


def test_biases_that_are_kept_are_bounded_in_bytes(monkeypatch):
    monkeypatch.setattr(folded, "MOST", 1 << 20)
    for keys in range(500, 700):
        made = folded._bias(64, keys, 0, 2)
        assert made.shape == (128, keys)
    assert sum(t.nbytes for t in folded._BIASES.values()) < 2 << 20
