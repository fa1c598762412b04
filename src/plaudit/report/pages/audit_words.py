"""What an audit says in words: the headline, three numbers, what verdicts mean, and the commands to run next."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plaudit.report.pages.audit_apart import apart
from plaudit.report.pages.frame import NAME, share, visible

MEANING = {
    "wrong": "the committee clearly prefers the rejected response",
    "ambiguous": "it could go either way",
    "normal": "the label is probably right",
    "strong": "the label is clear",
}
STATUS = {"warn": "act on it", "note": "worth knowing", "ok": "fine", "skip": "not checked"}
FEW = 50  # comparisons below which more rows say more than a larger model


@dataclass(frozen=True)
class Summary:
    """The top of the page: `title`, `text` in a few sentences, `numbers` (figure, what it is, small print)."""

    title: str
    text: tuple[str, ...]
    numbers: tuple[tuple[str, str, str], ...]


def voter(found: Mapping[str, Any]) -> str:
    """Who voted: the committee, or what `--scorer` named.

    >>> voter({"voters": {"scorer": "rm"}, "members": [1]}), voter({"voters": {"scorer": ""}, "members": [1, 2]})
    ('the scorer', 'the committee')
    """
    if not found["voters"]["scorer"]:
        return "the committee"
    return "the scorer" if len(found["members"]) == 1 else "the panel"


def better(found: Mapping[str, Any]) -> str:
    """What may vote better."""
    return "other scorers" if found["voters"]["scorer"] else "a stronger --model"


def seen(found: Mapping[str, Any]) -> bool:
    """May the votes have learned the labels they are held against?"""
    return not found["folds"]


def summary(found: Mapping[str, Any], expected: float | None) -> Summary:
    """`expected`: mean p_disagree of the comparisons that look wrong, None when there are none."""
    n, verdicts, held = found["rows"]["comparisons"], found["verdicts"], found["accuracy"]
    numbers = (
        (share(verdicts["wrong"] / max(n, 1)), "look wrong", f"{verdicts['wrong']:,} of {counted(n, 'comparison')}"),
        (share(verdicts["ambiguous"] / max(n, 1)), "could go either way", counted(verdicts["ambiguous"], "comparison")),
        (share(held["score"]), f"agreement of {voter(found).removeprefix('the ')} and labels", _interval(found)),
    )
    if held["score"] is None or n == 0:
        return Summary(
            "No label could be judged", ("Nothing here was compared, or every comparison is a tie.",), numbers
        )
    if blind(found):
        return Summary("This committee cannot judge these labels", _blind(found), numbers)
    wrong = verdicts["wrong"]
    title = f"{numbers[0][0]} of these labels look wrong" if wrong else "No label stands out as wrong"
    if wrong and seen(found):
        title += f" to {_whom(found)}, which may have learned them"
    elif wrong and mere_length(found):
        title += ", perhaps only by their length"
    elif behind(found) or near_length(found):
        title += f"; {voter(found)} is {'behind' if behind(found) else 'not surely ahead of'} length alone"
    return Summary(title, _verdict(found, expected), numbers)


def blind(found: Mapping[str, Any]) -> bool:
    """Is the committee no better than a coin on labels it never saw?"""
    held = found["accuracy"]
    return bool(found["folds"]) and held["low"] is not None and held["low"] <= 0.5


def mere_length(found: Mapping[str, Any]) -> bool:
    """Do the votes follow length without being surely better than it?"""
    return bool((found.get("length") or {}).get("mere"))


def side(length: Mapping[str, Any]) -> str:
    """Which response length alone takes.

    >>> side({"prefers": "longer", "otherwise": []}), side({"prefers": "longer", "otherwise": ["b.jsonl"]})
    ('longer', 'longer, or in b.jsonl the shorter,')
    """
    files, prefers = length.get("otherwise") or [], length["prefers"]
    if not files:
        return prefers
    more = f" and {len(files) - 3} more" if len(files) > 3 else ""
    where = ", ".join(visible(file, NAME) for file in files[:3]) + more
    return f"{prefers}, or in {where} the {'shorter' if prefers == 'longer' else 'longer'},"


def near_length(found: Mapping[str, Any]) -> bool:
    """Do the votes not follow length, and can yet not be told apart from it?"""
    length = found.get("length") or {}
    return length.get("ahead") is not None and length["low"] <= 0 <= length["high"] and not mere_length(found)


def behind(found: Mapping[str, Any]) -> bool:
    """Do the votes not follow length, and is length alone surely better?"""
    length = found.get("length") or {}
    return length.get("ahead") is not None and length["high"] < 0 and not mere_length(found)


def lead(length: Mapping[str, Any]) -> str:
    """How far the votes are ahead of length alone, or behind it.

    >>> lead({"ahead": 0.05, "low": 0.01, "high": 0.09}), lead({"ahead": -0.05, "low": -0.09, "high": -0.01})
    ('ahead by +5.0 points (+1.0 to +9.0)', 'behind: -5.0 points (-9.0 to -1.0)')
    """
    gap, low, high = (f"{100 * length[k]:+.1f}" for k in ("ahead", "low", "high"))
    return (
        f"ahead by {gap} points ({low} to {high})"
        if length["ahead"] >= 0
        else f"behind: {gap} points ({low} to {high})"
    )


def coin(held: Mapping[str, Any]) -> str:
    """What to say of an accuracy whose interval is not above one half.

    >>> coin({"low": 0.46, "high": 0.55}), coin({"low": 0.1, "high": 0.45})
    ('it cannot be told from a coin', 'that is worse than a coin: what it learned from the other rows misleads it here')
    """
    if held["high"] < 0.5:
        return "that is worse than a coin: what it learned from the other rows misleads it here"
    return "it cannot be told from a coin"


def few(found: Mapping[str, Any]) -> bool:
    """Are there so few comparisons with a winner, or prompts, that more rows come before anything else?"""
    return 0 < found["accuracy"]["n"] < FEW or bool(unlearned(found))


def unlearned(found: Mapping[str, Any]) -> str:
    """Why no member could learn from any other prompt; empty where members could.

    >>> unlearned({"folds": 1, "rows": {"groups": 1}})
    'all comparisons are of one prompt, and every member learns from other prompts only: none could learn anything'
    """
    if found["folds"] != 1:
        return ""
    n = found["rows"]["groups"]
    whose = "are of one prompt" if n == 1 else f"are of {n} prompts, which fell into one fold"
    return f"all comparisons {whose}, and every member learns from other prompts only: none could learn anything"


def counted(n: int, what: str) -> str:
    """A number with its noun: `counted(1, "fold")` is 1 fold."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def ties(found: Mapping[str, Any]) -> str:
    """What to add to a number of comparisons from which ties were left out.

    >>> ties({"rows": {"ties": 8}}), ties({"rows": {"ties": 0}})
    (' (8 ties left out)', '')
    """
    n = found["rows"]["ties"]
    return f" ({counted(n, 'tie')} left out)" if n else ""


