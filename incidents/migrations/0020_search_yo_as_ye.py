"""Search takes ё for е, also where ё is written as е with a combining diaeresis (U+0308)."""

from importlib import import_module

from django.db import migrations

FOLD = import_module("incidents.migrations.0011_fold_search").FOLD.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
YO_AS_YE = FOLD.replace(
    "RETURN upper(value)", r"RETURN replace(replace(upper(value), U&'\0401', U&'\0415'), U&'\0415\0308', U&'\0415')"
)
refold = import_module("incidents.migrations.0012_refold_search").forwards


def _replace_fold(schema_editor, fold):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(fold, params=None)


def forwards(apps, schema_editor):
    # Until the texts are folded anew, a search for a word with ё misses older incidents.
    _replace_fold(schema_editor, YO_AS_YE)


def backwards(apps, schema_editor):
    _replace_fold(schema_editor, FOLD)
    refold(apps, schema_editor)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("incidents", "0019_index_resolutions")]

    operations = [migrations.RunPython(forwards, migrations.RunPython.noop), migrations.RunPython(refold, backwards)]
