"""What a gradient check found: numbers for a program, sentences for a reader."""

from __future__ import annotations

from dataclasses import dataclass, field

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
        return (
            f"{self.variable}{list(self.index)}: analytic {self.analytic:+.8g}, "
            f"numeric {self.numeric:+.8g}, relative error {self.error:.1e}"
        )


@dataclass(frozen=True)
class Kink:
    """An entry where the function bends: its derivatives to the left and to the right differ."""

    variable: str
    index: tuple[int, ...]
    analytic: float
    left: float
    right: float

    def __str__(self) -> str:
        return (
            f"{self.variable}{list(self.index)}: {self.left:+.6g} to the left, "
            f"{self.right:+.6g} to the right, analytic {self.analytic:+.6g}"
        )


@dataclass
class Report:
    """The result of one check. ``print(report)`` explains it.

    Attributes
    ----------
    subject : str
        What was checked.
    tolerance : float
        The largest relative error that passes.
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
    tolerance: float
    checked: dict[str, int] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    kinks: list[Kink] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

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
            lines.append(
                f"    {name:{width}}  {self.errors[name]:.1e}  in {count} entries"
                + (f", {wrong} of them WRONG (above {self.tolerance:.0e})" if wrong else "")
            )
        lines += self._worst_failures()
        if self.kinks:
            lines.append(
                f"  at kinks, where there is no derivative to compare: {len(self.kinks)} entries"
                + (", too many: move the input away from them" if self.too_many_kinks else "")
            )
            lines += [f"    {kink}" for kink in self.kinks[:3]]
        return "\n".join(lines)

    def _worst_failures(self, at_most: int = 3) -> list[str]:
        """Return lines on the worst few of each variable, by how far apart the values are."""
        lines = []
        for name in self.checked:
            found = [f for f in self.failures if f.variable == name]
            # NaN, which is below nothing, comes first
            found.sort(key=lambda f: (f.error <= 2, -abs(f.analytic - f.numeric)))
            if found:
                lines.append(f"  {name} is wrong, for example:")
                lines += [f"    {failure}" for failure in found[:at_most]]
        return lines