def _interval(found: Mapping[str, Any]) -> str:
    held = found["accuracy"]
    between = f"95 % interval {share(held['low'])} to {share(held['high'])}; "
    return between + ("a lower bound of what is reachable" if found["folds"] else "it may have seen these labels")


def _verdict(found: Mapping[str, Any], expected: float | None) -> tuple[str, ...]:
    n, verdicts = found["rows"]["comparisons"], found["verdicts"]
    fair = ", each only on rows it had not learned from" if found["folds"] else ""
    first = f"{models(found)} voted on {_all(n)}{fair}."
    if verdicts["wrong"]:
        first += (
            f" On {verdicts['wrong']:,} of them {voter(found)} clearly sides with the rejected response; its chance of "
            f"the other side is {share(expected or 0)} there on average."
        )
    rest = (
        f"Another {verdicts['ambiguous']:,} could go either way; {verdicts['strong']:,} "
        f"({share(verdicts['strong'] / max(n, 1))}) are clear."
    )
    return tuple(s for s in (first, f"{rest} {_trust(found)}", apart(found), _length(found)) if s)


def _length(found: Mapping[str, Any]) -> str:
    """Whether the votes are more than length, and what to do if not; empty where nobody measured it."""
    if not (text := _beside_length(found)):
        return ""
    doubt = " Not surely more than length: what it calls wrong may only be short or long." if mere_length(found) else ""
    if behind(found):
        doubt = f" Length alone is better: do not act on these verdicts; bring more rows or {better(found)}."
    elif near_length(found):
        doubt = (
            " Not surely ahead of length alone: "
            f"from {counted(found['accuracy']['n'], 'comparison')} the two cannot be told apart. "
            "Look at the pairs, or bring more rows, before you act."
        )
    return f"{text}{doubt}"


