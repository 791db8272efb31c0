"""Programs for developers and operators, which never run in the Lambda: one package per purpose."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
"""The root of the project."""
