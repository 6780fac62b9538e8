"""Search of every file of a folder for texts that must not be there, however they are written."""

import base64
import dataclasses
import gzip
import html
import json
import os
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path


@dataclasses.dataclass
class Place:
    """A folder that was searched."""

    path: Path
    why_not: Mapping[Path, str]
    """What is left out below it, and why."""
    files: int = 0
    bytes: int = 0


@dataclasses.dataclass
class Finding:
    path: Path
    what: str
    """The name of the text, never the text."""

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def spellings(text: str) -> set[bytes]:
    """The text as files may hold it."""
    plain = text.encode()
    forms = {plain, text.encode("utf-16-le"), html.escape(text).encode(), json.dumps(text)[1:-1].encode()}
    forms |= {urllib.parse.quote(text).encode(), urllib.parse.quote_plus(text).encode(), plain.hex().encode()}
    for before in range(3):  # base64 of something that holds it: the part that does not depend on what is beside it
        coded = base64.b64encode(b"\0" * before + plain)
        start, end = (before * 8 + 5) // 6, len(coded) - 4
        forms.add(coded[start:end])
    return {form for form in forms if len(form) >= 6}


def search(place: Place, wanted: Mapping[str, str]) -> Iterator[Finding]:
    """Every file below the folder that holds one of the wanted texts, by content or by name; counts what it reads."""
    forms = {what: spellings(text) for what, text in wanted.items()}
    for path in _files(place):
        place.files += 1
        contents = [str(path).encode(), *_contents(path)]
        place.bytes += sum(len(content) for content in contents[1:2])
        for what, spelled in forms.items():
            if any(form in content for content in contents for form in spelled):
                yield Finding(path, what)


def _files(place: Place) -> Iterator[Path]:
    for folder, folders, names in os.walk(place.path):
        here = Path(folder)
        folders[:] = [name for name in folders if here / name not in place.why_not]
        yield from (here / name for name in names if here / name not in place.why_not)


def _contents(path: Path) -> Iterable[bytes]:
    """The file's bytes, and what is packed in them."""
    if path.is_symlink() or not path.is_file():
        return
    data = path.read_bytes()
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:1] == b"\x78":
        try:
            yield zlib.decompress(data)
        except zlib.error:
            return
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())
