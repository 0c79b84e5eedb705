"""What is recorded of a run, one record an epoch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class EpochRecord:
    """One epoch. Losses are means per example; accuracies are shares in [0, 1].

    train_seconds : wall time of this epoch's training steps alone, without evaluation.
    total_seconds : the same summed over all epochs so far.
    sg_relative_error, sg_cosine, sg_target_error : one number for each interface, bottom to top,
        after the epoch (see analysis.quality); empty without SG models.
    """

    epoch: int
    steps: int
    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float
    train_seconds: float
    total_seconds: float
    sg_relative_error: tuple[float, ...] = ()
    sg_cosine: tuple[float, ...] = ()
    sg_target_error: tuple[float, ...] = ()

    def to_dict(self) -> dict:
        """Return plain numbers and lists, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: dict) -> EpochRecord:
        """Rebuild from `to_dict`, possibly after a trip through JSON.

        Raises
        ------
        TypeError, OverflowError
            For what is no record.
        """
        made = cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in record.items()})
        for field in fields(cls):
            value = getattr(made, field.name)
            for number in value if field.type.startswith("tuple") else [value]:
                whole = isinstance(number, int) and not isinstance(number, bool)
                if not (whole or (isinstance(number, float) and field.type != "int")):
                    raise TypeError(f"{field.name}: expected {field.type}, got {value!r}")
                float(number)  # which a whole number may be too large for
        return made


def seconds_to_accuracy(history: list[EpochRecord], target: float) -> float | None:
    """Return the training seconds until test accuracy first reached `target`, else None."""
    return next((r.total_seconds for r in history if r.test_accuracy >= target), None)
