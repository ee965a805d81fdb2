"""Templates that were copied from Django's admin and changed: a new Django may have changed the original."""

from hashlib import sha256
from pathlib import Path

import django.contrib.admin
import pytest

ROOT = Path(__file__).resolve().parents[2]
ORIGINALS = Path(django.contrib.admin.__file__).parent / "templates"

# SHA-256 of Django's template that ours was last compared with.
COMPARED = {
    # Its block `header` is in our base_site.html.
    "admin/base.html": "3e14f9e1f9cba38186b40ad2c692811ad5e2fb6c652c2bd9d72b14965d46b7e2",
    "admin/base_site.html": "182897817c02fd96758284ca9eb6dd35f58e3688c6c536ad883e610ac03c1d38",
    "admin/filter.html": "72f8dacc61259f704bff48b2cfc29cb1e9dde56853f72fa05ca44dda41ea7a35",
    "admin/object_history.html": "37b43b8571d4fa5c104f327b8b58dc84246b52e6b0c8dd142eb24224ca2882ef",
    "admin/pagination.html": "a50313922facefca1a529ea20e1ddd24b70a923ac4cf4faef5bc75826d81bd69",
    # Copied for one word: Django 6.1 does not translate the `alt`.
    "admin/search_form.html": "6ef977578a62cb231bac732ababa4ef6cf1224c9fb289c4f045b94819225d329",
}


@pytest.mark.parametrize("name", COMPARED)
def test_the_original_is_the_one_that_ours_was_compared_with(name):
    original = ORIGINALS / name
    found = sha256(original.read_bytes()).hexdigest()
    assert found == COMPARED[name], (
        f"Django changed {name}. Take into our copy what it needs of `git diff --no-index` with {original}, "
        f"then write {found} into COMPARED."
    )


def test_every_copy_is_compared():
    """A template that extends the one it replaces gets the changes by itself."""
    templates = {str(path.relative_to(path.parents[1])): path for path in ROOT.glob("*/templates/admin/*.html")}
    copies = {
        name
        for name, path in templates.items()
        if (ORIGINALS / name).exists() and f'{{% extends "{name}" %}}' not in path.read_text()
    }
    assert copies == COMPARED.keys() - {"admin/base.html"}
