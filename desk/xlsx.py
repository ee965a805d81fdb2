"""
An XLSX file (ECMA-376) of any length, streamed in constant memory.

XlsxWriter, openpyxl, rustpy-xlsxwriter and PyExcelerate give no byte before the last row; xlsx-streaming does, but is
under the GPL and needs a template for each type of cell. So the standard library's zipfile writes the parts: a million
rows take 44 s of a processor (XlsxWriter 133) and 26 MiB, with the first byte at once.
All strings are inline, so that none can be a formula.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from io import BufferedWriter
from string import ascii_uppercase
from typing import Any
from xml.sax.saxutils import escape, quoteattr

# Excel's limits
MAX_ROWS = 1_048_576
MAX_UNITS = 32_767  # of UTF-16 in a cell
CUT = " […]"
# Of XML in a sheet: from 2 GiB on a part needs the extension Zip64, which Excel refuses in a stream.
MAX_BYTES = 2_000_000_000
BUFFER = 65_536  # bytes

EPOCH = datetime(1899, 12, 30)
DAY = timedelta(days=1)
# What XML 1.0 does not allow
ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
# Excel would read _x0041_ as A.
ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
CONTENT_TYPES = f"""{XML}<Types xmlns="{PACKAGE}/content-types">\
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>\
<Default Extension="xml" ContentType="{TYPE}.worksheet+xml"/>\
<Override PartName="/xl/workbook.xml" ContentType="{TYPE}.sheet.main+xml"/>\
<Override PartName="/xl/styles.xml" ContentType="{TYPE}.styles+xml"/></Types>"""
ROOT = f"""{XML}<Relationships xmlns="{PACKAGE}/relationships">\
<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>"""
FONT = '<sz val="11"/><name val="Calibri"/>'
# The formats of cells: 0 is plain, 1 a date and time, 2 bold.
STYLES = f"""{XML}<styleSheet xmlns="{MAIN}">\
<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>\
<fonts count="2"><font>{FONT}</font><font><b/>{FONT}</font></fonts>\
<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>\
</fills>\
<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="3"><xf/>\
<xf numFmtId="164" applyNumberFormat="1"/><xf fontId="1" applyFont="1"/></cellXfs>\
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""
SHEET = f"""{XML}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0">\
<pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews><cols>{{columns}}</cols><sheetData>"""
SHEET_END = "</sheetData></worksheet>"


class _Stream:
    """A file without `seek`, whose parts `take` hands on."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self.parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Called by zipfile."""

    def take(self) -> bytes:
        parts, self.parts = self.parts, []
        return b"".join(parts)


def write(title: str, columns: dict[str, int], rows: Iterable[list[Any]]) -> Iterator[bytes]:
    """
    Sheets named `title`, as many as it takes, of rows: strings, numbers, naive timestamps.

    `columns`: the name of each column and its width in characters.
    """
    stream = _Stream()
    widths = "".join(
        f'<col min="{number}" max="{number}" width="{width}" customWidth="1"/>'
        for number, width in enumerate(columns.values(), 1)
    )
    start = (SHEET.format(columns=widths) + _row(1, list(columns)).replace("<c ", '<c s="2" ')).encode()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        archive.writestr("[Content_Types].xml", CONTENT_TYPES)
        archive.writestr("_rels/.rels", ROOT)
        archive.writestr("xl/styles.xml", STYLES)
        rows = iter(rows)
        sheets, row = 0, next(rows, None)
        while row or not sheets:
            sheets += 1
            # A call of zipfile takes longer than a row.
            part = archive.open(f"xl/worksheets/sheet{sheets}.xml", "w")
            with BufferedWriter(part, BUFFER) as sheet:
                sheet.write(start)
                number, size = 1, len(start)
                while row and number < MAX_ROWS:
                    written = _row(number + 1, row).encode()
                    if size + len(written) >= MAX_BYTES:
                        break
                    sheet.write(written)
                    number, size, row = number + 1, size + len(written), next(rows, None)
                    if stream.parts:
                        yield stream.take()
                sheet.write(SHEET_END.encode())
        numbers = range(1, sheets + 1)
        archive.writestr("xl/workbook.xml", _workbook([title, *(f"{title} {number}" for number in numbers[1:])]))
        relation = f'<Relationship Id="rId{{0}}" Type="{RELATIONS}/{{1}}" Target="{{2}}"/>'
        targets = "".join(relation.format(number, "worksheet", f"worksheets/sheet{number}.xml") for number in numbers)
        targets += relation.format(sheets + 1, "styles", "styles.xml")
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{targets}</Relationships>',
        )
    yield stream.take()


def _workbook(titles: list[str]) -> str:
    sheets = "".join(
        f'<sheet name={quoteattr(title)} sheetId="{number}" r:id="rId{number}"/>'
        for number, title in enumerate(titles, 1)
    )
    return f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{sheets}</sheets></workbook>'


def _row(number: int, row: list[Any]) -> str:
    """Writes the row `number`, counted from 1. Gnumeric shows no cell without its reference."""
    cells = [f'<row r="{number}">']
    for letter, value in zip(ascii_uppercase, row, strict=False):
        match value:
            case str():
                cells.append(
                    f'<c r="{letter}{number}" t="inlineStr"><is><t xml:space="preserve">{_text(value)}</t></is></c>'
                )
            case datetime():
                cells.append(f'<c r="{letter}{number}" s="1"><v>{(value - EPOCH) / DAY}</v></c>')
            case _:
                cells.append(f'<c r="{letter}{number}"><v>{value}</v></c>')
    cells.append("</row>")
    return "".join(cells)


def _text(text: str) -> str:
    # The checks before spare most texts what takes long.
    if not text.isprintable():
        text = ILLEGAL.sub("", text)
    if "_x" in text:
        text = ESCAPED.sub("_x005F_", text)
    if len(text) * 2 > MAX_UNITS and len(units := text.encode("utf-16-le")) > MAX_UNITS * 2:
        text = units[: (MAX_UNITS - len(CUT)) * 2].decode("utf-16-le", "ignore") + CUT
    return escape(text)
