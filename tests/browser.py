"""Pages in a real browser: the system's Chromium, driven by Playwright; nothing is fetched for it.

def test_a_page(visit, tmp_path):
    seen = visit(tmp_path / "page.html", width=390, scheme="dark")
    assert seen.requests == seen.errors == seen.overflowing() == seen.violations() == []
    seen.page.click("text=...")  # Playwright's page
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
"""What the program may be called."""

PHONE, DESKTOP = 390, 1280
"""Widths of the window in CSS pixels."""

OVERFLOWING = """() => {
    const names = element => element.tagName.toLowerCase()
        + (element.id ? '#' + element.id : '')
        + (typeof element.className === 'string' && element.className
            ? '.' + element.className.trim().split(/\\s+/).join('.') : '');
    const found = [], root = document.scrollingElement, width = root.clientWidth;
    if (root.scrollWidth > width)
        found.push(`the page: ${root.scrollWidth} of ${width} pixels`);
    const scrolls = element => ['auto', 'scroll'].includes(getComputedStyle(element).overflowX);
    for (const element of document.body.querySelectorAll('*')) {
        const box = element.getBoundingClientRect(), style = getComputedStyle(element);
        // What is for screen readers alone is cut to a pixel.
        if (!box.width || !box.height || style.clipPath !== 'none' || box.width <= 1) continue;
        let inside = element.parentElement;
        while (inside && !scrolls(inside)) inside = inside.parentElement;
        if (!inside && (box.right > width + 1 || box.left < -1))
            found.push(`${names(element)}: ${Math.round(box.left)} to ${Math.round(box.right)}`);
        if (['hidden', 'clip'].includes(style.overflowX) && style.textOverflow !== 'ellipsis'
                && element.scrollWidth > element.clientWidth + 1
                && !(element instanceof SVGElement) && !(element instanceof HTMLMediaElement))
            found.push(`${names(element)}: cuts off ${element.scrollWidth} pixels`);
    }
    return found;
}"""


@dataclass
class Visit:
    """A page that was opened.

    Attributes:
        requests: what was asked for, other than from the page's own file or server.
        errors: what the console says of errors, and those that no script caught.
    """

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def overflowing(self) -> list[str]:
        """What is wider than the window, outside containers that scroll, or is cut off."""
        return list(self.page.evaluate(OVERFLOWING))

    def violations(self) -> list[str]:
        """What axe-core finds fault with: rule, element, and why."""
        import axe_playwright_python.base as axe
        from axe_playwright_python.sync_playwright import Axe

        script = axe.AXE_FILE_PATH.read_text(encoding="utf-8")
        response: dict[str, Any] = Axe(script).run(self.page).response
        return [
            f"{rule['id']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
            for rule in response["violations"]
            for node in rule["nodes"]
        ]

    def shot(self, path: Path) -> None:
        """Write a PNG of the whole page."""
        self.page.screenshot(path=path, full_page=True)


Visits = Callable[..., Visit]
"""(path or URL, width=1280, scheme="light" or "dark", **context) -> Visit."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser; a test that needs it is skipped where there is none.

    Not for the whole session: as long as it is open, Playwright's loop runs in this thread, and
    other code could not run one.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(f"no browser: none of the programs {', '.join(NAMES)} is installed")
    # Chromium's sandbox refuses to run as root, as in a container.
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, chromium_sandbox=not root)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Visits]:
    """Open pages, each as in a browser of its own; without a network where it is a file."""
    contexts = []

    def open_page(
        place: Path | str, width: int = DESKTOP, scheme: Any = "light", **others: Any
    ) -> Visit:
        url = place.absolute().as_uri() if isinstance(place, Path) else place
        own, local = urlsplit(url), isinstance(place, Path)
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=local, **others
        )
        contexts.append(context)
        seen = Visit(context.new_page())

        def asked(request: Any) -> None:
            other = urlsplit(request.url)
            same = other[:3] == own[:3] if local else other[:2] == own[:2]
            if not same and other.scheme not in ("data", "blob"):
                seen.requests.append(request.url)

        def said(message: Any) -> None:
            if message.type == "error":
                seen.errors.append(message.text)

        seen.page.on("request", asked)
        seen.page.on("console", said)
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.goto(url, wait_until="load")
        return seen

    yield open_page
    for context in contexts:
        context.close()
