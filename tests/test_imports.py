"""The house: a file imports only from rooms above its own, and from its own; nothing heavy is loaded early."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import plaudit

ROOT = Path(plaudit.__file__).parent
# Top to bottom. A room may import from rooms on an earlier line (and from itself), never from a later one.
ORDER = [
    "errors", "records", "scorer", "catalog", "folders", "seeds",
    "metrics", "losses", "signals", "report", "data", "models", "rewards", "training", "auditing", "doctor",
    "evaluation", "policy", "design", "review", "serving", "commands", "cli", "__main__",
]  # fmt: skip
PURE = {"metrics", "losses", "signals"}
NO_TORCH = {"metrics", "signals", "report", "data", "errors", "records", "scorer", "catalog", "folders", "seeds"}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{a.name}" for a in node.names]
    return found


@pytest.mark.parametrize(
    "path", [p for p in FILES if p != ROOT / "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_a_file_imports_only_from_rooms_above_its_own(path):
    here = ORDER.index(room(path))
    for name in imports(path):
        if name.startswith("plaudit."):
            other = name.split(".")[1]
            if other in ORDER:
                assert ORDER.index(other) <= here, f"{path.relative_to(ROOT)} imports {name}"
        top = name.split(".")[0]
        if room(path) in NO_TORCH:
            assert top not in {"torch", "transformers", "peft", "accelerate"}, f"{path}: {name}"
        if room(path) in PURE:
            assert top not in {"time", "random", "os", "pathlib"}, f"{path} is pure: {name}"


def test_options_stay_light():
    for path in ROOT.rglob("options.py"):
        tops = {name.split(".")[0] for name in imports(path)}
        assert tops <= {"pydantic", "typing", "plaudit", "pathlib", "collections"}, path


def test_every_module_imports():
    for found in pkgutil.walk_packages([str(ROOT)], "plaudit."):
        importlib.import_module(found.name)


def test_help_and_import_load_nothing_heavy():
    code = (
        "import sys, plaudit\nfrom plaudit.cli import run\n"
        "assert 'cyclopts' not in sys.modules\nrun(['--help'])\n"
        "print(sorted({'torch', 'numpy', 'transformers', 'pyarrow'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.rstrip().endswith("[]"), out[-300:]


def test_files_stay_small():
    long = {str(p.relative_to(ROOT)): n for p in FILES if (n := len(p.read_text().splitlines())) > 400}
    assert not long
