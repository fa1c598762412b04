"""plaudit world: synthetic preferences whose truth is known."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def world(
    name: str = "",
    /,
    *,
    output: Path | None = None,
    n: int = 4000,
    seed: int = 0,
    truth: Path | None = None,
    list: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make synthetic preferences whose truth is known.

    Parameters
    ----------
    name
        The preset; `plaudit world --list` shows them all.
    output
        The file to write, which must not exist: TRL's explicit conversations as jsonl, or npz for a vector world.
    n
        How many preferences.
    seed
        Another seed gives other rows of the same world.
    truth
        Where the truth goes: by default beside the output, its name ending in .truth.jsonl.
    list
        Show the presets and stop.
    json
        Print one JSON document.
    """
    if list:
        return _list(json)
    output, beside = _targets(name, output, truth)
    return _make(name, output, beside, n=n, seed=seed, json=json)


def _make(name: str, output: Path, truth: Path, *, n: int, seed: int, json: bool) -> int:
    from plaudit.data.worlds import make
    from plaudit.data.worlds._files import save
    from plaudit.report import terminal

    made = make(name, n=n, seed=seed)
    save(made, output, truth)
    flipped = int(made.truth.flipped.sum())
    facts = {"seed": seed, "rows": n, "flipped": flipped, "output": str(output), "truth": str(truth)}
    if json:
        terminal.document({"world": name, **facts})
    else:
        terminal.table(f"World {name}", ["what", "value"], [*facts.items()])
    return 0


def _list(json: bool) -> int:
    from plaudit.data.worlds import presets
    from plaudit.report import terminal

    if json:
        terminal.document({"worlds": [{"name": key, "about": about} for key, about in presets().items()]})
    else:
        terminal.table("Worlds", ["name", "what it is"], [*presets().items()])
    return 0


def _targets(name: str, output: Path | None, truth: Path | None) -> tuple[Path, Path]:
    """Where to write; every mistake at once, before any work."""
    from plaudit.errors import OptionError

    mistakes = [] if name else ["no world was named (see `plaudit world --list`)"]
    if output is None:
        raise OptionError([*mistakes, "--output is missing: name the file to write"])
    beside = truth or output.with_name(f"{output.name}.truth.jsonl")
    if beside.resolve() == output.resolve():
        mistakes.append("--truth and --output are the same file")
    mistakes += [f"{path} exists already; nothing is overwritten" for path in (output, beside) if path.exists()]
    mistakes += [f"{path.parent} is not a folder" for path in {output, beside} if not path.parent.is_dir()]
    if mistakes:
        raise OptionError(mistakes)
    return output, beside
