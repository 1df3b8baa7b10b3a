"""CIM-10 (ICD-10) from a ClaML file, the classification markup of EN 14463.

Chapters, blocks and categories are codes; the preferred rubric is the display, longer ones and inclusions are
designations. Where a class is `ModifiedBy` a modifier, its subdivisions are made from the modifier's classes: `F10` and
`.2` give `F10.2`, unless the file has that class itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from fhir_server.terminology.compiled import CompiledBuilder, DuplicateCode, Header, UnknownParent
from fhir_server.terminology.loading.failures import SourceFault
from fhir_server.terminology.loading.request import LoadRequest
from fhir_server.terminology.loading.sources import SourceFile

_DESIGNATIONS = frozenset({"preferredLong", "inclusion"})
_LARGEST_READ = 1 << 16


@dataclass(slots=True)
class _Class:
    """A class or a modifier class while it is read; `valid` has, by modifier, the codes allowed (None: all)."""

    code: str
    kind: str = ""
    modifier: str = ""
    parents: list[str] = field(default_factory=list)
    valid: dict[str, list[str] | None] = field(default_factory=dict)
    rubrics: list[tuple[str, str]] = field(default_factory=list)
    line: int = 0

    @property
    def display(self) -> str:
        return next((text for kind, text in self.rubrics if kind == "preferred"), "")


def load(request: LoadRequest) -> None:
    """Loads a classification. Raises SourceFault for what is wrong with its file."""
    (file, *_) = request.sources.required(r".*\.xml", "cim10.xml")
    with CompiledBuilder(request.directory) as builder:
        reader = _Reader(file, builder)
        with request.sources.stream(file) as stream:
            reader.read(stream.read)
        if not reader.has_classes:
            raise SourceFault(
                file.name,
                "there is no `Class` in it; a ClaML file is expected.",
                "il ne contient aucune `Class` ; un fichier ClaML est attendu.",
            )
        reader.add_subdivisions()
        version = request.version or reader.version
        if not version:
            raise SourceFault(
                file.name,
                "`Title` has neither `version` nor `date`; give `--version`.",
                "`Title` n’a ni `version` ni `date` ; donnez `--version`.",
            )
        header = Header(
            request.system,
            version,
            "cim10",
            name=reader.name,
            language=reader.language or request.language,
            copyright=request.licence,
            property_types={"kind": "code"},
            sources=tuple(request.sources.read),
        )
        try:
            finished = builder.finish(header, parents_must_exist=True)
        except UnknownParent as unknown:
            raise SourceFault(
                file.name,
                f"`{unknown.parent}`, the `SuperClass` of `{unknown.child}`, is no class of this file.",
                f"`{unknown.parent}`, `SuperClass` de `{unknown.child}`, n’est pas une classe de ce fichier.",
                line=unknown.place,
            ) from None
    request.on_loaded(finished)


class _Reader:
    """Reads the elements one after the other; of classes it keeps only those that modifiers divide."""

    def __init__(self, file: SourceFile, builder: CompiledBuilder) -> None:
        self._file, self._builder = file, builder
        self.version = self.name = self.language = ""
        self.has_classes = False
        self._modifiers: dict[str, dict[str, str]] = {}
        self._divided: list[_Class] = []
        self._class: _Class | None = None
        self._modified_by = self._rubric = ""
        self._text: list[str] | None = None
        self._parser = parser = expat.ParserCreate()
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.EntityDeclHandler = self._entity

    def read(self, read: Callable[[int], bytes]) -> None:
        """Reads all of a stream, given its `read`. Raises SourceFault where it is no well-formed XML."""
        try:
            while chunk := read(_LARGEST_READ):
                self._parser.Parse(chunk)
            self._parser.Parse(b"", True)
        except expat.ExpatError as error:
            reason = expat.errors.messages[error.code]
            raise self._fault(f"the XML is broken: {reason}.", f"le XML est mal formé : {reason}.", error) from None

    def add_subdivisions(self) -> None:
        """Adds the codes that modifiers make of the classes that name them, one modifier after the other."""
        for divided in self._divided:
            bases = [(divided.code, divided.display)]
            for modifier, valid in divided.valid.items():
                known = self._modifiers.get(modifier, {})
                made = []
                for base, display in bases:
                    for suffix, label in known.items():
                        if valid is None or suffix in valid:
                            made.append((base + suffix, f"{display} : {label}"))
                            self._add_subdivision(base, *made[-1])
                bases = made or bases

    def _add_subdivision(self, base: str, code: str, display: str) -> None:
        try:
            self._builder.add_concept(code, display)
        except DuplicateCode:
            return
        self._builder.add_parent(code, base)
        self._builder.add_property(code, "kind", "category", "code")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "Title":
                self.version = attributes.get("version") or attributes.get("date", "")
                self.name = attributes.get("name", "")
            case "Meta" if self._class is None and attributes.get("name") == "lang":
                self.language = attributes.get("value", "")
            case "Class" | "ModifierClass":
                code, line = self._required(name, attributes, "code"), self._parser.CurrentLineNumber
                self._class = _Class(code, attributes.get("kind", ""), attributes.get("modifier", ""), line=line)
            case "Rubric":
                self._rubric = attributes.get("kind", "")
            case "Label" if self._class is not None:
                self._text = []
            case _ if self._class is not None:
                self._start_link(self._class, name, attributes)

    def _start_link(self, current: _Class, name: str, attributes: dict[str, str]) -> None:
        match name:
            case "SuperClass":
                current.parents.append(self._required(name, attributes, "code"))
            case "ModifiedBy":
                self._modified_by = self._required(name, attributes, "code")
                current.valid[self._modified_by] = None
            case "ValidModifierClass":
                valid = current.valid.get(self._modified_by) or []
                current.valid[self._modified_by] = [*valid, self._required(name, attributes, "code")]

    def _required(self, name: str, attributes: dict[str, str], attribute: str) -> str:
        if attribute not in attributes:
            raise self._fault(
                f"`{name}` has no `{attribute}`.", f"`{name}` n’a pas d’attribut `{attribute}`."
            )
        return attributes[attribute]

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, name: str) -> None:
        if name == "Label" and self._class is not None and self._text is not None:
            self._class.rubrics.append((self._rubric, " ".join("".join(self._text).split())))
            self._text = None
        elif name == "ModifierClass" and self._class is not None:
            self._modifiers.setdefault(self._class.modifier, {})[self._class.code] = self._class.display
            self._class = None
        elif name == "Class" and self._class is not None:
            self._add(self._class)
            self._class = None

    def _add(self, found: _Class) -> None:
        if not found.display:
            english = f"the class `{found.code}` has no rubric `preferred`."
            raise self._fault(english, f"la classe `{found.code}` n’a pas de rubrique `preferred`.")
        definition = next((text for kind, text in found.rubrics if kind == "definition"), "")
        try:
            self._builder.add_concept(found.code, found.display, definition=definition)
        except DuplicateCode:
            english, french = f"the class `{found.code}` is there twice.", f"la classe `{found.code}` y est deux fois."
            raise self._fault(english, french) from None
        self.has_classes = True
        if found.kind:
            self._builder.add_property(found.code, "kind", found.kind, "code")
        for parent in found.parents:
            self._builder.add_parent(found.code, parent, found.line)
        for kind, text in found.rubrics:
            if kind in _DESIGNATIONS and text:
                self._builder.add_designation(found.code, text, language=self.language)
        if found.valid:
            self._divided.append(found)

    def _entity(self, *declared: object) -> None:
        raise self._fault("entities are not declared in ClaML.", "ClaML ne déclare pas d’entités.")

    def _fault(self, english: str, french: str, error: expat.ExpatError | None = None) -> SourceFault:
        line = error.lineno if error else self._parser.CurrentLineNumber
        column = error.offset if error else self._parser.CurrentColumnNumber
        return SourceFault(self._file.name, english, french, line=line, column=column + 1)
