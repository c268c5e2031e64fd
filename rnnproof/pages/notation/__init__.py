"""The documentation page "Writing equations the reader understands": data by section, and `document()`, which reads it all."""

from rnnproof.pages.notation.model import Example, Refusal, Section, Spelling
from rnnproof.pages.notation.page import SECTIONS, document
from rnnproof.pages.notation.refused import REFUSED

__all__ = ["REFUSED", "SECTIONS", "Example", "Refusal", "Section", "Spelling", "document"]
