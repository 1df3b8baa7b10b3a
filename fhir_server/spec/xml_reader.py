"""FHIR XML to a resource's JSON, as expat reads it. https://hl7.org/fhir/R4/xml.html

Elements may come in any order. A document type is refused before anything in it is read: no entities, no bombs.
"""

from __future__ import annotations

from typing import Any, NoReturn
from xml.parsers import expat

from fhir_server.errors import InvalidContent
from fhir_server.outcome import Issue
from fhir_server.spec import xml_messages as messages
from fhir_server.spec.json_format import DEPTH_LIMIT
from fhir_server.spec.xml_narrative import is_self_contained, rebuilt
from fhir_server.spec.xml_shapes import DOCUMENT, Kind, Shape, Slot, resource_slots, shape

MAX_FINDINGS = 100
"""A document with more faults than these is not worth their list."""
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance "
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_COMPLEX, _PRIMITIVE, _NARRATIVE, _WRAPPER = Kind.COMPLEX, Kind.PRIMITIVE, Kind.NARRATIVE, Kind.WRAPPER


class _Frame:
    """An open element. `owner` is the JSON object it belongs to; `content` its own: of a primitive, what stands beside
    the value, and None until there is any; of a wrapper, the resource inside.
    """

    __slots__ = ("content", "depth", "has_value", "owner", "parent", "slot", "slots")

    def __init__(self, slot: Slot, slots: dict[str, Slot], owner: dict[str, Any], parent: _Frame | None) -> None:
        self.slot = slot
        self.slots = slots
        self.owner = owner
        self.parent = parent
        self.content: dict[str, Any] | None = None
        self.has_value = False
        self.depth: int = 0 if parent is None else parent.depth + 1 + slot.many

    def position(self) -> int:
        """Returns the index of this element among its repetitions: it is the last one so far."""
        owner, slot = self.owner, self.slot
        return max(len(owner.get(slot.key, ())), len(owner.get(slot.sibling, ()))) - 1

    def place(self) -> str:
        """Returns the FHIRPath of this element."""
        slot = self.slot
        if self.parent is None:
            return ""
        before = self.parent.place()
        if slot.kind is Kind.RESOURCE:
            return before or slot.key
        if not slot.many:
            return f"{before}.{slot.step}"
        index = self.position() + (slot.kind is _WRAPPER and self.content is None)
        return f"{before}.{slot.step}[{index}]"


