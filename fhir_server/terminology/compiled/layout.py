"""The tables of a compiled code system, one SQLite file per system and version. https://hl7.org/fhir/R4/codesystem.html

| Table | A row |
|---|---|
| `meta` | what the file is: `format`, `url`, `version`, `content`, `name`, `kind`, `sources`, `counts`, `loaded_at` … |
| `concept` | one code; `id` counts in the order of the source, `active` is 0 where the code is no longer in use |
| `designation` | one more text of a concept: language, use (a code such as `preferred`), value |
| `property` | one value of a property: its FHIR type, its text as filters compare it; `whole` is a Coding as JSON |
| `parent` | one step up; a concept may have several |
| `member` | one concept of a set of the source: a reference set of SNOMED CT, an answer list of LOINC |
| `words` | full-text index over the folded words of all texts; `rowid` is the concept's `id` |

Ancestors are found by a recursive query over `parent` (DECISIONS.md: "Large code systems in SQLite files").
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

FORMAT = 1
"""Version of these tables; a file of another one is not read, and has to be loaded anew."""

SUFFIX = ".sqlite"

ABSTRACT = "notSelectable"
"""The property of a code that only groups others, whatever the source calls it."""

# Letters that SQLite's tokenizer takes for separators: a word is to be one token, as it is for `index.words`.
_LETTERS_TOO = "".join(map(chr, range(0x19B0, 0x19CA)))

SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE concept (
  id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE, display TEXT, active INTEGER NOT NULL, definition TEXT);
CREATE TABLE designation (concept INTEGER NOT NULL, language TEXT, use TEXT, value TEXT NOT NULL);
CREATE TABLE property (concept INTEGER NOT NULL, code TEXT NOT NULL, type TEXT NOT NULL, value TEXT NOT NULL,
  whole TEXT);
CREATE TABLE parent (child INTEGER NOT NULL, parent INTEGER NOT NULL, PRIMARY KEY (child, parent)) WITHOUT ROWID;
CREATE TABLE member (name TEXT NOT NULL, concept INTEGER NOT NULL, PRIMARY KEY (name, concept)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
  text, content='', detail=none, columnsize=0, tokenize="unicode61 remove_diacritics 0 tokenchars 'LETTERS'");
""".replace("LETTERS", _LETTERS_TOO)

INDEXES = """
CREATE INDEX property_of ON property (concept);
CREATE INDEX property_value ON property (code, value, concept);
CREATE INDEX child_of ON parent (parent, child);
"""


@dataclass(frozen=True, slots=True)
class Source:
    """One file that a code system was read from."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Header:
    """What a compiled file is. `content` is `complete` or `fragment`, as in a CodeSystem; `kind` is that of the source.

    `property_types` has the FHIR type of each property, `copyright` the notice that goes with the content.
    """

    url: str
    version: str
    kind: str
    content: str = "complete"
    name: str = ""
    language: str = ""
    is_case_sensitive: bool = True
    hierarchy_meaning: str = "is-a"
    copyright: str = ""
    property_types: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    loaded_at: str = ""

    @property
    def canonical(self) -> str:
        """`url|version`, the url alone without a version."""
        return f"{self.url}|{self.version}" if self.version else self.url


def file_name(url: str, version: str) -> str:
    """Returns the name of the file of a system and version: legible, and never that of another."""
    readable = re.sub(r"[^a-z0-9]+", "-", f"{url.partition('://')[2] or url} {version}".lower()).strip("-")
    digest = hashlib.sha256(f"{url}|{version}".encode()).hexdigest()[:8]
    return f"{readable[:100]}-{digest}{SUFFIX}"


def header_of(meta: dict[str, Any]) -> Header:
    """Returns the header that a file's decoded `meta` table says."""
    known = {name: meta[name] for name in Header.__slots__ if name in meta}
    known["sources"] = tuple(Source(**source) for source in meta.get("sources", ()))
    return Header(**known)
