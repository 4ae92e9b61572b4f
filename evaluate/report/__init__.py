"""Reports: terminal tables and report.json.

The HTML page is imported from its module, `bas.evaluate.report.page`: it reads video, and so loads torch.
"""

from bas.evaluate.report.document import analysis_document, report_document
from bas.evaluate.report.terminal import print_analysis, print_evaluation, write_report

__all__ = ["analysis_document", "print_analysis", "print_evaluation", "report_document", "write_report"]
