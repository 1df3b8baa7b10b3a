"""An XML document as nodes that can be changed. A document type is refused before anything in it is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from fhir_server.spec import xml_messages as messages

DEPTH_LIMIT = 128
"""Levels of elements, narrative included; deeper content is refused before anything walks it."""
_XML = "http://www.w3.org/XML/1998/namespace"


@dataclass(eq=False, slots=True)
class Text:
    """Character data between tags."""

    text: str
    parent: Element


@dataclass(eq=False, slots=True)
class Comment:
    text: str
    parent: Element


@dataclass(eq=False, slots=True)
class Element:
    """An element; `name` and the names of `attributes` are expanded: namespace, space, local name, or a local name
    alone. `declarations` are the namespaces that its start tag declares, by prefix, None for the default.

    The document is an element without name.
    """

    name: str
    parent: Element | None
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element | Text | Comment] = field(default_factory=list)
    declarations: dict[str | None, str] = field(default_factory=dict)

    @property
    def local(self) -> str:
        """The name without its namespace."""
        return self.name.rpartition(" ")[2]

    def elements(self) -> list[Element]:
        return [child for child in self.children if isinstance(child, Element)]

    def content(self) -> str:
        """Returns the text directly inside."""
        return "".join(child.text for child in self.children if isinstance(child, Text))

    def namespace(self, prefix: str | None) -> str | None:
        """Returns what a prefix stands for here; None where it is not declared."""
        if prefix in self.declarations:
            return self.declarations[prefix]
        return self.parent.namespace(prefix) if self.parent is not None else None


Node = Element | Text | Comment


def clone(node: Node, parent: Element) -> Node:
    """Returns a copy of the node, with all inside, for another parent."""
    if not isinstance(node, Element):
        return type(node)(node.text, parent)
    twin = Element(node.name, parent, dict(node.attributes), [], dict(node.declarations))
    twin.children = [clone(child, twin) for child in node.children]
    return twin


def parse_document(data: bytes) -> Element:
    """Returns the document; raises MalformedContent where it is not XML, InvalidContent for a document type."""
    builder = _Builder()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.CommentHandler = builder.comment
    parser.StartNamespaceDeclHandler = builder.declare
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise messages.not_xml(error) from None
    return builder.current


def _refuse_document_type(*_facts: Any) -> NoReturn:
    raise messages.document_type()


class _Builder:
    """Builds the nodes while expat reads."""

    def __init__(self) -> None:
        self.current = Element("", None)
        self.declared: dict[str | None, str] = {}
        self.depth = 0

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self.declared[prefix] = uri or ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            raise messages.too_deep(DEPTH_LIMIT)
        element = Element(name, self.current, attributes, [], self.declared)
        self.declared = {}
        self.current.children.append(element)
        self.current = element

    def end(self, _name: str) -> None:
        self.depth -= 1
        if self.current.parent is not None:
            self.current = self.current.parent

    def text(self, data: str) -> None:
        self.current.children.append(Text(data, self.current))

    def comment(self, data: str) -> None:
        self.current.children.append(Comment(data, self.current))


def serialize(node: Node, namespace: str = "") -> str:
    """Returns the XML of a node inside an element whose default namespace is `namespace`."""
    if isinstance(node, Text):
        return escape(node.text)
    if isinstance(node, Comment):
        return f"<!--{node.text}-->"
    if not node.name:
        return "".join(serialize(child) for child in node.children)
    own, _, local = node.name.rpartition(" ")
    tag = local + ("" if own == namespace else f" xmlns={quoteattr(own)}")
    tag += "".join(f" xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in node.declarations.items() if prefix)
    tag += "".join(f" {_attribute(name, index, value)}" for index, (name, value) in enumerate(node.attributes.items()))
    if not node.children:
        return f"<{tag}/>"
    return f"<{tag}>{''.join(serialize(child, own) for child in node.children)}</{local}>"


def _attribute(name: str, index: int, value: str) -> str:
    namespace, _, local = name.rpartition(" ")
    written = quoteattr(value)
    if not namespace:
        return f"{local}={written}"
    if namespace == _XML:
        return f"xml:{local}={written}"
    return f"xmlns:a{index}={quoteattr(namespace)} a{index}:{local}={written}"
