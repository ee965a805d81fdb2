"""The service's own stylesheets."""

import re
from pathlib import Path

STYLESHEETS = sorted(Path(__file__).resolve().parents[2].glob("*/static/*/*.css"))
RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")


def read(path: Path) -> str:
    """Returns the styles without comments."""
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def rules(styles: str) -> list[tuple[str, str]]:
    """Returns the selector and the declarations of each rule, also within `@media` and the like."""
    return [(selector.strip(), body) for selector, body in RULE.findall(styles)]
