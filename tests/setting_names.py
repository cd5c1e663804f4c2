"""The settings that the code reads, found in the code: nobody keeps a list."""

from __future__ import annotations

import ast
from functools import cache

from gamemetrics.stack.layout import PROJECT_ROOT

READERS = {"optional", "text", "required", "integer", "choice", "_secret"}
# Read by what we stand on: libpq, Celery and Flower.
OTHERS = {"PGSSLMODE", "FLOWER_BASIC_AUTH"}


@cache
def read_by_the_code() -> frozenset[str]:
    """Every NAME that a process reads as NAME or from the file of NAME_FILE."""
    modules = [
        *(PROJECT_ROOT / "gamemetrics").glob("*.py"),
        *(PROJECT_ROOT / "bridge").glob("*.py"),
    ]
    names = {name for module in modules for name in _named(ast.parse(module.read_text()))}
    assert {"DATABASE_URL", "KAFKA_TOPIC", "METRICS_PORT", "DJANGO_SECRET_KEY"} <= names
    return frozenset(names)


def _named(tree: ast.Module) -> set[str]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return {
        first.value
        for call in calls
        if _function(call.func) in READERS
        and isinstance(first := call.args[0], ast.Constant)
        and isinstance(first.value, str)
    }


def _function(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
