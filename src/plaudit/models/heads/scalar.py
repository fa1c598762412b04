"""One number per read point, from the family's own classification head.

Hidden states [R, H] -> scores [R] (or [R, K] for K attributes), in float32. The last product is a row-wise sum, so
that a score has the same bits whatever stands in the other rows. Decoders have one linear map (`score`); BERT-like
encoders put a pooler or a dense layer before it, and dropout where the configuration asks for it.
"""

from typing import Any

import torch
from torch import Tensor, nn


def plain(module: Any) -> Any:
    """The module that computes: of a peft `modules_to_save` wrapper the trained copy."""
    saved = getattr(module, "modules_to_save", None)
    if saved is not None and getattr(module, "active_adapters", None):
        return saved[module.active_adapters[0]]
    return module


def last_layer(model: Any) -> nn.Linear:
    """The linear layer whose output is the score: `score` in decoders, `classifier` (or its out_proj) in encoders."""
    for name in ("score", "classifier"):
        found = plain(getattr(model, name, None)) if hasattr(model, name) else None
        if isinstance(found, nn.Linear):
            return found
        if found is not None:
            inner = [m for m in found.modules() if isinstance(m, nn.Linear)]
            if inner:
                return inner[-1]
    raise NotImplementedError(f"{type(model).__name__} has no linear layer named score or classifier")


def _before(model: Any, hidden: Tensor) -> Tensor:
    """What the family does between its trunk and its last linear layer, at the read points: [R, H] -> [R, H]."""
    base = model.base_model
    pooler = getattr(base, "pooler", None)
    head = plain(model.classifier) if hasattr(model, "classifier") else None
    if head is not None and not isinstance(head, nn.Linear):  # RoBERTa: dense, tanh inside the classifier
        return torch.tanh(head.dense(head.dropout(hidden))) if hasattr(head, "dense") else hidden
    if hasattr(model, "pre_classifier"):  # DistilBERT
        return model.dropout(torch.relu(model.pre_classifier(hidden)))
    if hasattr(model, "head") and hasattr(model.head, "dense"):  # ModernBERT
        return model.drop(model.head(hidden))
    if pooler is not None and head is not None:  # BERT
        hidden = pooler(hidden[:, None])
    return model.dropout(hidden) if head is not None and hasattr(model, "dropout") else hidden


def vectors(model: Any, hidden: Tensor) -> Tensor:
    """What the last linear layer reads at the read points: hidden [R, H] -> float32 [R, H]."""
    with torch.autocast(hidden.device.type, enabled=False):
        return _before(model, hidden.to(last_layer(model).weight.dtype)).float()


def product(model: Any, read: Tensor) -> Tensor:
    """The last linear layer, row by row: float32 [..., H] -> [...], or [..., K] when the model has K labels."""
    layer = last_layer(model)
    with torch.autocast(read.device.type, enabled=False):
        weight = layer.weight.float()
        out = torch.stack([(read * row).sum(-1) for row in weight], -1)  # [R, K]
        if layer.bias is not None:
            out = out + layer.bias.float()
    return out[..., 0] if len(weight) == 1 else out


def score(model: Any, hidden: Tensor) -> Tensor:
    """Scores of read points: hidden [R, H] -> float32 [R], or [R, K] when the model has K labels.

    Args:
        model: a transformers `...ForSequenceClassification`, never a wrapper around it.
    """
    return product(model, vectors(model, hidden))
