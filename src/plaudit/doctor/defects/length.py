"""Length: what the tokenizer thinks the model takes, what it does take, and what it was trained with."""

import json

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject
from plaudit.models.forward import first_position

FOREVER = 1 << 30  # tokenizers that know no limit say about 1e30


def diagnose(subject: Subject) -> Finding:
    if subject.tokenizer is None or subject.loaded is None:
        raise SkipCheck("see `loads`")
    says, policy = subject.tokenizer.model_max_length, subject.loaded.policy
    config = subject.loaded.model.config.get_text_config()
    takes = getattr(config, "max_position_embeddings", None) or getattr(config, "n_positions", None) or FOREVER
    takes -= first_position(subject.loaded.model)
    trained = subject.facts.get("policy", {}).get("max_length", 0)
    if trained and min(says, takes) < trained:
        return broken(
            f"it was trained with {trained} tokens, and {'its tokenizer' if says < trained else 'its config'} says "
            f"{min(says, takes)}: others cut what was not cut in training; set model_max_length back"
        )
    if takes < says < FOREVER:
        return healthy(f"its tokenizer allows {says} tokens, the model takes {takes}; set model_max_length to {takes}")
    cut = _cut(subject)
    if cut and cut < policy.max_length:
        return healthy(
            f"tokenizer.json carries a truncation to {cut} tokens, which engines that read that file alone obey: it "
            "cuts responses; remove it"
        )
    return healthy()


def _cut(subject: Subject) -> int:
    """The truncation written inside tokenizer.json; transformers ignores it, others do not. 0 when there is none."""
    path = subject.folder / "tokenizer.json"
    if not path.is_file():
        return 0
    truncation = json.loads(path.read_text(encoding="utf-8")).get("truncation")
    return int(truncation["max_length"]) if truncation else 0
