"""Text files as rows of cells: encoding, separator, decimal sign, comments, blank lines.

What is not plain is refused: a text that can be split in two ways, a comma that may be a
decimal sign or a thousands separator.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from itertools import chain, islice

from richlazy.sources.content import ReadError, afford, short
from richlazy.sources.tables.edges import pair
from richlazy.sources.tables.numbers import number

__all__ = ["SEPARATORS", "Rows", "decode", "rows"]

#: Separators that a kind of text may have, the usual one first.
SEPARATORS = {".csv": ",;\t", ".tsv": "\t;,", ".txt": "\t,; ", ".dat": "\t,; "}
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", " ": "spaces"}
_SAMPLE = 50  # rows that decide on the separator
_CHUNK = 50_000  # rows at a time
_CELL = 80  # bytes that a cell of text takes in memory
_DECIMAL = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+")


class Rows:
    """A table of stripped cells: its first row, and the columns of all the rows below.

    `quoted` says that the first row is in quotes and the numbers of the second are not;
    `short` that the first row lacks the cell of the row names, as R writes it.
    """

    def __init__(self, text: str, separator: str, skipped: int) -> None:
        self._text, self._separator, self._skipped = text, separator, skipped
        self._strip = " " in text or (separator != "\t" and "\t" in text)
        self.hint = f" (cells are separated by {_NAMES[separator]})"
        self.first, self.columns = self._read()
        self.short = len(self.columns) == len(self.first) + 1
        second = text[: 1 << 20].splitlines()[1:2]
        self.quoted = (
            self._in_quotes(self.first) and second != [] and not second[0].rstrip().endswith('"')
        )

    def line(self, row: int) -> int:
        """The number of the line that row `row` ends in; row 0 is the first."""
        for index, (line, _) in enumerate(self._records()):
            if index == row:
                return line
        raise AssertionError(f"there is no row {row}")

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        for line, row in _parse(self._text, self._separator):
            cells = [cell.strip() for cell in row] if self._strip else row
            if cells not in ([], [""]):
                yield line + self._skipped, cells

    def _read(self) -> tuple[list[str], list[list[str]]]:
        return self._read_plain() or self._read_any()

    def _read_plain(self) -> tuple[list[str], list[list[str]]] | None:
        """The same in one split, for a text without quotes whose lines are all alike."""
        text = self._text.rstrip("\n")
        plain = '"' not in text and "\r" not in text and "\n\n" not in text
        if self._separator == " " or not plain or not text or text[0] == "\n":
            return None
        lines = text.split("\n")
        width = text.count(self._separator, 0, len(lines[0])) + 1
        if any(line.count(self._separator) != width - 1 for line in lines):
            return None
        cells = text.replace("\n", self._separator).split(self._separator)
        if self._strip:
            cells = [cell.strip() for cell in cells]
        if (width == 1 and "" in cells) or max(map(len, cells)) > csv.field_size_limit():
            return None
        return cells[:width], [cells[width + k :: width] for k in range(width)]

    def _read_any(self) -> tuple[list[str], list[list[str]]]:
        parsed = _parse(self._text, self._separator)
        blank, last, width = 0, 0, 0
        first: list[str] = []
        columns: list[list[str]] = []
        while chunk := list(islice(parsed, _CHUNK)):
            body = []
            for line, row in chunk:
                cells = [cell.strip() for cell in row] if self._strip else row
                if not cells or cells == [""]:
                    blank = blank or last + 1
                    last = line
                    continue
                last = line
                if blank:
                    raise ReadError("is blank; remove it or fill it in", blank + self._skipped)
                if not first:
                    first, width = cells, len(cells)
                    continue
                if not columns:
                    width = self._width(first, cells)
                    columns = [[] for _ in range(width)]
                if len(cells) != width:
                    must = f"must have {width} cells like line {1 + self._skipped}"
                    if pair(first) is not None:
                        must = f"an edge must have {width} cells"
                    raise ReadError(f"{must}; it has {len(cells)}", line + self._skipped)
                body.append(cells)
            for column, part in zip(columns, zip(*body, strict=True), strict=False):
                column.extend(part)
        if not first:
            raise ReadError("is empty")
        return first, columns or [[] for _ in first]

    def _in_quotes(self, first: list[str]) -> bool:
        line = self._text[: 1 << 20].lstrip().partition("\n")[0]
        return line.count('"') == 2 * len(first)

    def _width(self, first: list[str], second: list[str]) -> int:
        """The width of the table: R gives the names of the columns one cell less."""
        names = self._in_quotes(first) or all(number(cell) is None for cell in first)
        return len(second) if names and len(second) == len(first) + 1 else len(first)


def decode(data: bytes) -> str:
    """Return the text of UTF-8, or of UTF-16 that opens with its byte order mark."""
    utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 if utf16 else data.count(b"\n", 0, error.start) + 1
        raise ReadError(
            f"is not {'UTF-16' if utf16 else 'UTF-8'} text; save it as such", line
        ) from None


def rows(data: bytes, suffix: str, limit: float) -> tuple[Rows, list[str]]:
    """Split a text into cells, if there is one way to do it; returns notes too."""
    afford(4 * len(data), limit, "its text")
    text, skipped, notes = decode(data), 0, []
    while match := re.match(r"#(?:[ \t#][^\r\n]*)?(?:\r\n|\r|\n|$)", text):
        text, skipped = text[match.end() :], skipped + 1
        if not match[0]:
            break
    if skipped:
        notes.append(f"comment lines skipped: {skipped}")
    if text.count("\0") > len(text) // 4:
        raise ReadError("holds zero bytes, as UTF-16 without its mark does; save it as UTF-8", 1)
    separator = _separator(text, suffix)
    cells = text.count(separator) + text.count("\n") + 1
    afford(_CELL * cells, limit, f"a table of {cells} cells")
    if suffix in (".csv", ".tsv") and separator != SEPARATORS[suffix][0]:
        notes.append(f"cells are separated by {_NAMES[separator]}")
    table = Rows(text, separator, skipped)
    if separator != "," and _decimal_commas(table):
        notes.append("decimal commas read as points")
    return table, notes


def _parse(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each record's last line and its cells as they stand."""
    source: Iterator[str] = io.StringIO(text, newline="")
    if separator == " ":  # runs of spaces and tabs
        source = (line.replace("\t", " ").strip() for line in io.StringIO(text, newline=None))
    reader = csv.reader(source, delimiter=separator, strict=True, skipinitialspace=separator == " ")
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ReadError(str(error), reader.line_num) from None


