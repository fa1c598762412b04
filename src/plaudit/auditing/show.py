"""The audit on the screen: verdicts, deciles, what the data checks found, and the command to run next."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from plaudit.auditing.influence_show import show_influence
from plaudit.data.findings import Finding
from plaudit.report import terminal
from plaudit.report.pages import audit_commands as commands
from plaudit.report.pages import audit_words as words
from plaudit.report.pages.audit_apart import apart

NAMES, REASONS = 10, 3  # rates of wrong labels by name, and reasons why rows were left out, that are shown
MARK = {"warn": "!", "note": "·", "ok": "ok", "skip": "-"}


def show(found: Mapping[str, Any], files: Sequence[str], output_dir: str, against: str = "") -> None:
    """Print the summary; tables on stdout, what to do next on stderr. `files` and `against` are as the user named
    them: audit.json knows no folder of a machine.
    """
    rows, verdicts = found["rows"], found["verdicts"]
    total = max(rows["comparisons"], 1)
    limits = found["thresholds"]
    says = {
        "wrong": f"p_disagree from {limits['wrong']:g}", "ambiguous": f"from {limits['ambiguous']:g}",
        "normal": f"above {limits['strong']:g}", "strong": f"up to {limits['strong']:g}",
    }  # fmt: skip
    terminal.table(
        f"{words.counted(rows['comparisons'], 'comparison')}{_tied(rows['ties'])}, {_voters(found)}, {_folds(found)}",
        ["verdict", "comparisons", "share", "where it begins"],
        [(name, n, n / total, says[name]) for name, n in verdicts.items()],
    )
    columns = ["decile", "comparisons", "mean margin", "spread", "p_disagree", "longer wins"]
    terminal.table(
        "by strength", columns,
        [(d["decile"], d["n"], d["mean"], d["std"], d["p_disagree"], d["longer"]) for d in found["deciles"]],
    )  # fmt: skip
    if found["influence"]:
        show_influence(found["influence"])
    _notes(found)
    terminal.note(f"report: {output_dir}/report.html")
    _next(found, files, output_dir, against)


def show_checks(findings: Sequence[Finding]) -> None:
    """Print what needs no model; what was not checked, too, with the reason."""
    rows = [(MARK[f.status], f.name.replace("_", " "), f.text) for f in findings]
    terminal.table("checks without a model", ["", "check", "finding"], rows)


def _next(found: Mapping[str, Any], files: Sequence[str], output_dir: str, against: str) -> None:
    """The command to run next; where the verdicts are not to be acted on, a stronger committee goes first."""
    if against:
        found = {**found, "options": {**found["options"], "against": against}}
    one = files[0] if len(files) == 1 and not Path(files[0]).is_dir() else ""
    names = list(found["sources"]) if any(Path(file).is_dir() for file in files) else files
    how = commands.way(found, one, names)
    repair = f"plaudit repair {how.file}{how.reading} --audit {quote(output_dir)}{how.pairs} --output repaired{how.end}"
    repair = f"{how.first} && {repair}" if how.first else repair
    everything, beside = " ".join(map(quote, files)), output_dir.rstrip("/\\")
    if commands.doubtful(found):
        terminal.note(f"next: {commands.stronger(found, everything, quote(f'{beside}-stronger'))}")
    elif words.few(found):
        terminal.note(f"next: bring more rows: {commands.more(found, everything, quote(f'{beside}-more'))}")
    elif words.behind(found) or words.near_length(found):
        terminal.note("next: look at the pairs in the report, or bring more rows")
    else:
        terminal.note(f"next: {repair}")
        return
    terminal.note(f"or, if the pairs in the report convince you: {repair}")


def _length(found: Mapping[str, Any]) -> None:
    length = found["length"]
    side = words.side(length)
    sides = "" if length["sides"] is None else f"; it votes for the {side} one in {length['sides']:.1%}"
    terminal.note(
        f"the {side} response alone agrees with {length['score']:.1%}; {words.voter(found)} is "
        f"{words.lead(length)}{sides}"
    )
    if words.behind(found):
        more = words.better(found)
        terminal.note(f"length alone is better than these votes: do not act on them; bring more rows or {more}")
    elif words.near_length(found):
        terminal.note(
            "that is not surely ahead of length alone: "
            f"from {words.counted(found['accuracy']['n'], 'comparison')} the two cannot be told apart; "
            "look at the pairs before you act, or bring more rows"
        )
    if length["mere"]:
        terminal.note(
            "that is not surely more than length: what it calls wrong may only be short or long; "
            "look at the pairs before you act, or bring a stronger --model"
        )


def _rates(noise: Mapping[str, Any]) -> None:
    """The rate of wrong labels by name, the largest first; of many names only those that the votes can tell."""
    by = terminal.clean(f"{noise['model']} noise" if not noise.get("by") else f"by {noise['by']}")
    rates = sorted(noise.get("rates", {}).items(), key=lambda row: -row[1]["rate"] if row[1]["identified"] else 1)
    told = [row for row in rates if row[1]["identified"]]
    shown = rates if len(rates) <= NAMES else told[:NAMES]
    for name, rate in shown:
        span = f"{rate['low']:.1%} to {rate['high']:.1%}"
        text = f"{rate['rate']:.1%} of labels wrong ({span})" if rate["identified"] else f"somewhere in {span}"
        terminal.note(f"rate of wrong labels, {by}: {terminal.clean(name, 80)}: {text}")
    if more := len(rates) - len(shown):
        untold = f" ({len(rates) - len(told):,} of them cannot be told)" if len(told) < len(rates) else ""
        terminal.note(f"rate of wrong labels, {by}: and {more:,} more{untold}: see audit.json")


def _voters(found: Mapping[str, Any]) -> str:
    count, given = len(found["members"]), [name for name in found["voters"]["scorer"].split(",") if name.strip()]
    if given and count != len(given):  # a committee among them votes by its members
        return f"{words.counted(count, 'member')} of {words.counted(len(given), 'given scorer')}"
    return words.counted(count, "given scorer" if given else "member")


def _tied(ties: int) -> str:
    return f" ({words.counted(ties, 'tie')} among them)" if ties else ""


def _folds(found: Mapping[str, Any]) -> str:
    return f"{words.counted(found['folds'], 'fold')} by prompt" if found["folds"] else "in-sample"


def _notes(found: Mapping[str, Any]) -> None:
    held = found["accuracy"]
    if held["score"] is not None:
        how = "labels it never saw" if found["folds"] else "labels it may have seen"
        terminal.note(
            f"{words.voter(found)} agrees with {held['score']:.1%} of {how} "
            f"({held['low']:.1%} to {held['high']:.1%})"
            + (
                f"; its members' votes correlate by {found['likeness']['mean']:.2f}"
                if len(found["members"]) > 1
                else ""
            )
        )
        if held["low"] <= 0.5:
            more = "" if words.few(found) else f" or {words.better(found)}"
            terminal.note(
                f"do not act on these verdicts: from {words.counted(held['n'], 'comparison')}{words.ties(found)} "
                f"{words.coin(held)}; bring more rows{more}"
            )
        if words.unlearned(found):
            terminal.note(f"{words.unlearned(found)}; bring rows of other prompts")
    if text := apart(found):
        terminal.note(text)
    if found["length"]["ahead"] is not None:
        _length(found)
    _rates(found["noise"])
    equal = found["data_checks"].get("equal_pairs", {"status": "ok"})
    if equal["status"] != "ok":
        terminal.note(f"equal pairs: {equal['text']}")
    left = found["rows"]["left_out"]
    if left:
        first = found["left_out"][0]
        reasons = found["left_out_reasons"]
        why = "; ".join(f"{n:,}: {reason}" for reason, n in list(reasons.items())[:REASONS])
        why += f"; and {len(reasons) - REASONS:,} more" if len(reasons) > REASONS else ""
        terminal.note(f"left out: {left:,} ({why}), such as {first['where']}: {first['reason']}")
