"""comparison.html: the page of ``compress compare``, offline like report.html and in its clothes."""

import base64
import hashlib

from markupsafe import Markup

from . import changes, comparison_view as view, details, html
from .comparison import ComparisonReport


def render(report: ComparisonReport) -> str:
    """The page. Opens at 400 px and at 1280 px, in light and dark."""
    script = html.part("report.js")
    page = (
        html.environment()
        .get_template("comparison.html.j2")
        .render(
            report=report,
            style=Markup(html.environment().get_template("report.css.j2").render()),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
            changes=changes,
            view=view,
            facts=details.facts,
        )
    )
    return page.rstrip() + "\n"
