"""The report in pictures, light and dark, for the README: a text world with seven annotators, audited and drawn.

    python docs/pictures/render.py [--model minilm-l6] [--n 1200] [--report D/report.html --name NAME]

Needs Chromium (on the path, or its path in the environment variable CHROMIUM). Writes report-light.png and
report-dark.png beside this file. With --report a page that is there already is drawn instead, as NAME-light.png and
NAME-dark.png: only its top, which shows no text of the audited file.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
WORLD = "text-v1-annotators"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# name: width, height, pixels a point, scheme (Blink's numbers: 0 dark, 1 light)
PICTURES = {"light": (1000, 1500, 1.5, 1), "dark": (1000, 1500, 1.5, 0)}


def browser() -> str:
    """The Chromium to draw with."""
    found = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found:
        raise SystemExit("no Chromium was found: install one, or name it in CHROMIUM")
    return found


def audited(folder: Path, model: str, n: int) -> Path:
    """The report of a fresh audit of the text world."""
    import plaudit
    from plaudit.data.worlds import make
    from plaudit.data.worlds._files import save

    pairs = folder / "pairs.jsonl"
    save(make(WORLD, n=n, seed=0), pairs, folder / "truth.jsonl")
    plaudit.audit([pairs], output_dir=folder / "audit", model=model, noise="annotator")
    return folder / "audit" / "report.html"


def draw(page: Path, target: Path, width: int, height: int, scale: float, scheme: int) -> None:
    """One picture of the top of a page."""
    command = [
        browser(), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        f"--window-size={width},{height}", f"--force-device-scale-factor={scale}",
        f"--blink-settings=preferredColorScheme={scheme}",
        f"--screenshot={target}", page.resolve().as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)


def main() -> None:
    """Audit, then draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="minilm-l6")
    parser.add_argument("--n", type=int, default=1200)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--name", default="report")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        page = asked.report or audited(Path(folder), asked.model, asked.n)
        for scheme, how in PICTURES.items():
            target = HERE / f"{asked.name}-{scheme}.png"
            draw(page, target, *how)
            print(target)


if __name__ == "__main__":
    main()
