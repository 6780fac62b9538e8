"""The loaded part of a source's table. Publication compares arrived rows with this part of the raw table."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class WholeTable:
    """All rows. A raw row not among them is gone from the source."""

    named: tuple[int, ...] | None = None
    """The values of the first key column that the source's log names as changed. None: it was not asked, or in vain."""


@dataclasses.dataclass(frozen=True)
class NewerRows:
    """Rows that may have changed, by a change column. Other raw rows stay."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """All rows of the blocks in ``numbers``. A row's block is its first key column without its last ``bits`` bits."""

    bits: int
    numbers: tuple[int, ...]


Part = WholeTable | NewerRows | Blocks
