"""LoRA adapters: saved without their head, or left for others to merge."""

import json

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject

HEADS = {"score", "classifier"}


def diagnose(subject: Subject) -> Finding:
    path = subject.folder / "adapter_config.json"
    if not path.is_file():
        raise SkipCheck("no adapters in the folder")
    if not subject.adapter:
        return broken(
            "the folder holds both a model and adapters: some loaders read the one, some the other; move the adapters "
            "into a folder of their own"
        )
    config = json.loads(path.read_text(encoding="utf-8"))
    saved = set(config.get("modules_to_save") or ())
    if not subject.head_tensors:
        kind = config.get("task_type")
        return broken(
            f"the adapters came without their head (task_type {kind}, modules_to_save {sorted(saved) or 'empty'}): it "
            'was not saved and cannot be had back; train again with task_type="SEQ_CLS"'
        )
    if config.get("task_type") != "SEQ_CLS" or not saved & HEADS:
        return broken(
            "the adapters hold a head that their config does not name, so peft leaves it out when it loads them; "
            f'{subject.anew} merges them with it, or set task_type to "SEQ_CLS" and name the head in modules_to_save'
        )
    return healthy(f"only peft's users can load adapters as they are; {subject.anew} merges them into a whole model")
