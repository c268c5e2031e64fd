"""`Report`: what an examination found, with a short repr, a readable str, Markdown and a heat map for notebooks."""

from __future__ import annotations

from dataclasses import dataclass

from rnnproof.doctor import report_text
from rnnproof.doctor.findings import Findings


@dataclass(frozen=True, repr=False)
class Report(Findings):
    """The answer of `examine`; its fields are those of `Findings`."""

    def __repr__(self) -> str:
        return f"<Report: {report_text.verdict(self)}>"

    def __str__(self) -> str:
        return report_text.plain(self)

    def markdown(self) -> str:
        """The report in Markdown, with a table of the errors by array and T."""
        return report_text.markdown(self)

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        return report_text.html(self)
