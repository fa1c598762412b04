"""Weights stored in half precision: loaders that are not told otherwise compute in it."""

from plaudit.doctor.findings import Finding, SkipCheck, healthy
from plaudit.doctor.subject import Subject

HALF = {"BF16": "bfloat16", "F16": "float16"}


def diagnose(subject: Subject) -> Finding:
    if not subject.tensors:
        raise SkipCheck("no safetensors file in the folder")
    head = {HALF[d] for d in subject.head_tensors.values() if d in HALF}
    if head:
        return healthy(
            f"its head is stored in {min(head)}: small differences between responses were rounded away for good; keep "
            "the head in float32, and load it with dtype=float32"
        )
    rest = {HALF[d] for d in subject.tensors.values() if d in HALF}
    if rest:
        return healthy(f"weights are stored in {min(rest)}, and transformers computes in it; load with dtype=float32")
    return healthy()
