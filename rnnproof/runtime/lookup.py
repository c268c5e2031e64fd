"""Objects by name: a name or a configuration becomes the object it means, anything else one clear error."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def find(value: Any, names: Mapping[str, Callable[..., Any]], argument: str) -> Any | None:
    """The object that a name or {"class_name": ..., "config": {...}} stands for; None for what is neither.

    Raises ValueError naming the argument and what is allowed.
    """
    if isinstance(value, str):
        if value not in names:
            raise ValueError(f"{argument}={value!r}: give one of {', '.join(names)}, or a function")
        return names[value]()
    if isinstance(value, Mapping):
        name, config = value.get("class_name"), value.get("config", {})
        if not isinstance(name, str) or name not in names or not isinstance(config, Mapping):
            raise ValueError(f"{argument}={dict(value)!r}: give {{'class_name': one of {', '.join(names)}, 'config': {{...}}}}")
        try:
            return names[name](**config)
        except TypeError as error:
            raise ValueError(f"{argument}: {error}; give the arguments that {name} has") from None
    return None
