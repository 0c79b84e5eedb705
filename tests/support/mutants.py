"""Break a method in every small way we can think of: one change of its syntax tree at a time."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field

OPERATORS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
FUNCTIONS = {
    "multiply": "add", "add": "subtract", "subtract": "add", "divide": "multiply",
    "sum": "mean", "mean": "sum", "exp": "exp2", "log": "log2", "sqrt": "square",
    "greater": "less", "max": "min", "min": "max",
}
ORDERED = {"subtract", "divide", "matmul"}  # two arguments that must not change places


@dataclass(frozen=True)
class Mutant:
    cls: type = field(repr=False)  # a subclass of the original, one method of it broken
    method: str
    line: str
    change: str

    def __str__(self) -> str:
        return f"{self.cls.__name__}.{self.method}: {self.line} -> {self.change}"


def mutants(cls: type, *methods: str) -> list[Mutant]:
    """Return every mutant of these methods.

    Of ``forward``, only the assignments to attributes of self are broken: what it remembers for
    backward. Docstrings and refusals (``check_...``, ``if ...: raise``) are left alone.
    """
    found = {}
    for method in ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0].body:
        if not isinstance(method, ast.FunctionDef) or method.name not in methods:
            continue
        for statement in _statements(method.body):
            if method.name == "forward" and not _remembers(statement):
                continue
            for node in _nodes(statement):
                for edited in _edits(node):
                    copies: dict = {}
                    changed = deepcopy(method, copies)
                    _Replace(copies[id(node)], edited).visit(changed)
                    after = edited if node is statement else copies[id(statement)]
                    found.setdefault(ast.unparse(changed), Mutant(
                        _subclass(cls, changed), method.name, _line(statement), _line(after)
                    ))
    return list(found.values())


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        if isinstance(statement, ast.Expr):
            value = statement.value
            if isinstance(value, ast.Constant):
                continue
            if isinstance(value, ast.Call) and "check_" in ast.unparse(value.func):
                continue
        if isinstance(statement, ast.If) and isinstance(statement.body[0], ast.Raise):
            continue
        yield statement
        yield from _statements(getattr(statement, "body", []))
        yield from _statements(getattr(statement, "orelse", []))


def _nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """Walk a statement, without the statements inside it."""
    yield statement
    for child in ast.iter_child_nodes(statement):
        if not isinstance(child, ast.stmt):
            yield from ast.walk(child)


def _remembers(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and any(
        isinstance(target, ast.Attribute) for target in statement.targets
    )


def _edits(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what may stand in a node's place."""

    def but(**changes: object) -> ast.AST:
        new = deepcopy(node)
        for name, value in changes.items():
            setattr(new, name, value)
        return new

    if isinstance(node, ast.stmt):
        yield ast.Pass()
    if isinstance(node, ast.If):
        yield but(test=ast.UnaryOp(ast.Not(), node.test))
    if isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
        yield but(op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield node.operand
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        yield but(value=node.value + 1)
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield node.value
    if isinstance(node, ast.Call):
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if function in FUNCTIONS:
            yield but(func=ast.Name(FUNCTIONS[function], ast.Load())
                      if isinstance(node.func, ast.Name) else
                      ast.Attribute(node.func.value, FUNCTIONS[function], ast.Load()))
        if function in ORDERED:
            yield but(args=[node.args[1], node.args[0]])
        if function == "reversed":
            yield node.args[0]
        for keyword in node.keywords:
            if keyword.arg in ("axis", "keepdims"):
                yield but(keywords=[k for k in node.keywords if k is not keyword])


class _Replace(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _subclass(cls: type, method: ast.FunctionDef) -> type:
    """Return a subclass with this one method, made among the globals of the class's module."""
    definition = ast.parse(f"class {cls.__name__}({cls.__name__}): pass")
    definition.body[0].body = [method]
    namespace = dict(vars(sys.modules[cls.__module__]))
    exec(compile(ast.fix_missing_locations(definition), "mutant", "exec"), namespace)
    return namespace[cls.__name__]


def _line(statement: ast.AST) -> str:
    return ast.unparse(statement).splitlines()[0]
