"""What a gradient check found: numbers for a program, sentences for a reader."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

TOLERANCE = 1e-6  # the largest relative error that passes
MOST_KINKS = 0.1  # of the entries checked; a check of little else than kinks is none


@dataclass(frozen=True)
class Failure:
    """An entry whose analytic derivative (from the code) is not the numeric one (measured)."""

    variable: str
    index: tuple[int, ...]
    analytic: float
    numeric: float
    error: float

    def __str__(self) -> str:
        return (f"{self.variable}{list(self.index)}: analytic {self.analytic:+.8g}, "
                f"numeric {self.numeric:+.8g}, relative error {self.error:.1e}")


@dataclass(frozen=True)
class Kink:
    """An entry where the function bends: its derivatives to the left and to the right differ."""

    variable: str
    index: tuple[int, ...]
    analytic: float
    left: float
    right: float

    def __str__(self) -> str:
        return (f"{self.variable}{list(self.index)}: {self.left:+.6g} to the left, "
                f"{self.right:+.6g} to the right, analytic {self.analytic:+.6g}")


@dataclass
class Report:
    """The result of one check. ``print(report)`` explains it.

    Attributes
    ----------
    subject : str
        What was checked.
    checked, errors : dict of str to int, to float
        For each variable, the entries compared (kinks included) and the largest relative error
        (kinks excluded; NaN when an entry is not a number).
    failures : list of Failure
    kinks : list of Kink
        Here central differences mean nothing. They pass when the analytic value lies between the
        one-sided derivatives, but not when more than a tenth of all entries are kinks.
    violations : list of str
        Other promises that were broken, each a sentence.
    """

    subject: str
    checked: dict[str, int] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def expect(self, kept: bool, violation: str) -> None:
        """Note a violation, once, unless the promise was kept."""
        if not kept and violation not in self.violations:
            self.violations.append(violation)

    def expect_array(self, name: str, array: np.ndarray, shape: tuple[int, ...]) -> bool:
        """Note anything but finite float64 of this shape; return whether type and shape are so."""
        got = type(array).__name__
        if isinstance(array, np.ndarray):
            got = f"{array.dtype} of shape {array.shape}"
        right = got == f"float64 of shape {shape}"
        self.expect(right, f"{name}: expected float64 of shape {shape}, got {got}")
        self.expect(not right or bool(np.isfinite(array).all()),
                    f"{name}: expected finite values, some are not")
        return right

    @contextmanager
    def unaltered(self, who: str, arrays: dict[str, np.ndarray]) -> Iterator[None]:
        """Note what the block has altered of these arrays, and put it back."""
        before = {name: array.copy() for name, array in arrays.items()}
        yield
        for name, array in arrays.items():
            if not np.array_equal(array, before[name], equal_nan=array.dtype.kind == "f"):
                self.expect(False, f"{who} altered {name}")
                array[...] = before[name]

    @property
    def too_many_kinks(self) -> bool:
        return len(self.kinks) > MOST_KINKS * sum(self.checked.values())

    @property
    def passed(self) -> bool:
        return not (self.failures or self.violations or self.too_many_kinks)

    def raise_if_failed(self) -> None:
        """Raise AssertionError with the whole text unless the check passed."""
        if not self.passed:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        lines = [f"{self.subject}: {'passed' if self.passed else 'FAILED'}"]
        lines += [f"  {text}" for text in self.violations]
        if self.checked:
            width = max(map(len, self.checked))
            lines.append("  largest relative error between the code and finite differences:")
        for name, count in self.checked.items():
            wrong = sum(f.variable == name for f in self.failures)
            lines.append(f"    {name:{width}}  {self.errors[name]:.1e}  in {count} entries"
                         + f", {wrong} of them WRONG (above {TOLERANCE:.0e})" * bool(wrong))
        for name in self.checked:
            # the worst few, by how far apart the values are; NaN, which is below nothing, first
            found = sorted((f for f in self.failures if f.variable == name),
                           key=lambda f: (f.error <= 2, -abs(f.analytic - f.numeric)))
            if found:
                lines.append(f"  {name} is wrong, for example:")
                lines += [f"    {failure}" for failure in found[:3]]
        if self.kinks:
            lines.append(
                f"  at kinks, where there is no derivative to compare: {len(self.kinks)} entries"
                + ", too many: move the input away from them" * self.too_many_kinks)
            lines += [f"    {kink}" for kink in self.kinks[:3]]
        return "\n".join(lines)
