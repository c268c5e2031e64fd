"""The pages as a browser shows them: they load from disk alone, their math has a size, formulas and code find each other."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.pages.browser import opened
from tests.pages.site import LANGUAGES

pytestmark = [pytest.mark.browser]

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1400, "height": 1000}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with opened() as found:
        yield found


class Visit:
    """A page in the browser, and what it complained of or asked the network for."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": DESKTOP, **options})
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda message: self.faults.append(f"console {message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("request", self._requested)
        self.page.goto(path.as_uri())

    def _requested(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:")):
            self.faults.append(f"request: {request.url}")

    def __enter__(self) -> Any:
        return self.page

    def __exit__(self, *_: Any) -> None:
        self.context.close()


def pages(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.html"))
    assert len(found) == len(LANGUAGES) * (len(found) // len(LANGUAGES)) > 20
    return found


def test_every_page_loads_from_disk_without_a_complaint_and_its_math_has_a_size(browser: Any, folder: Path) -> None:
    for path in pages(folder):
        visit = Visit(browser, path)
        with visit as page:
            sizes = page.eval_on_selector_all(
                "math",
                "all => all.filter(m => m.checkVisibility()).map(m => [m.getBoundingClientRect().width, "
                "m.getBoundingClientRect().height])",
            )
            assert all(width > 2 and height > 2 for width, height in sizes), path.name
            assert not page.eval_on_selector_all(
                "math", "all => all.filter(m => m.querySelector('merror')).map(m => m.outerHTML)"
            ), path.name
            assert page.eval_on_selector_all("img", "all => all.filter(i => !i.complete || !i.naturalWidth).length") == 0, (
                path.name
            )
            repeated = page.evaluate(
                "(ids => ids.filter((id, at) => ids.indexOf(id) !== at))([...document.querySelectorAll('[id]')].map(e => e.id))"
            )
            assert not repeated, (path.name, repeated)
            assert page.title() and page.locator("h1").count() == 1
        assert not visit.faults, (path.name, visit.faults)


def test_a_fault_would_be_seen(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<script>console.error('no'); nothing()</script><img src='http://127.0.0.1:9/x.png'><math></math>")
    visit = Visit(browser, path)
    with visit as page:
        page.wait_for_timeout(200)
        assert page.eval_on_selector("math", "m => m.getBoundingClientRect().width") < 2
    assert {fault.split()[0].rstrip(":") for fault in visit.faults} == {"console", "error", "request"}


def test_every_link_goes_to_a_page_or_a_place_that_is_there(folder: Path, browser: Any) -> None:
    for path in pages(folder):
        with Visit(browser, path) as page:
            links = page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))")
            ids = set(page.eval_on_selector_all("[id]", "all => all.map(e => e.id)"))
        for link in dict.fromkeys(links):
            if link.startswith("#"):
                assert link[1:] in ids, (path.name, link)
            elif "://" not in link:
                assert (folder / link.partition("#")[0]).exists(), (path.name, link)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_formula_marks_its_lines_and_a_line_its_formulas(browser: Any, folder: Path, cell: str) -> None:
    with Visit(browser, folder / f"{cell}.html") as page:
        linked = page.locator(".step:has(.to-code)")
        assert linked.count() > 20
        for at in range(0, linked.count(), 7):
            step = linked.nth(at)
            number = step.get_attribute("id").removeprefix("f-")
            step.locator(".math").hover()
            lit = page.eval_on_selector_all(".line.lit", "all => all.map(l => l.dataset.f.split(' '))")
            assert lit and all(number in numbers for numbers in lit), number
            shown = page.eval_on_selector(
                ".line.lit",
                "l => { const a = l.getBoundingClientRect(), b = l.closest('.code').getBoundingClientRect(); return a.top >= "
                "b.top && a.bottom <= b.bottom; }",
            )
            assert shown, f"the first line of formula {number} is scrolled into the pane"
        line = page.locator(".line.marked").nth(20)
        line.locator(".source").hover()
        numbers = page.eval_on_selector_all(".step.lit", "all => all.map(s => s.id.slice(2))")
        assert numbers and numbers == sorted(line.get_attribute("data-f").split(), key=int)


def test_the_keyboard_walks_from_a_formula_to_its_code_and_back(browser: Any, folder: Path) -> None:
    with Visit(browser, folder / "lstm.html") as page:
        link = page.locator("#f-24 .to-code a").first
        link.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.matches('.line.lit')")
        back = page.locator(".line.lit .refs a[href='#f-24']").first
        back.focus()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.closest('.step').id") == "f-24"
        page.keyboard.press("Space")
        assert not page.evaluate("document.querySelector('#f-24').open"), "a step folds by the keyboard"
        page.keyboard.press("Escape")
        assert page.locator(".lit").count() == 0


def test_on_a_phone_a_tap_shows_the_code_below_the_formula(browser: Any, folder: Path) -> None:
    with Visit(browser, folder / "lstm.html", viewport=PHONE, has_touch=True, is_mobile=True) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], "nothing is wider than the phone"
        page.locator("#f-24 .math").tap()
        assert page.evaluate(
            "(r => r.top > 0 && r.bottom < innerHeight * 0.6)(document.querySelector('#f-24').getBoundingClientRect())"
        )
        assert page.evaluate(
            "(r => r.top > innerHeight * 0.4 && r.bottom <= innerHeight + "
            "1)(document.querySelector('.module').getBoundingClientRect())"
        )
        assert page.locator(".line.lit").first.is_visible()
        page.locator("[data-sheet]").tap()
        assert page.locator(".lit").count() == 0
        page.locator(".line.marked .source").nth(20).tap()  # in the code where it lies, below the derivation
        top = page.eval_on_selector(".step.lit", "s => s.getBoundingClientRect().top")
        assert 0 < top < PHONE["height"] / 2, "its first formula has come into view"


def test_nothing_is_wider_than_a_phone(browser: Any, folder: Path) -> None:
    for path in pages(folder):
        with Visit(browser, path, viewport=PHONE) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path.name


def luminance(png: bytes) -> float:
    """The mean brightness of a picture, from 0 to 1."""
    from matplotlib.image import imread

    return float(np.mean(imread(io.BytesIO(png), format="png")[..., :3]))


def test_light_and_dark_follow_the_system_and_the_button(browser: Any, folder: Path) -> None:
    for name in ("index", "lstm", "claims", "flow"):
        with Visit(browser, folder / f"{name}.html", color_scheme="light") as page:
            assert luminance(page.screenshot()) > 0.8
            page.locator("[data-theme-button]").click()
            assert luminance(page.screenshot()) < 0.3
        with Visit(browser, folder / f"{name}.html", color_scheme="dark") as page:
            assert luminance(page.screenshot()) < 0.3
            assert contrast(page) >= 4.5
        with Visit(browser, folder / f"{name}.html", color_scheme="light") as page:
            assert contrast(page) >= 4.5


def contrast(page: Any) -> float:
    """The least contrast (WCAG 2.2) of the colours that text has against the page."""
    script = """() => {
      const style = getComputedStyle(document.documentElement), probe = document.body.appendChild(document.createElement('i'));
      const light = (name) => { probe.style.color = style.getPropertyValue(name);
        const [r, g, b] = getComputedStyle(probe).color.match(/[0-9.]+/g).slice(0, 3)
          .map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
      const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const text = ['--ink', '--soft', '--link', '--good', '--part', '--bad', '--accent', '--gate'];
      return Math.min(...['--paper', '--panel'].flatMap((under) => text.map((over) => ratio(light(over), light(under)))));
    }"""
    return float(page.evaluate(script))


def test_in_print_everything_is_unfolded_and_nothing_is_cut(browser: Any, folder: Path) -> None:
    with Visit(browser, folder / "lstm.html", viewport={"width": 760, "height": 1000}) as page:
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open])").count() == 0
        assert page.evaluate("[...document.querySelectorAll('.code')].every(c => c.scrollHeight <= c.clientHeight + 1)")
        assert len(page.pdf()) > 50_000


def test_without_script_the_links_between_formulas_and_code_still_work(browser: Any, folder: Path) -> None:
    with Visit(browser, folder / "lstm.html", java_script_enabled=False) as page:
        href = page.locator("#f-24 .to-code a").first.get_attribute("href")
        assert page.locator(href).count() == 1
        assert page.locator(f"{href} .refs a[href='#f-24']").count() == 1


def test_a_screen_reader_is_told_what_there_is(browser: Any, folder: Path) -> None:
    with Visit(browser, folder / "lstm.html") as page:
        assert page.get_by_role("main").count() == 1
        assert page.get_by_role("navigation").count() >= 2
        assert page.eval_on_selector_all("math", "all => all.every(m => m.getAttribute('alttext'))")
        assert page.eval_on_selector_all("img", "all => all.every(i => i.alt.length > 20)")
        assert page.locator("figure svg[role=img] > title").count() >= 1
        levels = page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => Number(h.tagName[1]))")
        assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
        assert page.eval_on_selector_all("button", "all => all.every(b => b.innerText.trim() || b.getAttribute('aria-label'))")
