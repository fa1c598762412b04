"""The class in config.json: engines choose by its name what a checkpoint is for."""

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    if subject.adapter:
        raise SkipCheck("a folder of adapters names no class; see `adapter`")
    named = subject.raw_config.get("architectures") or []
    if not named:
        return broken(f"config.json names no class, so engines cannot tell that it scores; {subject.anew} names it")
    if named[0].endswith(("RewardModel", "ForRewardModeling")):
        return broken(
            f"the class is named {named[0]}: vLLM takes such names for embedding models; {subject.anew} saves it as "
            "...ForSequenceClassification"
        )
    if not named[0].endswith("ForSequenceClassification"):
        return broken(f"it says that it is a {named[0]}: serving engines will not score with it; {_way_out(subject)}")
    own = "it brings code of its own, which others must trust" if subject.raw_config.get("auto_map") else ""
    return healthy(own)


def _way_out(subject: Subject) -> str:
    if subject.loaded is not None and subject.loaded.head == "fresh":
        return "it has no scoring head either: train one"
    return f"{subject.anew} saves it as ...ForSequenceClassification"
