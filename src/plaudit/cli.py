"""The table of commands. Nothing here imports anything heavy: a command's file is loaded when it is used."""

import sys
from collections.abc import Sequence

from plaudit.errors import OptionError, PlauditError

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
        argv, mistakes = _with_config(table, argv)
        mistakes += _unknown_flags(table, argv)
        if mistakes:
            raise OptionError(mistakes)
        result = table(argv, exit_on_error=False, print_error=False)
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        print(f"plaudit: {_in_words(error)}", file=sys.stderr)
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


def _in_words(error: Exception) -> str:
    """A parsing error as plain text; what pydantic refused is one line an option, all of them."""
    cause = error.__cause__ or error.__context__
    if cause is not None and hasattr(cause, "errors"):
        lines = []
        for e in cause.errors():
            name = "--" + "-".join(str(part) for part in e["loc"]).replace("_", "-")
            lines.append(f"{name}: {e['msg'][0].lower()}{e['msg'][1:]}, not {e['input']!r}")
        return "\n".join(lines)
    return str(error).strip()


def _known_flags(table, name: str) -> set[str]:
    arguments = table[name].assemble_argument_collection()
    return {flag for argument in arguments for flag in argument.names if flag.startswith("-")} | {"--help", "-h"}


def _with_config(table, argv: list[str]) -> tuple[list[str], list[str]]:
    """Turn `--config FILE` (YAML) into flags before those given, which win; every unknown key is a mistake."""
    from difflib import get_close_matches

    places = [i for i, token in enumerate(argv) if token == "--config" or token.startswith("--config=")]
    if not places or argv[0] not in COMMANDS:
        return argv, []
    at = places[0]
    inline = "=" in argv[at]
    if not inline and at + 1 >= len(argv):
        return argv, ["--config: which file?"]
    path = argv[at].split("=", 1)[1] if inline else argv[at + 1]
    rest = argv[:at] + argv[at + (1 if inline else 2) :]
    values = _yaml(path)
    known = _known_flags(table, argv[0])
    given = {token.split("=", 1)[0] for token in rest if token.startswith("--")}
    flags, files, mistakes = [], [], []
    for key, value in values.items():
        flag = "--" + str(key).replace("_", "-")
        if key == "files":
            files = [str(v) for v in value] if isinstance(value, list) else [str(value)]
        elif flag not in known:
            near = get_close_matches(flag, sorted(known), 1, 0.5)
            hint = f" (did you mean {near[0][2:].replace('-', '_')!r}?)" if near else ""
            mistakes.append(f"{path}: unknown key {key!r}{hint}")
        elif flag not in given and f"--no-{flag[2:]}" not in given:
            flags += _flag(flag, value)
    positional = len(rest) > 1 and not rest[1].startswith("-")
    return [rest[0], *([] if positional else files), *rest[1:], *flags], mistakes


def _flag(flag: str, value) -> list[str]:
    if isinstance(value, bool):
        return [flag] if value else [f"--no-{flag[2:]}"]
    if isinstance(value, list):
        return [part for item in value for part in (flag, str(item))]
    if isinstance(value, dict):
        return [f"{flag}.{k}={v}" for k, v in value.items()]
    return [] if value is None else [f"{flag}={value}"]


def _yaml(path: str) -> dict:
    import yaml

    try:
        with open(path, encoding="utf-8") as f:
            values = yaml.safe_load(f) or {}
    except OSError as error:
        raise OptionError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise OptionError([f"{path}: not YAML: {str(error).splitlines()[0]}"]) from error
    if not isinstance(values, dict):
        raise OptionError([f"{path}: the file must hold `key: value` lines"])
    return values


def _unknown_flags(table, argv: list[str]) -> list[str]:
    """Every unknown flag at once, each with its nearest name; cyclopts alone stops at the first."""
    from difflib import get_close_matches

    if not argv or argv[0] not in COMMANDS:
        return []
    known = _known_flags(table, argv[0])
    mistakes = []
    for token in argv[1:]:
        if token == "--":
            break
        flag = token.split("=", 1)[0].split(".", 1)[0].replace("_", "-")
        if not flag.startswith("--") or flag in known:
            continue
        near = get_close_matches(flag, sorted(known), 1, 0.5)
        hint = f" (did you mean {near[0]}?)" if near else f" (see `plaudit {argv[0]} --help`)"
        mistakes.append(f"unknown option {token.split('=', 1)[0]}{hint}")
    return mistakes
