"""How the doctor's tests make checkpoints, and make them ill."""

import json
import shutil
from functools import wraps

import torch
from transformers import LlamaForSequenceClassification as Llama

from plaudit import folders
from plaudit.models import checkpoint, template
from plaudit.models.backbone import load_backbone
from plaudit.models.heads.scalar import last_layer

SHORT = 160  # tokens of the longest conversation, to be quick


def saved(folder, model, tokenizer, facts=None, *, scale=1.0):
    """A sealed checkpoint of that model, as `train` writes it, with a head that is no first draw."""
    template.adopt(tokenizer, encoder=tokenizer.cls_token is not None)
    with torch.no_grad():
        weight = last_layer(model).weight
        weight.copy_(scale * torch.randn(weight.shape, generator=torch.Generator().manual_seed(7)))
    with folders.publish(folder) as part:
        checkpoint.save(part, model, tokenizer, facts or {})
    policy = load_backbone(folder).policy
    shutil.rmtree(folder)
    with folders.publish(folder) as part:
        checkpoint.save(part, model, tokenizer, {"policy": policy.facts(), **(facts or {})})
    return folder


def rewrite(path, **values):
    """Change keys of a JSON file; None removes one."""
    document = json.loads(path.read_text())
    document.update(values)
    path.write_text(json.dumps({k: v for k, v in document.items() if v is not None}))


def swayed(monkeypatch, by):
    """Llama's numbers, moved by the company they are read in: `by(ids, mask)` is added to a padded batch's."""
    steady = Llama.forward

    @wraps(steady)
    def forward(self, input_ids, attention_mask=None, **more):
        found = steady(self, input_ids=input_ids, attention_mask=attention_mask, **more)
        if attention_mask is not None:
            found.logits = found.logits + by(input_ids, attention_mask)[:, None]
        return found

    monkeypatch.setattr(Llama, "forward", forward)
