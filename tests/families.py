"""Random little models of the families that plaudit is tried on, with tokenizers of their own."""

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    Gemma2Config,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    RobertaConfig,
)  # fmt: skip

from plaudit.models.embedded import tiny

FAMILIES = ("llama", "qwen2", "gemma2", "gpt2", "bert")
ENCODERS = ("bert", "roberta")
SIZE = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}


def wordpieces() -> PreTrainedTokenizerFast:
    """A lower-case WordPiece tokenizer with BERT's marks and no chat template."""
    bare = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bare.normalizer = normalizers.BertNormalizer()
    bare.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    bare.train_from_iterator(
        [tiny.PARAGRAPH, " ".join("abcdefghijklmnopqrstuvwxyz0123456789.,!?'")],
        trainers.WordPieceTrainer(vocab_size=400, special_tokens=specials, show_progress=False),
    )
    marks = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=bare, mask_token="[MASK]", model_max_length=512, **marks)


def config(name: str, tokenizer: PreTrainedTokenizerFast):
    """The family's configuration: two layers, width 32, one label, no dropout."""
    shared = {
        "vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": None, "num_labels": 1, "problem_type": "regression", "initializer_range": 0.2,
    }  # fmt: skip
    if name == "gpt2":
        off = dict.fromkeys(["resid_pdrop", "embd_pdrop", "attn_pdrop"], 0.0)
        return GPT2Config(**shared, **off, n_embd=32, n_layer=2, n_head=4, n_positions=512)
    if name in ENCODERS:
        off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        family = BertConfig if name == "bert" else RobertaConfig
        return family(**shared, **SIZE, **off, max_position_embeddings=512)
    kinds = {"llama": LlamaConfig, "qwen2": Qwen2Config, "gemma2": Gemma2Config}
    more = {"head_dim": 8} if name == "gemma2" else {}
    heads = {"num_key_value_heads": 2, "max_position_embeddings": 512}
    return kinds[name](**shared, **SIZE, **heads, **more)


def tiny_family(name: str, seed: int = 0):
    """(model, tokenizer) of a family: llama, qwen2, gemma2, gpt2, bert or roberta; random weights, in eval mode."""
    tokenizer = wordpieces() if name in ENCODERS else tiny.tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_config(config(name, tokenizer))
    return model.eval(), tokenizer
