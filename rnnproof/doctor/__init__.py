"""The doctor: is a gradient that somebody wrote right, and if not, which mistake is it?

from rnnproof.doctor import examine

print(examine(make, cell="lstm"))
"""

from rnnproof.doctor.examination import examine
from rnnproof.doctor.findings import ArrayReport, Named
from rnnproof.doctor.report import Report

__all__ = ["ArrayReport", "Named", "Report", "examine"]
