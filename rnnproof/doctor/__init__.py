"""The doctor: is a gradient that somebody wrote right, and if not, which mistake is it?

from rnnproof.doctor import examine

print(examine(make, cell="lstm"))
"""

from rnnproof.doctor.examination import examine
from rnnproof.doctor.report import ArrayReport, Named, Report

__all__ = ["ArrayReport", "Named", "Report", "examine"]
