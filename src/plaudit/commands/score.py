"""`plaudit score`: a number for every response of a file."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from plaudit.evaluation.options import ScoreOptions

if TYPE_CHECKING:
    from plaudit.rewards.load import Handle


def score(
    scorer: str,
    file: str,
    /,
    *,
    options: Annotated[ScoreOptions, Parameter(name="*")],
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Score every response of a file: JSON lines {"id", "content", "scores"}, in the order of the file.

    Parameters
    ----------
    scorer
        A checkpoint folder, a committee's folder, or a built-in name: length, random.
    file
        A data file (json, jsonl, csv, parquet, gzipped or not), a folder of them, or hub:OWNER/NAME[:split].
    json
        Print one JSON document on standard output.
    """
    from plaudit.data.columns import renames
    from plaudit.data.limits import Limits
    from plaudit.evaluation.estimate import estimate
    from plaudit.evaluation.score import refuse_taken
    from plaudit.evaluation.score import score as run
    from plaudit.evaluation.show import show_counts, show_estimate
    from plaudit.report import terminal
    from plaudit.rewards.cached import Cached
    from plaudit.rewards.load import Handle, load

    if not options.dry_run:
        refuse_taken(options.output, resume=options.resume)
    handle = load(
        scorer, dtype=options.dtype, device=options.device, budget=options.batch_tokens,
        max_length=options.max_length, seed=options.seed, combine=options.combine, **options.trust(),
    )  # fmt: skip
    reading: dict[str, Any] = {
        "layout": options.layout, "columns": renames(options.columns), "limits": Limits(line_bytes=options.line_bytes),
    }  # fmt: skip
    names = _members(handle, options)
    if options.dry_run:
        found = estimate(handle, [file], with_text=options.with_text, members=options.members, **reading)
        terminal.document(found) if json else show_estimate(found)
        return 0
    cache = Cached(handle, options.cache) if options.cache else None
    counted = run(
        Handle(cache, handle.name) if cache else handle, file, options.output, with_text=options.with_text,
        members=options.members, resume=options.resume, rejects=options.rejects, **reading,
    )  # fmt: skip
    counts = counted.counts()
    if cache:
        counts |= {"looked_up": cache.hits, "computed": cache.misses}
    if json:
        told = {"members": names} if options.members else {}
        listed = {"rejects": counted.rejects, "cut": counted.shortened}
        terminal.document({"output": str(options.output), "counts": counts} | listed | told)
    else:
        show_counts(f"Scores in {options.output}", counts, counted.rejects)
        if options.members:
            terminal.table("Members, in the order of their lines", ["", "member"], list(enumerate(names)))
    return 0


def _members(handle: "Handle", options: ScoreOptions) -> list[str]:
    """Who has a vote in a committee; an error when members are asked of what has none, or of a cache."""
    from plaudit.errors import OptionError

    if not options.members:
        return []
    if not hasattr(handle.scorer, "votes_all"):
        raise OptionError([f"--members: {handle.name} is one scorer; only a committee has members"])
    if options.cache:
        raise OptionError(["--members: --cache keeps scores alone"], advice="leave one of the two out")
    return list(getattr(handle.scorer, "names", ()))
