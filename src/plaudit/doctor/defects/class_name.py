"""The class in config.json: engines choose by its name what a checkpoint is for."""

from plaudit.doctor.findings import Finding, SkipCheck, broken, healthy
from plaudit.doctor.subject import Subject


def diagnose(subject: Subject) -> Finding:
    if subject.adapter:
        raise SkipCheck("a folder of adapters names no class; see `adapter`")
    named = subject.raw_config.get("architectures") or []
    if not named:
        return broken('config.json names no class; set "architectures" to the ...ForSequenceClassification it is')
    if named[0].endswith(("RewardModel", "ForRewardModeling")):
        return broken(
            f"the class is named {named[0]}: vLLM takes such names for embedding models; save it as "
            "...ForSequenceClassification (loading and saving it with plaudit does)"
        )
    if not named[0].endswith("ForSequenceClassification"):
        return broken(f"it says that it is a {named[0]}: serving engines will not score with it; save it with plaudit")
    own = "it brings code of its own, which others must trust" if subject.raw_config.get("auto_map") else ""
    return healthy(own)
