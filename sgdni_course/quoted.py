"""Keep the numbers in a lesson's text and the numbers of its run together."""

from __future__ import annotations

import re


def stated(sentence: str, holds: bool) -> None:
    """Print a note if the run contradicts a sentence of the lesson's text, else nothing.

    Like :func:`quoted`, for what is no single number: `sentence` is copied from the text.
    """
    if not holds:
        print(f'Note: the text says "{" ".join(sentence.split())}", which this run contradicts.')


def quoted(text: str, value: float, within: float) -> None:
    """Print a note if the run gave another value than the lesson's text says, else nothing.

    It does not raise: a student who changes a line is told which sentence no longer holds, and
    goes on. The tests of the course take any note for a failure.

    Parameters
    ----------
    text : str
        The number as the text has it, such as ``"92%"`` or ``"0.85"`` or ``"1,000"``.
    value : float
        What the run gave; a share for a percentage (0.917).
    within : float
        How far off it may be, in the units of `value`. Choose it by running with other seeds, and
        so that the sentence stays true over the whole range.

    Raises
    ------
    ValueError
        Unless `text` is a number, with or without a percent sign.
    """
    match = re.fullmatch(r"(-?[\d,]*\.?\d+(?:e-?\d+)?)\s?(%?)", text)
    if not match:
        raise ValueError(f"quoted: expected a number such as '92%' or '0.85', got {text!r}")
    percent = bool(match[2])
    stated = float(match[1].replace(",", "")) / (100 if percent else 1)
    if not abs(value - stated) <= within:  # so that NaN is noted
        got = f"{100 * value:.1f}%" if percent else f"{value:.3g}"
        print(f"Note: the text says {text}, this run gave {got}.")
