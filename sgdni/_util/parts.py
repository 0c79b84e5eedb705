"""What an object is made of, however deep."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any


def named_parts(thing: Any) -> list[tuple[str, Any]]:
    """Return the direct parts of a list, tuple, dict or object, each with its name, in order.

    Of an object the public attributes: what begins with an underscore is its memory.
    """
    if isinstance(thing, list | tuple):
        return [(str(i), part) for i, part in enumerate(thing)]
    if isinstance(thing, dict):
        found = [(str(name), part) for name, part in thing.items()]
    elif isinstance(thing, type | ModuleType):  # which are everybody's
        return []
    else:
        found = [(name, part) for name, part in getattr(thing, "__dict__", {}).items()
                 if not name.startswith("_")]
    return sorted(found, key=lambda item: item[0])


def parts(thing: Any) -> Iterator[Any]:
    """Yield `thing`, its parts and theirs, each once."""
    seen, waiting = {}, [thing]
    while waiting:
        part = waiting.pop()
        if id(part) not in seen:
            seen[id(part)] = part  # kept, for a number is another's when the object is gone
            yield part
            waiting += [inner for _, inner in named_parts(part)]
