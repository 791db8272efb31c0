"""What runs on a developer's machine, and never in the Lambda."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
"""The project's own folder."""
