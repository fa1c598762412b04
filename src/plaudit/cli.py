"""The table of commands. Nothing here imports anything heavy: a command's file is loaded when it is used."""

import errno
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from plaudit.errors import OptionError, PlauditError

COMMANDS = {
    "inspect": "What is in these files: layout, counts, lengths, ties, duplicates, what was dropped and why.",
    "convert": "Write preferences in another tool's layout.",
    "audit": "Let a committee of reward models price every preference: wrong, ambiguous, strong.",
    "repair": "Flip, soften, drop or weigh preferences as an audit says; every change can be undone.",
    "train": "Train a reward model.",
    "doctor": "Prove that a checkpoint gives the same number everywhere, or say why not.",
    "evaluate": "What a scorer is worth on preferences or a suite, beside random and length-only.",
    "score": "Score every response of a file.",
    "models": "List or build the embedded models, or save any model as everybody can load it.",
    "world": "Make synthetic preferences whose truth is known.",
    "demo": "Drive the whole road on an embedded model and a synthetic world.",
}

_CONFIG = (
    "Every command takes --config FILE: options from a YAML file, a line for each, such as `seed: 1`, and `files:` for "
    "the files. A flag wins over the file."
)


def app():
    """The cyclopts application, its commands registered by import string."""
    from cyclopts import App

    from plaudit import __version__

    table = App(
        name="plaudit",
        help="Which preferences to trust, and reward models whose number is the same everywhere.",
        version=__version__,
        help_format="plaintext",
        help_epilogue=_CONFIG,  # on every command's page: `_with_config` reads it before a command knows of it
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
        command, bound = _parsed(app(), argv)
        result = command(*bound.args, **bound.kwargs)
        if sys.stdout is not None:
            sys.stdout.flush()  # a full disk is told here, not by the interpreter when it ends
        return result if isinstance(result, int) else 0
    except CycloptsError as error:
        print(f"plaudit: {_plainly(error, argv)}", file=sys.stderr)
        return 2
    except PlauditError as error:
        from plaudit.report.terminal import note

        note(f"plaudit: {error}")
        return error.exit_status
    except BrokenPipeError:
        _forget_output()
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in _FULL or error.filename is not None:
            raise
        _forget_output()
        print(f"plaudit: the output could not be written: {error.strerror}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        again = "; what was read is kept, every 128 rows: the same command goes on" if argv[:1] == ["audit"] else ""
        print(f"plaudit: interrupted{again}", file=sys.stderr)
        return 130


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # nothing more can be written there


def _forget_output() -> None:
    """Let go of what standard output still holds: the interpreter would fail to write it once more when it ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # no standard output, or none that is a file
        return


def _parsed(table: Any, argv: list[str]) -> tuple[Any, Any]:
    """The command and its arguments.

    Raises:
        OptionError: every mistake of the file and the flags at once.
    """
    from cyclopts import CycloptsError

    known = _known(table, argv[0]) if argv and argv[0] in COMMANDS else {}
    argv, source, mistakes = _with_config(known, argv) if known else (argv, {}, [])
    if known:
        argv, unknown = _unknown_flags(known, argv)
        missing = _missing(known, argv)
        mistakes += unknown + [f"{flag} is missing{_WHICH.get(flag, '')}" for flag in missing]
        argv = argv + [f"{flag}=?" for flag in missing if known[flag].hint is str]  # so that all else is looked at
    try:
        command, bound, _ = table.parse_args(argv, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        if not mistakes and not _refused(error):
            raise
        raise OptionError(mistakes + _in_words(error, source, argv, mistakes)) from error
    if mistakes:
        raise OptionError(mistakes)
    return command, bound


def _plainly(error: Exception, argv: Sequence[str]) -> str:
    """The parser's words for files that are missing or too many, as ours."""
    from cyclopts.exceptions import MissingArgumentError, UnusedCliTokensError

    command = argv[0] if argv else ""
    if isinstance(error, MissingArgumentError) and error.argument and not error.argument.name.startswith("-"):
        return f"{error.argument.name} is missing (see `plaudit {command} --help`)"
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens and command in COMMANDS:
        left = ", ".join(error.unused_tokens)
        return f"left over: {left} (see `plaudit {command} --help`)"
    return str(error).strip()


def _refused(error: Exception) -> list[Any]:
    """What pydantic refused, one entry an option."""
    cause = error.__cause__ or error.__context__
    return cause.errors() if cause is not None and hasattr(cause, "errors") else []


def _in_words(error: Exception, source: Mapping[str, str], argv: Sequence[str], already: Sequence[str]) -> list[str]:
    """A parsing error as plain lines; an option that a file set is named as the file names it."""
    refused = _refused(error)
    if not refused:
        text = _plainly(error, argv)
        return [] if any(mistake.split()[0] in text for mistake in already) else [text]
    lines = []
    for e in refused:
        first, *inner = map(str, e["loc"])
        flag = "--" + first.replace("_", "-")
        name = ".".join([source.get(flag, flag), *inner])
        lines.append(f"{name}: {e['msg'][0].lower()}{e['msg'][1:]}, not {e['input']!r}")
    return lines


def _known(table: Any, name: str) -> dict[str, Any]:
    """Every flag of a command, with what it takes."""
    arguments = table[name].assemble_argument_collection()
    return {flag: argument for argument in arguments for flag in argument.names if flag.startswith("-")}


_WHICH = {"--model": ": minilm-l6, smollm2-135m, a local folder or a hub id (see `plaudit models`)"}

# What other trainers call it.
_ELSEWHERE = {
    "--lr": "--learning-rate", "--num-train-epochs": "--epochs", "--num-epochs": "--epochs", "--bf16": "--dtype",
    "--per-device-train-batch-size": "--batch-size", "--train-batch-size": "--batch-size", "--lora-rank": "--lora-r",
    "--model-name-or-path": "--model", "--pretrain": "--model", "--max-seq-length": "--max-length",
    "--max-len": "--max-length", "--use-peft": "--tuning", "--output": "--output-dir", "--output-dir": "--output",
    "--eval-dataset": "--eval", "--files": "",
}  # fmt: skip


def _nearest(word: str, words: Iterable[str], cutoff: float = 0.66) -> str:
    from difflib import get_close_matches

    known = sorted(words)
    if word in _ELSEWHERE and (_ELSEWHERE[word] in known or not _ELSEWHERE[word]):
        return _ELSEWHERE[word]
    return next(iter(get_close_matches(word, known, 1, cutoff)), "")


def _with_config(known: Mapping[str, Any], argv: list[str]) -> tuple[list[str], dict[str, str], list[str]]:
    """Turn `--config FILE` (YAML) into flags before those given, which win.

    Returns the new arguments, {flag: how the file names it}, and every mistake in the file.
    """
    at = next((i for i, token in enumerate(argv) if token == "--config" or token.startswith("--config=")), None)
    if at is None:
        return argv, {}, []
    inline = "=" in argv[at]
    rest = argv[:at] + argv[at + (1 if inline else 2) :]
    if not inline and (at + 1 >= len(argv) or argv[at + 1].startswith("-")):
        return argv[:at] + argv[at + 1 :], {}, ["--config: which file?"]
    if any(token.split("=", 1)[0] == "--config" for token in rest):
        raise OptionError(["--config: one file, not several"])
    path = argv[at].split("=", 1)[1] if inline else argv[at + 1]
    values, mistakes = _yaml(path)
    given = {_flag_of(token) for token in rest if token.startswith("--")}
    flags: list[str] = []
    files: list[str] = []
    source = {}
    for key, value in values.items():
        flag = "--" + str(key).replace("_", "-")
        if key == "files":
            files = [str(v) for v in value] if isinstance(value, list) else [str(value)]
        elif flag not in known:
            near = _nearest(flag, known)
            hint = f" (did you mean {near[2:].replace('-', '_')!r}?)" if near else ""
            mistakes.append(f"{path}: unknown key {key!r}{hint}")
        elif isinstance(value, bool) != (known[flag].hint is bool) and value is not None:
            wanted = "true or false" if known[flag].hint is bool else "a value"
            mistakes.append(f"{path}: {key}: must be {wanted}, not {value!r}")
            given.add(flag)
        elif flag not in given and f"--no-{flag[2:]}" not in given:
            flags += _flag(flag, value)
            source[flag] = f"{path}: {key}"
    lead = 1 if rest[0] == "score" or (rest[0] == "evaluate" and not {"--scores"} & {*given, *source}) else 0
    named = _words(known, rest)
    at = named[lead - 1] + 1 if lead and len(named) >= lead else 1  # after the scorer, which is no file
    files = files if len(named) == lead else []
    return [*rest[:at], *files, *rest[at:], *flags], source, mistakes


def _words(known: Mapping[str, Any], argv: list[str]) -> list[int]:
    """Where, after the command, something stands that is neither a flag nor the value of one."""
    left = 0.0  # how many of the next words may be a flag's values
    found = []
    for i, token in enumerate(argv[1:], 1):
        if token.startswith("-"):
            flag = known.get(_flag_of(token))
            if flag is None or "=" in token or flag.hint is bool:
                left = 0
            else:
                left = float("inf") if flag.parameter.consume_multiple else 1
        elif left:
            left -= 1
        else:
            found.append(i)
    return found


def _flag_of(token: str) -> str:
    """The flag of an argument: cyclopts takes `--batch_size=8` and `--loss-options.a=1` too."""
    return token.split("=", 1)[0].split(".", 1)[0].replace("_", "-")


def _flag(flag: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [flag] if value else [f"--no-{flag[2:]}"]
    if isinstance(value, list):
        return [part for item in value for part in (flag, str(item))]
    if isinstance(value, dict):
        return [f"{flag}.{k}={v}" for k, v in value.items()]
    return [] if value is None else [f"{flag}={value}"]


def _yaml(path: str) -> tuple[dict[Any, Any], list[str]]:
    """The file's keys and values, and the keys that stand in it twice."""
    import yaml

    try:
        with open(path, encoding="utf-8") as f:
            text = f.read()
        values = yaml.safe_load(text) or {}
        top = yaml.compose(text, yaml.SafeLoader)
    except OSError as error:
        raise OptionError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        raise OptionError([f"{path}{line}: not YAML: {getattr(error, 'problem', None) or error}"]) from error
    if not isinstance(values, dict):
        raise OptionError([f"{path}: the file must hold `key: value` lines"])
    keys = [str(key.value) for key, _ in top.value] if isinstance(top, yaml.MappingNode) else []
    return values, [f"{path}: {key!r} stands there twice" for key in dict.fromkeys(keys) if keys.count(key) > 1]


def _unknown_flags(known: Mapping[str, Any], argv: list[str]) -> tuple[list[str], list[str]]:
    """The arguments without unknown flags, and one mistake for each; cyclopts alone stops at the first."""
    kept, mistakes, skip = [], [], False
    end = argv.index("--") if "--" in argv else len(argv)
    for i, token in enumerate(argv):
        flag = _flag_of(token)
        if i >= end or not flag.startswith("--") or flag in known or flag == "--help":
            if not (skip and not token.startswith("-")):
                kept.append(token)
            skip = False
            continue
        near = _nearest(flag, [*known, "--config"])
        hint = f" (did you mean {near}?)" if near else f" (see `plaudit {argv[0]} --help`)"
        mistakes.append(f"unknown option {token.split('=', 1)[0]}{hint}")
        skip = "=" not in token  # the value that was meant for it
    return kept, mistakes


def _missing(known: Mapping[str, Any], argv: list[str]) -> list[str]:
    """Required options that were not given, all of them."""
    if {"--help", "-h", "--version"} & set(argv):
        return []
    given = {token.split("=", 1)[0].replace("_", "-") for token in argv}
    return [flag for flag, argument in known.items() if argument.required and flag not in given]
