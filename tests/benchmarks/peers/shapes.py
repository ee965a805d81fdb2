"""The values that every contender takes."""

from typing import Literal

Status = Literal["open", "in_progress", "resolved", "closed"]
Source = Literal["operator", "monitoring", "partner"]
