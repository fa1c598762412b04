"""How everybody asks for a scorer: `plaudit.load("length")`, `plaudit.load("runs/rm/final")`."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast

from numpy.typing import NDArray

from plaudit import catalog, folders
from plaudit.errors import OptionError, PlauditError
from plaudit.records import Conversation, Message, Preference, group, message
from plaudit.rewards.stream import checked, opinions
from plaudit.scorer import Panel, Scorer
from plaudit.signals.aggregate import Combine, Opinion

ROOM = "plaudit.rewards"


class Handle:
    """A scorer as a person holds it. `name` is what it was asked for by.

    >>> load("length").score("Say four.", ["four", "5"])
    [4.0, 1.0]
    """

    def __init__(self, scorer: Scorer, name: str) -> None:
        self.scorer, self.name, self.fingerprint = scorer, name, scorer.fingerprint

    def score(self, prompt: str | Sequence, responses: str | Sequence) -> list[float]:
        """One number per response, higher is better.

        `prompt`: a text (one user turn), or messages as `{"role", "content"}` or `Message`; may be empty. `responses`:
        texts, or lists of messages; one text alone counts as a list of one.
        """
        record = _record(prompt, responses)
        return [float(s) for s in checked([record], self.score_all([record]))[0]] if record.responses else []

    def opinion(self, prompt: str | Sequence, responses: str | Sequence) -> Opinion:
        """The same by a committee: its score of every response [N], its members' spread [N] and scores [K, N].

        Raises:
            PlauditError: the scorer has no members, or there is no response.
        """
        if not hasattr(self.scorer, "votes_all"):
            raise PlauditError(f"{self.name}: one scorer without members; only a committee has a spread")
        record = _record(prompt, responses)
        if not record.responses:
            raise PlauditError("there is no response to have an opinion on")
        return opinions(cast(Panel, self.scorer), [record])[0]

    def score_all(self, preferences: Iterable[Preference]) -> list[NDArray]:
        """One float array [N] per preference."""
        return self.scorer.score_all(preferences)

    def texts(self, preference: Preference) -> list[str]:
        """The exact strings that are scored, one per response."""
        if not hasattr(self.scorer, "texts"):
            raise PlauditError(f"{self.name}: this scorer cannot say which text it scores")
        return list(self.scorer.texts(preference))

    def __getattr__(self, name: str) -> Any:  # what else the scorer knows, such as its training groups
        if name == "scorer":
            raise AttributeError(name)
        return getattr(self.scorer, name)


def _record(prompt: str | Sequence, responses: str | Sequence) -> Preference:
    answers = [responses] if isinstance(responses, str) else list(responses)
    return group(conversation(prompt, "user"), [conversation(r, "assistant") for r in answers], None)


def conversation(value: str | Sequence, role: str) -> Conversation:
    """A text, messages, or mappings with `role` and `content`, as a conversation.

    >>> conversation([{"role": "user", "content": "Hi"}], "user")
    (Message(role='user', parts=('Hi',)),)
    """
    if isinstance(value, str):
        return (message(role, value),) if value or role == "assistant" else ()
    turns: list[Message] = []
    for turn in value:
        if isinstance(turn, Mapping) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str):
            turn = message(turn["role"], turn["content"])
        if not isinstance(turn, Message):
            raise PlauditError(
                f"a turn must have a role and a text content, this one is {type(turn).__name__}",
                advice='for example {"role": "user", "content": "Hello"}',
            )
        turns.append(turn)
    return tuple(turns)


def load(
    spec: str | PathLike | Scorer,
    *,
    dtype: Literal["float32", "bfloat16"] = "float32",
    device: str = "",
    budget: int = 4096,
    max_length: int | None = None,
    seed: int = 0,
    combine: Combine | None = None,
    trust_remote_code: bool = False,
    allow_pickles: bool = False,
) -> Handle:
    """A scorer by name: a built-in (`length`, `random`), or a folder that holds a trained reward model or a committee.

    `dtype`, `device` (a GPU when there is one, if empty), `budget` (tokens of one batch) and `max_length` (tokens of
    one prompt and response) are for models, `seed` for `random`, `combine` for committees: how their members' scores
    become one (`signals.aggregate`). `trust_remote_code` and `allow_pickles` let a model's files run code; off unless
    the caller trusts them.

    >>> load("lenght")
    Traceback (most recent call last):
        ...
    plaudit.errors.OptionError: unknown scorer 'lenght' (did you mean 'length'?)
      built in: length, random; or name a checkpoint's folder; any other model: plaudit models NAME --output-dir D
    """
    if combine and not isinstance(spec, str | PathLike):
        raise OptionError([f"combine {combine}: this scorer is loaded already; say it where it is loaded"])
    if isinstance(spec, Handle):
        return spec
    if not isinstance(spec, str | PathLike):
        return Handle(spec, getattr(spec, "name", type(spec).__name__))
    text = str(spec)
    if combine and not (Path(text).expanduser() / "committee.json").is_file():
        raise OptionError([f"combine {combine}: {text} is one scorer; only a committee has members to combine"])
    if text in built_in():
        part = catalog.load(ROOM, text)
        return Handle(part.scorer(seed=seed) if text == "random" else part.scorer(), text)
    refuse_unknown(text)
    found = _model(
        Path(text).expanduser(), dtype=dtype, device=device, budget=budget, max_length=max_length, combine=combine,
        trust_remote_code=trust_remote_code, allow_pickles=allow_pickles,
    )  # fmt: skip
    return Handle(found, text)


def refuse_unknown(text: str) -> None:
    """Raise for a name that is no built-in scorer and no folder of a checkpoint or a committee; nothing is loaded."""
    path = Path(text).expanduser()
    if text in built_in() or (path / "committee.json").is_file():
        return
    if not path.is_dir():
        raise _unknown(text, path)
    if not any((path / f).is_file() for f in ("config.json", "adapter_config.json")):
        hint = folders.meant(path, "config.json", "committee.json")
        raise PlauditError(f"{path}: no checkpoint here: config.json is missing", advice=hint)


def built_in() -> list[str]:
    """Scorers that need no weights: the files of this room that define `scorer`."""
    return [n for n in catalog.names(ROOM) if hasattr(catalog.load(ROOM, n), "scorer")]


def _model(path: Path, *, combine: Combine | None, **options: Any) -> Scorer:
    if (path / "committee.json").is_file():
        folders.refuse_changed(path)  # a checkpoint's seal is looked at where every model is loaded
        from plaudit.rewards.panel import panel

        return panel(path, load, combine=combine, **options)
    from plaudit.models.score import load_scorer

    return load_scorer(path, **options)


def _unknown(text: str, path: Path) -> PlauditError:
    if text.startswith(("http://", "https://")):
        return OptionError([f"{text}: scoring through a server is not supported in this version"])
    if path.is_file():
        kind = "composed scorers" if path.suffix in (".yaml", ".yml") else "files"
        return OptionError([f"{text}: {kind} are not supported as scorers in this version"], advice=_advice())
    near = get_close_matches(text, built_in(), 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return OptionError([f"unknown scorer {text!r}{hint}"], advice=_advice())


_FIRST = "plaudit models NAME --output-dir D"


def _advice() -> str:
    return f"built in: {', '.join(built_in())}; or name a checkpoint's folder; any other model: {_FIRST}"
