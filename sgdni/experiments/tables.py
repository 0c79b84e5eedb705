"""Tables of results: on a terminal, and in Markdown for documents. A row is a dict by heading."""

from __future__ import annotations

from collections.abc import Sequence

Rows = Sequence[dict[str, str]]


def plain(rows: Rows) -> str:
    """Return the table as text; all columns but the first end at the right."""
    cells = [list(rows[0]), *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]),
                        *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
             for row in cells]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def markdown(rows: Rows) -> str:
    """Return the same table in Markdown."""
    rule = "|---" + "|---:" * (len(rows[0]) - 1) + "|"
    head, *body = ("| " + " | ".join(cells) + " |"
                   for cells in (rows[0], *(row.values() for row in rows)))
    return "\n".join([head, rule, *body])


def number(value: float | None, form: str) -> str:
    """Spell a number, such as 0.979 in the form ``{:.1%}``, or a dash where there is none."""
    return "-" if value is None else form.format(value)


def count(number: int, thing: str) -> str:
    """Spell a count: "1 epoch", "2 epochs"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def title(results: dict, *more: str) -> str:
    """Return two lines that say what was trained (with `more` of it), and on what machine."""
    s, data, machine = results["settings"], results["data"], results["machine"]
    trained = (
        f"{data['name']} ({data['train']:,} training images)",
        f"hidden {'-'.join(map(str, s['hidden']))}",
        "batch norm" if s["batch_norm"] else "no batch norm", f"batch {s['batch_size']}", *more,
    )
    return (f"{', '.join(trained)}\n{machine['processor']}, {count(machine['cores'], 'core')}, "
            f"NumPy {machine['numpy']}")
