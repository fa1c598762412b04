"""Heads in other tools' files: LLaMA-Factory's `value_head.*`, TRL's old `v_head.*`, a `value_head` prefix."""

from plaudit.doctor.findings import Finding, broken, healthy
from plaudit.doctor.subject import Subject

FILES = ("value_head.safetensors", "value_head.bin")


def diagnose(subject: Subject) -> Finding:
    files = [name for name in FILES if (subject.folder / name).is_file()]
    inside = [n for n in subject.tensors if n.startswith(("v_head.", "value_head."))]
    imported = subject.loaded is not None and subject.loaded.head == "imported"
    if imported:
        return broken(
            f"its head lies in {files[0]}: plaudit has read it, but transformers, TRL and vLLM draw a random one "
            f"instead; {subject.anew} writes it where everybody looks"
        )
    if files and subject.loaded is not None and subject.loaded.head == "found":
        return healthy(f"{files[0]} is ignored, since the model's own files hold a head; remove it")
    if files:
        return broken(f"its head lies in {files[0]}, which could not be read: {subject.refusal or 'see `loads`'}")
    if inside:
        return broken(
            f"its head is stored as {inside[0]}, which transformers does not read: it draws a random one; rename the "
            "tensor to score.weight and give config.json one label"
        )
    return healthy()
