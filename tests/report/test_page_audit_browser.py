"""The page in a real browser: its console stays silent, and its parser sees the elements of harmless text."""

import re
import shutil
import subprocess
from html import escape

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


def width_of(html, folder, width):
    """How wide the page is laid out in a window of so many points; more than the window is scrolled sideways."""
    frame = f'<iframe id="page" style="width:{width}px;height:800px;border:0" srcdoc="{escape(html)}"></iframe>'
    look = 'document.getElementById("page").contentDocument.documentElement.scrollWidth'
    script = f"<script>onload = () => document.body.dataset.width = {look}</script>"
    return int(re.search(r'data-width="(\d+)"', opened(f"<!doctype html><body>{frame}{script}", folder)[0])[1])


@pytest.mark.parametrize("width", [360, 390, 800, 1400])
@pytest.mark.parametrize("text", ["", "A" * 3000, "".join(HOSTILE)], ids=["plain", "long", "hostile"])
def test_no_page_is_wider_than_its_window(tmp_path, width, text):
    assert width_of(filled(text or "harmless", n=3), tmp_path, width) <= width


def test_hostile_text_neither_runs_nor_grows_elements(tmp_path):
    html, said = opened(filled("".join(HOSTILE) + "<script>console.log(1)</script>", n=3), tmp_path)
    assert skeleton(html) == skeleton(opened(filled("harmless", n=3), tmp_path)[0])
    assert not said
