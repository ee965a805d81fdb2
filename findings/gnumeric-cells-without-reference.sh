#!/usr/bin/env bash
# Gnumeric 1.12.55 (Debian 12) imports an XLSX whose rows and cells have no reference as an empty sheet.
#
# Expected: two filled cells. ECMA-376 Part 1, 18.3.1.4 and 18.3.1.73, makes the attribute `r` of <c> and <row> optional; Excel,
# LibreOffice and openpyxl count the cells then. Gnumeric takes each cell for column -1, writes
# "sheet_cell_create: assertion 'col >= 0' failed", and exits with 0.
# For us: the export writes references (desk/xlsx.py), though they are a fifth of a row's bytes.
set -euo pipefail
version=1.12.55-1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

mkdir -p "$tmp/debs/partial" "$tmp/debian/data"
# With an empty status every dependency is downloaded too, libc included.
apt-get -qq -y -o Dir::State::status=/dev/null -o Dir::Cache::archives="$tmp/debs" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
    --no-install-recommends --download-only install "gnumeric=$version"
for deb in "$tmp"/debs/*.deb; do dpkg-deb -x "$deb" "$tmp/debian"; done

python3 - "$tmp/debian/data" <<'PYTHON'
import sys, zipfile

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TEXT = '<is><t>text</t></is></c>'
SHEETS = {
    "without": f'<row><c><v>5</v></c><c t="inlineStr">{TEXT}</row>',
    "with": f'<row r="1"><c r="A1"><v>5</v></c><c r="B1" t="inlineStr">{TEXT}</row>',
}
for name, rows in SHEETS.items():
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}.xlsx", "w") as file:
        file.writestr("[Content_Types].xml", f'<Types xmlns="{PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Default Extension="xml" ContentType="{TYPE}.worksheet+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/></Types>')
        file.writestr("_rels/.rels", f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>')
        file.writestr("xl/workbook.xml", f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
            '<sheet name="Sheet" sheetId="1" r:id="r1"/></sheets></workbook>')
        file.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{PACKAGE}/relationships">'
            f'<Relationship Id="r1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')
        file.writestr("xl/worksheets/sheet1.xml", f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>')
PYTHON

convert() {
    LC_ALL=C.UTF-8 HOME=/data chroot "$tmp/debian" ssconvert -T Gnumeric_stf:stf_csv "/data/$1.xlsx" "/data/$1.csv" 2>"$tmp/errors"
}
LC_ALL=C.UTF-8 chroot "$tmp/debian" ssconvert --version
convert with
echo "with references:    $(cat "$tmp/debian/data/with.csv")"
convert without
echo "without references: $(cat "$tmp/debian/data/without.csv") ($(grep -c assertion "$tmp/errors") assertions)"
[ "$(cat "$tmp/debian/data/with.csv")" = "5,text" ] || { echo "with references it fails too: the script proves nothing"; exit 1; }
[ -z "$(cat "$tmp/debian/data/without.csv")" ] || { echo "Gnumeric reads cells without a reference now"; exit 1; }
