"""Figures as words: the formats of titles and tiles, the same as draw.js uses in drawings."""

import datetime
from decimal import ROUND_HALF_UP, Decimal

MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def rounded(value: float | Decimal, digits: int = 0) -> Decimal:
    """Half away from zero, as JavaScript rounds positive numbers."""
    return Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def sign(value: float, plus: bool = True) -> str:
    return "\N{MINUS SIGN}" if value < 0 else "+" if plus and value > 0 else ""


def short(cents: int, plus: bool = False) -> str:
    """Three digits and a unit: $1.77M, $27.7k, $511k."""
    size, letter = (10**8, "M") if abs(cents) >= 99_950_000 else (10**5, "k") if abs(cents) >= 99_950 else (100, "")
    value = Decimal(abs(cents)) / size
    digits = 0 if not letter or value >= 100 else 1 if value >= 10 else 2
    return f"{sign(cents, plus)}${rounded(value, digits)}{letter}"


def percent(ratio: float) -> str:
    return f"{sign(ratio, False)}{rounded(abs(ratio) * 100)}%"


def change(now: int, before: int) -> str:
    """Whole percent with its sign. From three times on, a factor."""
    if before <= 0:
        return "none before" if now > 0 else ""
    if now >= 3 * before:
        return f"×{rounded(now / before, 1 if now < 10 * before else 0)}"
    points = rounded((now / before - 1) * 100)
    return f"{sign(float(points))}{abs(points)}%" if points else "no change"


def month(key: str) -> str:
    """``2004-11`` as people say it."""
    return f"{MONTHS[int(key[5:]) - 1]} {key[:4]}"


def day(date: datetime.date) -> str:
    return f"{date.day} {MONTHS[date.month - 1]} {date.year}"


def many(number: int, one: str, more: str = "") -> str:
    """``1 order``, ``3 orders``, ``no order``."""
    return f"{f'{number:,}' if number else 'no'} {one if number in (0, 1) else more or one + 's'}"


def spelled(number: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return words[number] if number < len(words) else f"{number:,}"


def listed(names: list[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