def _separator(text: str, suffix: str) -> str:
    """The one separator that splits the first rows alike, or the usual one if none does."""
    samples: dict[str, list[list[str]]] = {}
    for separator in SEPARATORS[suffix]:
        if separator == " " and "\t" in samples and _even(samples["\t"]):
            continue  # tabs are spaces too
        try:
            sample = [row for _, row in islice(_parse(text, separator), _SAMPLE) if row]
        except ReadError:
            continue
        widths = [len(row) for row in sample]
        if widths and widths[0] < widths[-1] and any(map(_looks_numeric, sample[0])):
            widths[0] = 0  # numbers are no names of columns
        if len(set(widths[1:] or widths)) == 1 and 0 <= widths[-1] - widths[0] < 2 <= widths[-1]:
            samples[separator] = sample
    for better in (_even, _ends_in_numbers, _all_numbers):
        if len(samples) > 1:
            samples = {k: sample for k, sample in samples.items() if better(sample)} or samples
    if len(samples) > 1:
        ways = " or ".join(_NAMES[separator] for separator in samples)
        raise ReadError(f"can be split at {ways}; save it with one of them")
    usual = SEPARATORS[suffix][0] if suffix in (".csv", ".tsv") else SEPARATORS[suffix][-1]
    return next(iter(samples), usual)


def _even(sample: list[list[str]]) -> bool:
    """Whether the first row is as wide as the rest: only R writes it one cell shorter."""
    return len(sample[0]) == len(sample[-1])


def _ends_in_numbers(sample: list[list[str]]) -> bool:
    return all(_looks_numeric(row[-1]) for row in sample[1:] or sample)


def _all_numbers(sample: list[list[str]]) -> bool:
    return all(map(_looks_numeric, chain.from_iterable(sample[1:] or sample)))


def _looks_numeric(cell: str) -> bool:
    cell = cell.strip()
    return number(cell) is not None or _DECIMAL.fullmatch(cell) is not None


def _decimal_commas(table: Rows) -> bool:
    """Put points for decimal commas, in place; says whether there were any."""
    found: list[str] = []
    mine = []
    for place, column in enumerate(table.columns, -int(table.short)):
        cells = [cell for cell in column if "," in cell]
        if place >= 0 and "," in table.first[place] and not cells:
            cells = [table.first[place]]
        if cells and all(map(_DECIMAL.fullmatch, cells)):
            mine.append((place, column))
            found += cells
    if not found:
        return False
    if all(map(_THOUSANDS.fullmatch, found)):
        raise ReadError(
            f"{short(found[0])} may have a decimal comma or separate thousands; write numbers "
            "with a point"
        )
    for cell in chain(table.first, *table.columns):
        if "." in cell and number(cell) is not None:
            raise ReadError(
                f"has decimal commas and points, as in {short(found[0])} and {short(cell)}; "
                "write numbers with a point"
            )
    for place, column in mine:
        column[:] = [cell.replace(",", ".") for cell in column]
        if place >= 0 and _DECIMAL.fullmatch(table.first[place]):
            table.first[place] = table.first[place].replace(",", ".")
    return True
