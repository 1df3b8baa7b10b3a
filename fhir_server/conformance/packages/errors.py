"""What can be wrong with a package or with the wish to install it."""


class PackageError(Exception):
    """A refusal: `english` and `french` are whole sentences that say what to do; nothing was installed or removed."""

    def __init__(self, english: str, french: str) -> None:
        super().__init__(english)
        self.english = english
        self.french = french
