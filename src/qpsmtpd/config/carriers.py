"""Where settings are read from: directories of control files, and ``qpsmtpd.toml``.

Rule: a setting is defined in one carrier. Files of qmail's own control directory are there for
what nothing else defines, so they may stay.
"""

# pathlib costs time at every start, and adds nothing to these calls.
# ruff: noqa: PTH100, PTH118

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from qpsmtpd.config import control
from qpsmtpd.config.control import Content
from qpsmtpd.config.problem import Problem
from qpsmtpd.config.watch import Watch
from qpsmtpd.errors import ConfigError

if TYPE_CHECKING:
    from qpsmtpd.config.toml import Document

__all__ = ["TOML", "Carriers"]

#: name of the file that may hold all settings
TOML: Final = "qpsmtpd.toml"


class Carriers:
    """Finds and reads what defines a setting.

    Attributes:
        directories: where control files are looked for; the first that has one counts.
        explicit: the directories somebody asked for by name.
        qmail: qmail's own control directory, or "".
    """

    __slots__ = (
        "_broken",
        "_document",
        "_rejected",
        "_toml",
        "_watch",
        "directories",
        "explicit",
        "qmail",
    )

    def __init__(
        self,
        directories: Sequence[str] | None,
        environ: Mapping[str, str],
        program_dir: str | None,
        toml: str | None,
    ) -> None:
        """Decide where to look; see ``Config`` for the arguments."""
        self.explicit: tuple[str, ...] = ()
        self.qmail = ""
        if directories is None:
            self._by_environment(environ, program_dir)
        else:
            self.directories = self.explicit = tuple(map(os.path.abspath, directories))
        self._toml = toml
        self._document: Document | None = None
        self._watch: Watch | None = None  # None: not read yet
        self._broken: ConfigError | None = None
        self._rejected: list[Problem] = []

    def _by_environment(self, environ: Mapping[str, str], program_dir: str | None) -> None:
        found: list[str] = []
        if environ.get("QPSMTPD_CONFIG"):
            found.append(os.path.abspath(environ["QPSMTPD_CONFIG"]))
            self.explicit = tuple(found)
        if program_dir is not None:
            found.append(os.path.abspath(os.path.join(program_dir, "config")))
        with contextlib.suppress(FileNotFoundError):  # the working directory was removed
            found.append(os.path.abspath("config"))
        qmail = os.path.abspath(os.path.join(environ.get("QMAIL") or "/var/qmail", "control"))
        if qmail not in found:
            self.qmail = qmail
            found.append(qmail)
        self.directories = tuple(dict.fromkeys(found))

    # ------------------------------------------------------------------------------ directories

    def find(self, name: str, watch: Watch) -> str | None:
        """Find a file by name; None when there is none.

        A directory somebody asked for is not passed over because it cannot be entered: what it
        holds may be what keeps others out.
        """
        for directory in self.directories:
            path = f"{directory}/{name}"
            found = watch.see(path)
            if isinstance(found, tuple) or (found is not None and directory in self.explicit):
                return path
        return None

    def locate(self, name: str, watch: Watch) -> str | None:
        """Find the file of a setting.

        Raises:
            ConfigError: no setting can have that name; names may come from clients.
        """
        if "\0" in name or not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise ConfigError(f"{name!a} cannot be the name of a control file")
        return self.find(name, watch)

    def directory(self, name: str) -> str:
        """Tell which directory a control file comes from; the last for one that is nowhere."""
        path = self.locate(name, Watch())
        if path is None:
            return next(reversed(self.directories), "")
        return path.removesuffix(f"/{name}")

    # ------------------------------------------------------------------------------ contents

    def content(self, name: str, watch: Watch) -> tuple[Content, list[Problem]]:
        """Read a setting; no values when nothing defines it.

        Args:
            name: of the setting.
            watch: gets every file that plays a part.

        Raises:
            ConfigError: it cannot be read, or is defined twice.
        """
        path = self.locate(name, watch)
        defined = self._defined(name, path)
        if defined is not None:
            return defined, []
        if path is None:
            return Content(), []
        return control.read(path, self.find, watch)

    def database(self, name: str, watch: Watch) -> tuple[str | None, list[Problem]]:
        """Find ``<name>.cdb``, which goes before a text file in the same directory.

        Returns:
            Its path, or None; and a warning when the text is newer.

        Raises:
            ConfigError: the setting is defined twice.
        """
        self.locate(name, Watch())
        for directory in self.directories:
            path = f"{directory}/{name}"
            made, text = watch.see(f"{path}.cdb"), watch.see(path)
            if isinstance(made, tuple):
                if self._defined(name, f"{path}.cdb") is not None:
                    return None, []
                if isinstance(text, tuple) and text[0] > made[0]:
                    warning = f"is older than {path}, which it is made from; make it again"
                    return f"{path}.cdb", [Problem(warning, f"{path}.cdb", warning=True)]
                return f"{path}.cdb", []
            if text is not None:
                break
        return None, []

    def _defined(self, name: str, path: str | None) -> Content | None:
        """Tell what the TOML file says; an error when the file at *path* says it too."""
        document = self._read()
        defined = None if document is None else document.values.get(name)
        if defined is None or path is None:
            return defined
        if self.qmail and path.startswith(f"{self.qmail}/"):
            return defined
        raise ConfigError(
            f"{name} is set here and in {defined.place(0)}; take one of them out", file=path
        )

    # ------------------------------------------------------------------------------ TOML

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the TOML file."""
        if self._rejected:
            return self._rejected
        if self._broken is not None:
            return [Problem.of(self._broken)]
        return [] if self._document is None else self._document.problems

    @property
    def watched(self) -> set[str]:
        """Paths that were looked at for the TOML file."""
        return set() if self._watch is None else set(self._watch.stamps)

    @property
    def toml(self) -> str | None:
        """Path of the TOML file in use."""
        document = self._read()
        return None if document is None else document.path

    def refresh(self) -> set[str] | None:
        """Look at the TOML file again.

        A file that has something wrong with it is not taken while there is an older one.

        Returns:
            Names of settings that it defines or defined; None when nothing has changed.
        """
        if self._watch is None or not self._watch.changed():
            return None
        names = set() if self._document is None else set(self._document.values)
        self._watch = Watch()
        self._rejected = []
        try:
            document = self._parse(self._watch)
        except ConfigError as error:
            self._reject(error)
            return names
        if self._broken is None and document is not None and document.problems:
            self._rejected = document.problems
            return names
        self._broken = None
        self._document = document
        return names.union(() if document is None else document.values)

    def _reject(self, error: ConfigError) -> None:
        if self._broken is None:
            self._rejected = [Problem.of(error)]
        else:
            self._broken = error

    def _read(self) -> "Document | None":
        """Read the TOML file, once.

        Raises:
            ConfigError: it is no TOML, or cannot be read.
        """
        if self._watch is None:
            self._watch = Watch()
            try:
                self._document = self._parse(self._watch)
            except ConfigError as error:
                self._broken = error
        if self._broken is not None:
            broken = self._broken
            raise ConfigError(broken.text, file=broken.file, line=broken.line)
        return self._document

    def _parse(self, watch: Watch) -> "Document | None":
        if self._toml == "":
            return None
        path = self.find(TOML, watch) if self._toml is None else os.path.abspath(self._toml)
        if path is None:
            return None
        from qpsmtpd.config import toml  # noqa: PLC0415 - most installations have no such file

        data, _ = control.load(path, watch)
        return toml.read(path, data)