class Reader:
    """Reads one document; `read` may be called once."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.issues: list[Issue] = []
        self.frame = _Frame(DOCUMENT, resource_slots(), {}, None)
        self.root = self.frame
        self.skipped = 0
        self.leaf: Slot | None = None
        self.beside = shape("Element")
        self.declarations: list[tuple[str | None, str | None]] = []
        self.narrative_start = self.narrative_depth = 0
        self.narrative_is_plain = True
        self.parser = self._parser()

    def _parser(self) -> expat.XMLParserType:
        # The name of the encoding overrides what the document says: FHIR is UTF-8.
        parser = expat.ParserCreate("UTF-8", " ")
        parser.namespace_prefixes = True
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self.refuse_document_type
        parser.StartNamespaceDeclHandler = self.declare
        parser.EndNamespaceDeclHandler = self.forget_declaration
        return parser

    def read(self) -> dict[str, Any]:
        """Returns the resource; raises MalformedContent or InvalidContent with all that is wrong."""
        if self.data.startswith(_UTF16_MARKS):
            raise messages.not_utf8()
        self.listen()
        try:
            self.parser.Parse(self.data, True)
        except expat.ExpatError as error:
            raise messages.not_xml(error) from None
        finally:
            # The parser holds this reader by its handlers: apart, both are freed at once, the document with them.
            del self.parser
        if self.issues:
            first = self.issues[0]
            places = dict.fromkeys(issue.expression for issue in self.issues if issue.expression)
            raise InvalidContent(
                first.english, first.french, rule=first.rule, expression=tuple(places), issues=self.issues
            )
        content: dict[str, Any] = self.root.content or {}
        return content

    def listen(self) -> None:
        """Takes elements as FHIR's."""
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.text

    def refuse_document_type(self, *_facts: Any) -> NoReturn:
        raise messages.document_type()

    def declare(self, prefix: str | None, uri: str | None) -> None:
        self.declarations.append((prefix, uri))

    def forget_declaration(self, _prefix: str | None) -> None:
        self.declarations.pop()

    def report(self, issue: Issue) -> None:
        if len(self.issues) < MAX_FINDINGS:
            self.issues.append(issue)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if self.skipped:
            self.skipped += 1
            return
        if self.leaf is not None:
            self.open_leaf(self.leaf)
        frame = self.frame
        slot = frame.slots.get(name) or frame.slots.get(" ".join(name.split(" ")[:2]))
        if slot is None:
            self.refuse_element(name)
            return
        kind = slot.kind
        if kind is _PRIMITIVE:
            if len(attributes) == 1 and "value" in attributes and frame.content is not None:
                self.put_value(slot, frame.content, slot.read(attributes["value"]))
                self.leaf = slot
            else:
                self.start_primitive(slot, attributes)
        elif kind is _COMPLEX:
            self.start_complex(slot, attributes)
        elif kind is _NARRATIVE:
            self.start_narrative(frame)
        elif kind is _WRAPPER:
            self.frame = self.open(slot, resource_slots())
            self.refuse_attributes(attributes)
        else:
            self.start_resource(slot, attributes)

    def start_complex(self, slot: Slot, attributes: dict[str, str]) -> None:
        form = shape(slot.type_name)
        frame = self.frame = self.open(slot, form.slots)
        content = frame.content = {}
        self.put(slot, frame.owner, content)
        if attributes:
            self.take_attributes(content, form, attributes)

    def open_leaf(self, slot: Slot) -> None:
        """Makes an open element of a primitive that was taken for a mere value, since something stands inside it."""
        self.leaf = None
        self.frame = self.open(slot, self.beside.slots)
        self.frame.has_value = True

    def open(self, slot: Slot, slots: dict[str, Slot]) -> _Frame:
        parent = self.frame
        owner = parent.content
        if owner is None:
            owner = self.owner_beside(parent)
        frame = _Frame(slot, slots, owner, parent)
        if frame.depth > DEPTH_LIMIT:
            raise messages.too_deep(DEPTH_LIMIT)
        return frame

    def owner_beside(self, frame: _Frame) -> dict[str, Any]:
        """Returns the object beside the value of a primitive, made when it is first needed."""
        if frame.content is None:
            frame.content = {}
            slot, owner = frame.slot, frame.owner
            if slot.many:
                position = frame.position() if frame.has_value else self.positions(frame)
                beside = owner.setdefault(slot.sibling, [])
                beside.extend([None] * (position + 1 - len(beside)))
                beside[position] = frame.content
            else:
                owner[slot.sibling] = frame.content
        return frame.content

    def positions(self, frame: _Frame) -> int:
        """Returns the index of a primitive without a value, which no list shows yet unless others have values."""
        values, beside = frame.owner.get(frame.slot.key), frame.owner.get(frame.slot.sibling, ())
        return len(values) - 1 if values is not None else len(beside)

    def put(self, slot: Slot, owner: dict[str, Any], content: Any) -> None:
        key = slot.key
        if slot.many:
            values = owner.get(key)
            if values is None:
                owner[key] = [content]
            else:
                values.append(content)
        elif key in owner or slot.sibling in owner:
            self.report(messages.repeated(key, self.frame.place()))
        else:
            owner[key] = content

    def put_value(self, slot: Slot, owner: dict[str, Any], value: Any) -> None:
        if slot.many and slot.sibling in owner:
            self.align(slot, owner, value)
        else:
            self.put(slot, owner, value)

    def start_primitive(self, slot: Slot, attributes: dict[str, str]) -> None:
        """Opens a primitive with other attributes than a value, or inside another primitive."""
        frame = self.frame = self.open(slot, self.beside.slots)
        text, owner = attributes.get("value"), frame.owner
        if text is not None:
            frame.has_value = True
            self.put_value(slot, owner, slot.read(text))
        elif slot.many:
            self.align(slot, owner, None)
        elif slot.key in owner or slot.sibling in owner:
            self.report(messages.repeated(slot.key, frame.place()))
        others = {k: v for k, v in attributes.items() if k != "value" and not k.startswith(_SCHEMA_INSTANCE)}
        if others:
            content = self.owner_beside(frame)
            self.take_attributes(content, self.beside, others)

    def align(self, slot: Slot, owner: dict[str, Any], value: Any) -> None:
        """Adds a value to a list that has, or will have, objects beside its values: nulls keep both of one length."""
        values, beside = owner.get(slot.key), owner.get(slot.sibling)
        if values is None and value is not None:
            values = owner[slot.key] = [None] * len(beside or ())
        if values is not None:
            values.append(value)
            if beside is not None:
                beside.append(None)

    def take_attributes(self, content: dict[str, Any], form: Shape, attributes: dict[str, str]) -> None:
        for name, text in attributes.items():
            if name in form.attributes:
                content[name] = text
            elif not name.startswith(_SCHEMA_INSTANCE):
                self.report(messages.unknown_attribute(name, self.frame.place(), form.attributes))

    def refuse_attributes(self, attributes: dict[str, str]) -> None:
        for name in attributes:
            if not name.startswith(_SCHEMA_INSTANCE):
                self.report(messages.unknown_attribute(name, self.frame.place(), ()))

    def start_resource(self, slot: Slot, attributes: dict[str, str]) -> None:
        wrapper = self.frame
        content = {"resourceType": slot.type_name}
        if wrapper.content is not None:
            self.report(messages.second_resource(slot.type_name, wrapper.place()))
        elif wrapper is not self.root:
            self.put(wrapper.slot, wrapper.owner, content)
        wrapper.content = content
        frame = self.frame = _Frame(slot, shape(slot.type_name).slots, content, wrapper)
        frame.content = content
        self.refuse_attributes(attributes)

    def refuse_element(self, name: str) -> None:
        frame = self.frame
        self.skipped = 1
        if frame is self.root:
            raise messages.not_a_resource(name)
        self.report(messages.unknown_element(name, frame.place(), frame.slots))

    def end(self, _name: str) -> None:
        if self.leaf is not None:
            self.leaf = None
            return
        if self.skipped:
            self.skipped -= 1
            return
        frame = self.frame
        if frame.content is None and not frame.has_value:
            self.report(messages.empty(frame.place(), is_wrapper=frame.slot.kind is _WRAPPER))
        if frame.parent is not None:
            self.frame = frame.parent

    def text(self, data: str) -> None:
        if not data.isspace() and not self.skipped:
            if self.leaf is not None:
                self.open_leaf(self.leaf)
            self.report(messages.stray_text(data.strip(), self.frame.place()))

    def start_narrative(self, frame: _Frame) -> None:
        if frame.content is not None and "div" in frame.content:
            self.report(messages.repeated("div", f"{frame.place()}.div"))
        parser = self.parser
        self.narrative_start = parser.CurrentByteIndex
        self.narrative_depth = 1
        self.narrative_is_plain = is_self_contained(self.data, self.narrative_start)
        parser.StartElementHandler = self.start_in_narrative
        parser.EndElementHandler = self.end_in_narrative
        parser.CharacterDataHandler = None

    def start_in_narrative(self, name: str, attributes: dict[str, str]) -> None:
        self.narrative_depth += 1
        if name.count(" ") == 2 or any(key.count(" ") == 2 and not key.endswith(" xml") for key in attributes):
            self.narrative_is_plain = False

    def end_in_narrative(self, name: str) -> None:
        self.narrative_depth -= 1
        if self.narrative_depth:
            return
        self.listen()
        div = self.data[self.narrative_start : self.narrative_end(name)]
        text = div.decode() if self.narrative_is_plain else rebuilt(div, self.declarations)
        self.owner_beside(self.frame)["div"] = text

    def narrative_end(self, name: str) -> int:
        """Returns where the element ends: behind its end tag, or here, where `<div/>` has none."""
        here = self.parser.CurrentByteIndex
        _, *local = name.split(" ")
        tag = ":".join(reversed(local)).encode()
        if self.data.startswith(b"</" + tag, here):
            return self.data.index(b">", here) + 1
        return here
