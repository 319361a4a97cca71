"""Where plugins are found, and which class of a module is the plugin.

Order: the plugin directories, the bundled plugins, installed packages (entry points of the group
``qpsmtpd.plugins``).
"""
# pathlib would cost every start some milliseconds and buy nothing here
# ruff: noqa: PTH100, PTH113, PTH116, PTH118, PTH119

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, Final

from qpsmtpd.errors import ConfigError
from qpsmtpd.plugin.base import Plugin
from qpsmtpd.plugin.names import Name

__all__ = ["BUNDLED", "GROUP", "find_class", "plugin_class", "plugin_files"]

#: package of the bundled plugins
BUNDLED: Final = "qpsmtpd.plugins"

#: group of entry points by which packages offer plugins
GROUP: Final = "qpsmtpd.plugins"

#: files that were imported: time of change and size, module
_imported: dict[str, tuple[tuple[int, int], ModuleType]] = {}


def find_class(name: Name, search: Sequence[str]) -> type[Plugin] | None:
    """Find the class of a plugin.

    Args:
        name: what its line calls it.
        search: plugin directories, asked first.

    Returns:
        The class, or None when there is no such plugin.

    Raises:
        ConfigError: what was found is no plugin.
        Exception: whatever importing it raised.
    """
    if name.module:
        return _named_class(name)
    for file in plugin_files(name.path, search):
        if os.path.isfile(file):
            return plugin_class(_import_file(file), name.path)
    return _bundled(name.path) or _installed(name.path)


def plugin_files(path: str, search: Sequence[str]) -> list[str]:
    """List the files a plugin may be in, below the plugin directories."""
    names = dict.fromkeys((f"{path}.py", f"{path.replace('-', '_')}.py"))
    return [os.path.join(directory, name) for directory in search for name in names]


def plugin_class(module: ModuleType, path: str) -> type[Plugin]:
    """Pick the plugin of a module: a class, or the module itself.

    Raises:
        ConfigError: there is none, or more than one.
    """
    known = vars(module).get("__qpsmtpd_plugin__")
    if known is None:
        known = _pick(module, path)
        module.__dict__["__qpsmtpd_plugin__"] = known
    found: type[Plugin] = known
    return found


def _pick(module: ModuleType, path: str) -> type[Plugin]:
    public = {
        value: name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Plugin) and value is not Plugin
        if not name.startswith("_")
    }
    own = [cls for cls in public if cls.__module__ == module.__name__]
    hooks = {name for name in vars(module) if name.startswith("hook_")}
    if own and hooks:
        raise ConfigError(
            f"{module.__file__} has both a class and functions hook_*; a plugin is one of them"
        )
    if hooks or (not public and callable(vars(module).get("register"))):
        return _class_of_module(module, path)
    candidates = own or list(public)
    if len(candidates) > 1:
        candidates = _best(candidates, path)
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        names = ", ".join(cls.__name__ for cls in candidates)
        raise ConfigError(
            f"{module.__file__} has several plugins ({names}); give one the name of the file, "
            "or begin the names of the others with _"
        )
    raise ConfigError(
        f"{module.__file__} has no plugin: write a class derived from qpsmtpd.plugin.Plugin, or "
        "functions hook_<name>(plugin, …)"
    )


def _best(candidates: list[type[Plugin]], path: str) -> list[type[Plugin]]:
    """Narrow down: the class named after the file, else those that no other derives from."""
    stem = "".join(filter(str.isalnum, path.rpartition("/")[2])).lower()
    named = [cls for cls in candidates if cls.__name__.lower() == stem]
    if named:
        return named
    return [
        cls
        for cls in candidates
        if not any(issubclass(other, cls) for other in candidates if other is not cls)
    ]


def _class_of_module(module: ModuleType, path: str) -> type[Plugin]:
    """Make a class of a module with functions ``hook_*``."""
    space: dict[str, Any] = {"__doc__": module.__doc__, "__module__": module.__name__}
    for name, value in vars(module).items():
        if name.startswith("hook_") and not isinstance(value, FunctionType):
            raise ConfigError(f"{module.__file__}: {name} is no function")
        if name.startswith("hook_") or name in {"register", "Args", "eager", "log_level_wanted"}:
            space[name] = value
    words = path.rpartition("/")[2].replace("-", "_").split("_")
    return type("".join(word.capitalize() for word in words), (Plugin,), space)


def _named_class(name: Name) -> type[Plugin] | None:
    """Import ``package.module:Class``."""
    module = _import_if_there(name.module)
    if module is None:
        return None
    found = getattr(module, name.attribute, None)
    if isinstance(found, type) and issubclass(found, Plugin):
        return found
    what = "has no" if found is None else "has something else than a plugin class called"
    raise ConfigError(f"module {name.module} {what} {name.attribute}")


def _bundled(path: str) -> type[Plugin] | None:
    if "." in path:
        return None
    module = _import_if_there(f"{BUNDLED}.{path.replace('-', '_').replace('/', '.')}")
    if module is None or hasattr(module, "__path__"):
        return None  # a directory of plugins is none itself
    return plugin_class(module, path)


def _installed(path: str) -> type[Plugin] | None:
    """Look among the entry points of installed packages."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - slow, and rarely needed

    plain = path.replace("-", "_")
    for point in entry_points(group=GROUP):
        if point.name.replace("-", "_") == plain:
            found = point.load()
            if isinstance(found, ModuleType):
                return plugin_class(found, path)
            if isinstance(found, type) and issubclass(found, Plugin):
                return found
            raise ConfigError(f"entry point {point.value} is neither a plugin class nor a module")
    return None


def _import_if_there(name: str) -> ModuleType | None:
    """Import a module; None if it does not exist, errors if it exists and does not work."""
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            return None
        raise


def _import_file(file: str) -> ModuleType:
    """Import a file outside packages, once, under a name nobody else uses."""
    from importlib.util import (  # noqa: PLC0415 - installations without own plugins do not need it
        module_from_spec,
        spec_from_file_location,
    )

    file = os.path.abspath(file)
    status = os.stat(file)
    state = status.st_mtime_ns, status.st_size
    known = _imported.get(file)
    if known is not None and known[0] == state:
        return known[1]
    stem = os.path.basename(file).removesuffix(".py")
    name = f"_qpsmtpd_plugin_{len(_imported)}_{stem}"
    spec = spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigError(f"{file} cannot be imported")
    module = module_from_spec(spec)
    sys.modules[name] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    if known is not None:
        sys.modules.pop(known[1].__name__, None)
    _imported[file] = state, module
    return module
