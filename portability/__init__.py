"""Is this SQL read by Redshift as Postgres reads it?"""

from portability.gate import Violation, violations

__all__ = ["Violation", "violations"]
