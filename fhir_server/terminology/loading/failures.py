"""What is wrong with a file that was to be loaded: where, and what is expected there."""

from __future__ import annotations


class SourceFault(Exception):
    """A source that cannot be loaded; `english` and `french` are whole sentences, `line` and `column` count from 1.

    A line of 0 means the whole file.
    """

    def __init__(self, file: str, english: str, french: str, *, line: int = 0, column: int = 0) -> None:
        super().__init__(english)
        self.file, self.line, self.column = file, line, column
        self.english, self.french = english, french

    def render(self, language: str) -> str:
        """Returns one line: file, line, column, sentence; `language` is `fr` or `en`."""
        english = language == "en"
        place = self.file
        if self.line:
            place += f", {'line' if english else 'ligne'} {self.line}"
        if self.column:
            place += f", {'column' if english else 'colonne'} {self.column}"
        return f"{place}: {self.english}" if english else f"{place} : {self.french}"
