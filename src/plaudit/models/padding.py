"""A pad token that is not the end mark, in tokenizer and configuration.

transformers reads the rightmost token that is not the pad id, whatever the attention mask says. With pad = eos the end
mark is never read, and engines that read the last token give another number.
"""

from typing import Any

import torch

KNOWN = (
    "<pad>",
    "[PAD]",
    "<|pad|>",
    "<|padding|>",
    "<pad_token>",
    "<|finetune_right_pad_id|>",
    "<|endoftext|>",
    "<unk>",
)
ADDED = "<|pad|>"


def settle_padding(model: Any, tokenizer: Any, *, trained: bool) -> list[str]:
    """Make pad and end mark distinct; a trained head keeps the pad it was trained with. Returns what was done or found.

    A checkpoint whose pad equals its end mark is left as it is, since another pad would change its scores.
    """
    tokenizer.padding_side = "right"
    config, notes = model.config.get_text_config(), []
    own, eos = config.pad_token_id, tokenizer.eos_token_id
    if trained and own is not None:
        if 0 <= own < len(tokenizer) and own != tokenizer.pad_token_id:
            tokenizer.pad_token = tokenizer.convert_ids_to_tokens(own)
        if own == eos:
            notes.append(
                "pad and end mark are the same token, so the end mark is never read; kept, or scores would change"
            )
    elif tokenizer.pad_token_id is None or tokenizer.pad_token_id == eos:
        notes.append(_choose(model, tokenizer))
    pad = own if trained and own is not None else tokenizer.pad_token_id
    for part in (model.config, config):
        part.pad_token_id = pad
    _make_room(model, pad)
    return notes


def _choose(model: Any, tokenizer: Any) -> str:
    """Take a special token that no text uses, or add one."""
    taken = {tokenizer.eos_token_id, tokenizer.bos_token_id}
    vocabulary = tokenizer.get_vocab()
    for token in KNOWN:
        if token in vocabulary and vocabulary[token] not in taken:
            tokenizer.pad_token = token
            return f"pad was missing or the end mark; now {token}"
    tokenizer.add_special_tokens({"pad_token": ADDED})
    return f"pad was missing or the end mark; {ADDED} was added to the vocabulary"


def _make_room(model: Any, pad: int | None) -> None:
    """A row of the embedding for a pad token that was added, here or in the training of adapters."""
    embedding = model.get_input_embeddings().weight
    if pad is None or pad < len(embedding):
        return
    row = embedding.detach().mean(0)
    model.resize_token_embeddings(pad + 1, mean_resizing=False)
    with torch.no_grad():
        model.get_input_embeddings().weight[len(embedding) :] = row  # padding is never read: any value will do
