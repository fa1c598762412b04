"""The table of commands. Nothing here imports anything heavy: a command's file is loaded when it is used."""

import sys
from collections.abc import Sequence

from plaudit.errors import PlauditError

COMMANDS = {
    "inspect": "What is in these files: layout, counts, lengths, ties, duplicates, what was dropped and why.",
    "convert": "Write preferences in another tool's layout.",
    "train": "Train a reward model.",
    "doctor": "Prove that a checkpoint gives the same number everywhere, or say why not.",
    "evaluate": "What a scorer is worth on preferences or a suite, beside random and length-only.",
    "score": "Score every response of a file.",
    "models": "List or build the embedded models.",
    "world": "Make synthetic preferences whose truth is known.",
    "demo": "Drive the whole road on an embedded model and a synthetic world.",
}


def app():
    """The cyclopts application, its commands registered by import string."""
    from cyclopts import App

    from plaudit import __version__

    table = App(
        name="plaudit",
        help="Which preferences to trust, and reward models whose number is the same everywhere.",
        version=__version__,
        help_format="plaintext",
        result_action="return_value",
    )
    for name, text in COMMANDS.items():
        table.command(f"plaudit.commands.{name}:{name}", name=name, help=text)
    return table


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command; exit 0 done, 1 a gate failed, 2 bad input or options, 130 interrupted."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Run one command and return its exit status; what the user can mend is one message, never a traceback."""
    from cyclopts import CycloptsError

    try:
        table = app()
        mistakes = _unknown_flags(table, argv)
        if mistakes:
            raise _option_error(mistakes)
        result = table(argv, exit_on_error=False, print_error=False)
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        print(f"plaudit: {str(error).strip()}", file=sys.stderr)
        return 2
    except PlauditError as error:
        print(f"plaudit: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        print("plaudit: interrupted", file=sys.stderr)
        return 130


def _option_error(mistakes: list[str]):
    from plaudit.errors import OptionError

    return OptionError(mistakes)


def _unknown_flags(table, argv: list[str]) -> list[str]:
    """Every unknown flag at once, each with its nearest name; cyclopts alone stops at the first."""
    from difflib import get_close_matches

    if not argv or argv[0] not in COMMANDS:
        return []
    command = table[argv[0]]
    known = {name for argument in command.assemble_argument_collection() for name in argument.names}
    known |= {"--help", "-h", "--version"}
    mistakes = []
    for token in argv[1:]:
        if token == "--":
            break
        flag = token.split("=", 1)[0].replace("_", "-")
        if not flag.startswith("--") or flag in known:
            continue
        near = get_close_matches(flag, sorted(known), 1, 0.5)
        hint = f" (did you mean {near[0]}?)" if near else f" (see `plaudit {argv[0]} --help`)"
        mistakes.append(f"unknown option {token.split('=', 1)[0]}{hint}")
    return mistakes
