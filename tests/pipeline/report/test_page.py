"""report.html: well formed, self-contained, safe with hostile names, honest about what is missing."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from seqpress.pipeline.report import html, view
from seqpress.pipeline.report.model import Report

VOID = {"meta", "link", "br", "hr", "img", "input"}
LOADS = {"src", "href", "action", "poster", "data", "srcset", "xlink:href", "formaction"}


class Page(HTMLParser):
    """Reads the page strictly: every end tag closes the last open one, ids are unique."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in LOADS:
                self.loads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def text(report: Report) -> str:
    return html.render(report)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_well_formed_with_unique_ids(page: Page) -> None:
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {"html", "header", "main", "nav", "footer", "section", "table", "caption", "svg", "title", "desc"} <= set(
        page.tags
    )


def test_every_link_in_the_page_has_its_target(page: Page) -> None:
    anchors = [load.removeprefix("#") for load in page.loads if load.startswith("#")]
    assert anchors
    assert set(anchors) <= set(page.ids)


def test_nothing_is_loaded_from_anywhere(page: Page, text: str) -> None:
    assert [load for load in page.loads if not load.startswith("#") and load != "data:,"] == []
    assert "@import" not in text
    assert "url(" not in text
    assert "http:" not in text
    assert "https:" not in text
    assert page.handlers == []


def test_the_policy_allows_exactly_the_one_script(text: str) -> None:
    script = re.search(r"<script>(.*?)</script>", text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text.replace("&#39;", "'")
    assert text.count("<script") == 1
    assert "default-src 'none'" in text


def test_every_variant_gate_and_artifact_is_there(page: Page, report: Report) -> None:
    for variant in view.variants(report):
        assert variant.id in page.text
        assert variant.sha256 in page.text
    for gate in report.gates:
        assert gate.name in page.text
    for entry in report.lineage:
        assert entry.task in page.text
        assert entry.key[:12] in page.text


def test_the_outcome_comes_first(page: Page, report: Report) -> None:
    top = page.text[: page.text.index("Gates Last release Variants")]
    for word in ("✗ fail", "exit code 5", "quality.drop", "131× smaller", "30× faster", "+0.2 points", "9,520 bytes"):
        assert word in top, word
    assert report.sentence in page.text


@pytest.mark.parametrize("word", ["None", "nan", "inf", "NaN", "undefined", "Markup"])
def test_no_word_of_a_machine_for_nothing(page: Page, bare: Report, word: str) -> None:
    for text in (page.text, Page(html.render(bare)).text):
        assert not re.search(rf"(?<![\w-]){word}(?![\w-])", text.replace("test split holds NaN", ""))


def test_what_was_not_measured_says_why(bare: Report) -> None:
    text = Page(html.render(bare)).text
    for reason in (
        "the test split holds NaN", "the worker died", "nothing to compare with", "scikit-learn is not installed",
        "No control was trained", "only the best seed", "No artifact was made", "No gates were set", "not a cold run",
        "weights not listed",
        "nothing was trained", "no provider was asked for",
    ):  # fmt: skip
        assert reason in text, reason
    assert " 0.0 µs" not in text


def test_a_hostile_name_stays_a_name(report: Report) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\x1b[31m\u202e"
    students = tuple(
        s.model_copy(
            update={
                "name": evil, "architecture": evil, "headline": evil,
                "variants": tuple(v.model_copy(update={"model": evil, "id": evil, "file": evil}) for v in s.variants),
            }
        )
        for s in report.students
    )  # fmt: skip
    data = report.data.model_copy(update={"labels": (evil,), "features": (evil,), "source": evil})
    findings = tuple(one.model_copy(update={"text": evil, "subject": evil}) for one in report.findings)
    bent = report.model_copy(
        update={
            "students": students,
            "data": data,
            "findings": findings,
            "name": evil,
            "config_yaml": evil,
            "sentence": evil,
        }
    )
    text = html.render(bent)
    page = Page(text)
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert page.handlers == []
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>alert(1)</script>" in page.text  # visible as words


def test_a_speed_that_was_not_compared_is_no_claim(report: Report) -> None:
    student = report.students[0]
    variants = tuple(v.model_copy(update={"latency": None, "latency_reason": "killed"}) for v in student.variants)
    bent = report.model_copy(update={"students": (student.model_copy(update={"variants": variants}),), "gates": ()})
    top = Page(html.render(bent)).text.split("Gates Variants")[0]
    assert "speed not measured killed" in top
    assert "faster" not in top.split("exit code")[1]
    assert "✓ no gate failed" not in top


def test_light_and_rich_enough_to_mail(text: str) -> None:
    assert 50_000 < len(text.encode()) < 400_000


def test_a_long_training_is_thinned(report: Report) -> None:
    one = report.curves[-1]
    long = one.model_copy(
        update={"epochs": tuple(one.epochs[i % 150].model_copy(update={"epoch": i + 1}) for i in range(9000))}
    )
    made = html.render(report.model_copy(update={"curves": (*report.curves[:-1], long)}))
    assert len(made) < len(html.render(report)) + 30_000


def test_dark_and_light_define_the_same_variables(text: str) -> None:
    blocks = [
        set(re.findall(r"(--[\w-]+):", block)) for block in re.findall(r"\{([^{}]*color-scheme: \w+;[^{}]*)\}", text)
    ]
    assert len(blocks) >= 4
    assert len({frozenset(b - {"--sans", "--mono"}) for b in blocks}) == 1
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    local = {"--c", "--tone", "--tone-bg", "--mark", "--share"}
    assert used <= blocks[0] | local


def test_text_has_contrast_in_both_themes(text: str) -> None:
    """WCAG AA, 4.5 to 1, for every pair of a text colour and the ground it stands on."""
    blocks = [
        dict(re.findall(r"(--[\w-]+): (#\w+)", b)) for b in re.findall(r"\{([^{}]*color-scheme: \w+;[^{}]*)\}", text)
    ]
    for colours in blocks[:2]:
        pairs = [(ink, ground) for ink in ("--ink", "--soft", "--link") for ground in ("--page", "--paper", "--raised")]
        pairs += [(f"--{tone}", ground) for tone in ("good", "bad", "warn") for ground in (f"--{tone}-bg", "--paper")]
        pairs += [(f"--f{i}-text", f"--f{i}") for i in range(6)]
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground, colours[ink], colours[ground])


def contrast(a: str, b: str) -> float:
    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_a_text_takes_a_series_colour_only_where_it_has_a_series(text: str) -> None:
    """``fill: var(--c)`` without a ``--c`` is black, which nobody sees on a dark page."""
    rules = re.findall(r"(svg text[^{]*)\{([^}]*var\(--c\)[^}]*)\}", text)
    assert len(rules) == 6
    assert all(re.search(r"\.s\d$", selector.strip()) for selector, _ in rules)