def _beside_length(found: Mapping[str, Any]) -> str:
    """What length alone gets, and the votes beside it; empty where nobody measured it."""
    length = found.get("length") or {}
    if length.get("ahead") is None:
        return ""
    sides = f" and votes for the {side(length)} one in {share(length['sides'])}" if length["sides"] is not None else ""
    return (
        f"Is it just length? The {side(length)} response alone agrees with {share(length['score'])} of the "
        f"labels; {voter(found)} is {lead(length)}{sides}."
    )


def models(found: Mapping[str, Any]) -> str:
    """Who voted, at the start of a sentence."""
    count, scorer = len(found["members"]), found["voters"]["scorer"]
    if scorer:
        given = len([name for name in scorer.split(",") if name.strip()])
        if count == 1:
            return f"The scorer {_name(scorer)}"
        return f"A panel of {count} given scorers" if given == count else f"A panel of {count} members of given scorers"
    return "One reward model" if count == 1 else f"A committee of {count} reward models"


def _whom(found: Mapping[str, Any]) -> str:
    scorer = found["voters"]["scorer"]
    return f"the scorer {_name(scorer)}" if scorer and len(found["members"]) == 1 else voter(found)


def _name(scorer: str) -> str:
    """A scorer without the folders above it, which are a matter of one machine."""
    return visible("/".join(scorer.replace("\\", "/").rstrip("/").split("/")[-2:]), NAME)


def _all(n: int) -> str:
    return "the one comparison" if n == 1 else f"all {n:,} comparisons"


def _trust(found: Mapping[str, Any]) -> str:
    held = found["accuracy"]
    if not found["folds"]:
        return (
            f"It agrees with {share(held['score'])} of the labels, but it may have learned from them, and a wrong "
            "label that was learned looks right: no rate of wrong labels can be told from such votes."
        )
    return (
        f"How far to trust it: it agrees with {share(held['score'])} of labels it never saw, "
        "so it knows something of what the annotators wanted, not everything: look at the pairs below before you act."
    )


def _blind(found: Mapping[str, Any]) -> tuple[str, ...]:
    held = found["accuracy"]
    said = (
        f"{models(found)} voted on {_all(found['rows']['comparisons'])}, each only on rows it had not "
        f"learned from, and agrees with {share(held['score'])} of the labels ({share(held['low'])} to "
        f"{share(held['high'])}): {'worse' if held['high'] < 0.5 else 'not surely better'} than a coin.",
        f"{_sentence(unlearned(found))}Its verdicts say little about single rows. {_cure(found)}; the checks without a "
        "model, further down, hold as they are.",
        _beside_length(found),
    )
    return tuple(text for text in said if text)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}. " if words else ""


def _cure(found: Mapping[str, Any]) -> str:
    if unlearned(found):
        return "Bring rows of other prompts"
    if few(found):
        return (
            f"There is little to learn from in {counted(found['accuracy']['n'], 'comparison')}: bring more rows first"
        )
    return "Bring more rows or other scorers" if found["voters"]["scorer"] else "Try a stronger model or more rows"


