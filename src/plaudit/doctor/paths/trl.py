"""A reward model named by its path in TRL's GRPO and RLOO: TRL's own loader and template call, then their steps.

Those steps (`GRPOTrainer._calculate_rewards`): the tokenizer's pad token, or else the end mark, is written into the
configuration; texts are padded on the right without special tokens, and `.logits[:, 0]` is the reward.
"""

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from plaudit.doctor.findings import SkipCheck
from plaudit.doctor.reading import BATCH
from plaudit.doctor.subject import Subject
from plaudit.models.backbone import DTYPES
from plaudit.models.quiet import quiet

ADVICE = "TRL's trainers would get another number; check the pad token and the chat template that is saved with it"


@torch.no_grad()
def scores(subject: Subject) -> NDArray:
    if find_spec("trl") is None:
        raise SkipCheck("TRL is not installed; pip install 'plaudit[trl]' to try its loader")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import AutoModelForSequenceClassification as AutoModel

        try:
            from trl.data_utils import apply_chat_template
            from trl.trainer.utils import create_model_from_path
        except ImportError as error:
            raise SkipCheck(f"the TRL that is installed cannot be used: {error}") from error

        kind: Any = AutoModel  # declared as a private base class
        with quiet():
            model: Any = create_model_from_path(
                subject.of_others(), kind, num_labels=1, dtype=DTYPES[subject.dtype], use_safetensors=subject.safe,
                device_map=None, **subject.trust,
            )  # fmt: skip
    model = model.to(subject.device).eval()
    tokenizer = subject.plain_tokenizer()
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    sample = subject.sample
    texts = [  # TRL never cuts: a conversation that had to be cut is handed over as text
        apply_chat_template({"messages": turns}, tokenizer)["text"] if whole else text
        for turns, text, whole in zip(sample.sequences, sample.texts, sample.whole, strict=True)
    ]
    found = []
    for start in range(0, len(texts), BATCH):
        batch = tokenizer(
            text=texts[start : start + BATCH], return_tensors="pt", padding=True, padding_side="right",
            add_special_tokens=False,
        )  # fmt: skip
        found.append(model(**batch.to(model.device)).logits[:, 0].double().cpu())
    return np.concatenate(found)
