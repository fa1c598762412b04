"""The page in a real browser: its console stays silent, and its parser sees the elements of harmless text."""

import shutil
import subprocess

import pytest
from test_page_audit_hostile import HOSTILE, filled, skeleton

pytestmark = pytest.mark.slow
CHROMIUM = next((path for n in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(n))), None)


def opened(html, folder):
    """The document as Chromium has parsed it, and what its console said."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path")
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    done = subprocess.run([*command, path.as_uri()], capture_output=True, timeout=120, check=True)
    said = [line for line in done.stderr.decode(errors="replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode(), said


def test_hostile_text_neither_runs_nor_grows_elements(tmp_path):
    html, said = opened(filled("".join(HOSTILE) + "<script>console.log(1)</script>", n=3), tmp_path)
    assert skeleton(html) == skeleton(opened(filled("harmless", n=3), tmp_path)[0])
    assert not said
