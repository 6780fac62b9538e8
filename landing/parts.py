"""Which part of a source's table was read, or rather loaded: what publication has to know of the rows that arrived."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class WholeTable:
    """All rows: raw rows that are not among them are gone from the source."""


@dataclasses.dataclass(frozen=True)
class NewerRows:
    """Rows that may have changed, by a change column: raw rows that are not among them stay."""


@dataclasses.dataclass(frozen=True)
class Blocks:
    """All rows of some blocks: those whose first key column, without its last ``bits`` bits, is one of ``numbers``."""

    bits: int
    numbers: tuple[int, ...]


Part = WholeTable | NewerRows | Blocks
