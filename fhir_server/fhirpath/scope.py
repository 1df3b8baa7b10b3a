"""What an expression can see besides its focus. https://hl7.org/fhir/R4/fhirpath.html#variables"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fhir_server.fhirpath.navigation import Resolver, descendants, resource_node
from fhir_server.fhirpath.values import Node, Nodes


@dataclass(frozen=True, slots=True)
class Environment:
    """The resource an expression belongs to (`%resource`), the one that contains it (`%rootResource`), and how to
    follow a reference. `resolve` gets the literal reference and returns the resource, or None. `extension` is
    `%extension`, which the context invariants of extensions speak of."""

    resource: dict[str, Any] | None = None
    root: dict[str, Any] | None = None
    resolve: Resolver | None = None
    extension: dict[str, Any] | None = None


class Scope:
    """One evaluation: its environment as nodes, and the values of `$this`, `$index` and `$total`."""

    __slots__ = (
        "_clock", "_descendants", "context", "extension", "index", "resolve", "resource", "root", "this", "total",
    )  # fmt: skip

    def __init__(self, context: Nodes, resource: Node | None, root: Node | None, resolve: Resolver | None) -> None:
        self.context = self.this = context
        self.resource = resource
        self.root = root
        self.resolve = resolve
        self.extension: Nodes = ()
        self.index: int | None = None
        self.total: Nodes = ()
        self._clock: list[datetime] = []
        self._descendants: list[Nodes] = []

    @property
    def now(self) -> datetime:
        """Returns the instant of the evaluation: the same each time it is asked for."""
        if not self._clock:
            self._clock.append(datetime.now().astimezone())
        return self._clock[0]

    @property
    def descendants(self) -> Nodes:
        """Returns all that is in `%resource`, walked once: dom-3 asks for it again and again."""
        if not self._descendants:
            self._descendants.append(descendants([self.resource]) if self.resource else [])
        return self._descendants[0]

    def inside(self, this: Nodes, index: int | None) -> Scope:
        """Returns the scope of a criterion, for one item of the focus."""
        scope = Scope(self.context, self.resource, self.root, self.resolve)
        scope.this, scope.index, scope.total = this, index, self.total
        scope._clock, scope._descendants, scope.extension = self._clock, self._descendants, self.extension
        return scope


def open_scope(node: Node, environment: Environment | None) -> Scope:
    """Returns the scope to evaluate `node` in; without an environment, a resource is its own `%resource`."""
    resource = environment.resource if environment is not None else None
    root = environment.root if environment is not None else None
    if resource is None and isinstance(node[1], dict) and "resourceType" in node[1]:
        resource = node[1]
    here = resource_node(resource) if resource is not None else None
    above = resource_node(root) if root is not None else here
    scope = Scope([node], here, above, environment.resolve if environment is not None else None)
    if environment is not None and environment.extension is not None:
        scope.extension = [("Extension", environment.extension, None)]
    return scope


Step = Callable[[Nodes, Scope], Nodes]