def limits(found: Mapping[str, Any]) -> dict[str, str]:
    """Where each verdict begins, in words."""
    t = found["thresholds"]
    return {
        "wrong": f"p_disagree {t['wrong']:g} or more",
        "ambiguous": f"{t['ambiguous']:g} up to {t['wrong']:g}",
        "normal": f"above {t['strong']:g}, below {t['ambiguous']:g}",
        "strong": f"{t['strong']:g} or less",
    }


def alike(mean: float, members: int) -> str:
    """What the members' likeness means for the spread."""
    if members < 2:
        return "One member has nobody to differ from: its spread is 0 and says nothing."
    says = (
        "they vote almost like one model, so the spread says little" if mean >= 0.95
        else "they agree on the whole and differ enough for the spread to mean something" if mean >= 0.5
        else "they differ much: single members are unsure, their mean is what counts"
    )  # fmt: skip
    return f"Votes of two members correlate by {mean:.2f} on average; 1 would be copies of one model: {says}."


def agreed(checks: Mapping[str, Mapping[str, Any]]) -> str:
    """What annotators who judged the same pairs say of the reachable accuracy; empty when there are none."""
    check = checks.get("reachable", {})
    return str(check["text"]) if check.get("value", {}).get("one_more_person") else ""


def company(found: Mapping[str, Any]) -> str:
    """The scorers that need no model, beside the committee: length on the rows it voted on, where that was measured."""
    length = found.get("length") or {}
    if length.get("score") is not None:
        return (
            f"For comparison: the {side(length)} response alone agrees with {share(length['score'])}, a coin with 50 %."
        )
    value = found["data_checks"].get("skews", {}).get("value", {})
    alone, knowing = value.get("length_only"), value.get("length_only_by_file")
    if not alone:
        return ""
    more = f" ({share(knowing)} where it may choose by file)" if knowing and knowing > max(alone, 1 - alone) else ""
    return f"For comparison: the longer response alone agrees with {share(alone)}{more}, a coin with 50 %."


def top(found: Mapping[str, Any]) -> str:
    """How far influence and committee suspect the same comparisons.

    >>> top({"n": 30, "shared": 11, "by_chance": 1.5})
    'of the 30 that do most harm 11 are also among the 30 most doubtful (1.5 by chance)'
    """
    n = found["n"]
    return (
        f"of the {n:,} that do most harm {found['shared']:,} are also among the {n:,} most doubtful "
        f"({found['by_chance']:.1f} by chance)"
    )


def offer(penalty: float | None, written: float) -> str:
    """A line of the table of fair weights.

    >>> offer(None, 1.0), offer(1.0, 1.0), offer(10.0, 1.0)
    ('no weights', 'penalty 1 (column fair_weight)', 'penalty 10')
    """
    if penalty is None:
        return "no weights"
    return f"penalty {penalty:g}" + (" (column fair_weight)" if penalty == written else "")


def fair_notes(fair: Mapping[str, Any]) -> list[str]:
    """What a reader of that table must know: who is not in it, and why."""
    out = []
    left = [f"{visible(group, NAME)} (in {n} of {fair['folds']} folds)" for group, n in fair["left_out"].items()]
    if left:
        more = f" and {len(left) - 12} more" if len(left) > 12 else ""
        out.append(
            f"Left out where fewer than {fair['fewest']} comparisons were at hand: {', '.join(left[:12])}{more}."
        )
    if fair["unnamed"]:
        out.append(f"{fair['unnamed']:,} comparisons do not say to which group they belong; they count over all only.")
    if not fair["offers"]:
        out.append("A look at groups before and after takes three folds or more: one that judges, one that makes the "
                   "weights, one that is learned from.")  # fmt: skip
    return out


def noise_of(model: str, by: str) -> str:
    """Whose probability of a wrong label is meant.

    >>> noise_of("uniform", ""), noise_of("group", "tag:topic")
    ('for all rows', 'per value of the tag topic')
    """
    if model == "uniform":
        return "for all rows"
    return (
        f"per value of the tag {visible(by[4:], NAME)}"
        if by.startswith("tag:")
        else f"per {visible(by or model, NAME)}"
    )
