"""The header section: raw fields in order, edited in place (RFC 5322 §2.2).

Rule: what nobody edits stays as it came, octet for octet, also lines that are no field. Fields
are written by ``Header`` alone, and it refuses what could end a field or the header section.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Field", "Header"]

#: one entry: a line with its continuation lines, and the name if it is a field; also of the
#: obsolete form with blanks in front of the colon (RFC 5322 §4.5)
_entries = re.compile(rb"(?!\Z)((?:([!-9;-~]++)[ \t]*+:)?[^\n]*+(?:\n[ \t][^\n]*+)*+\n?+)").findall
#: what has to stay on top: the line mbox files begin a message with, which programs recognise
#: only there, and continuation lines, which would continue a field put in front of them
_leads = re.compile(rb">?From |[ \t]").match
_name = re.compile(r"[!-9;-~]+").fullmatch
#: a line end that does not continue the field, or a continuation without text
_unfolded = re.compile(rb"\n(?![ \t]+[^ \t\n])").search
_fold = re.compile(rb"\r?\n(?=[ \t])")
_BLANK: Final = b" \t\r\n"


class Field(NamedTuple):
    """One field, or a run of lines that is none."""

    name: str  #: as it was spelled; "" for lines that are no field
    raw: bytes  #: all octets, with the line ends

    @property
    def value(self) -> str:
        """What stands behind the colon, unfolded, without blanks around it."""
        return _decode(self.raw.partition(b":")[2] if self.name else self.raw)


def _decode(value: bytes) -> str:
    return _fold.sub(b"", value).strip(_BLANK).decode("utf-8", "surrogateescape")


def _key(name: str) -> bytes:
    """Return what names are compared by; one that cannot be a name equals no other."""
    return name.lower().encode("utf-8", "surrogatepass")


class Header:
    """The fields of a message.

    Names are compared without regard to letter case. Values are text in UTF-8; octets that are
    not come as lone surrogates (``surrogateescape``), so that a value read can be written again.
    """

    __slots__ = ("_added", "_keys", "_newline", "_raws", "_rest", "edited")

    def __init__(self, content: bytes = b"", *, newline: bytes = b"\n") -> None:
        r"""Take the header section of a message.

        Args:
            content: the octets up to the blank line, which does not belong to it.
            newline: ends the lines written here: ``\n``, or ``\r\n`` in a verbatim message.
        """
        self._rest = content  # until it is cut
        self._added: list[bytes] = []  # in front of it, the last one first
        self._raws: list[bytes] | None = None  # entries in order, once cut
        self._keys: list[bytes] = []  # names in lower case, b"" for no field; parallel to _raws
        self._newline = newline
        self.edited = False  #: somebody changed it

    def _cut(self) -> list[bytes]:
        """Cut the section into entries, once."""
        if self._raws is None:
            found = _entries(self._rest)
            self._raws = [raw for raw, _ in found]
            self._keys = [name.lower() for _, name in found]
            self._rest = b""
            if self._added:
                added = _entries(b"".join(reversed(self._added)))
                self._added = []
                place = self._top()
                self._raws[place:place] = [raw for raw, _ in added]
                self._keys[place:place] = [name.lower() for _, name in added]
        return self._raws

    def _top(self) -> int:
        """Return the index where a first field goes; what must stay above ends in a line end."""
        raws = self._raws or []
        if not raws or self._keys[0] or not _leads(raws[0]):
            return 0
        raws[0] = self._ended(raws[0])
        return 1

    def _ended(self, raw: bytes) -> bytes:
        return raw if raw.endswith(b"\n") else raw + self._newline

    def _write(self, name: str, value: str | bytes) -> bytes:
        """Make the octets of a field: the one place where that happens.

        Raises:
            ValueError: the name is none, or the value would not stay one field.
        """
        if not _name(name):
            raise ValueError(f"no name of a header field: {name!r}")
        octets = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        octets = octets.rstrip(b" \t\n")
        end = len(name)
        if octets[end : end + 1] == b":" and octets[:end].lower() == _key(name):
            octets = octets[end + 1 :]  # the original took values with the name, too
        octets = octets.lstrip(b" \t")
        if b"\r" in octets or b"\0" in octets:
            raise ValueError(f"value of {name} holds CR or NUL")
        if b"\n" in octets:
            if _unfolded(octets):
                raise ValueError(f"value of {name} holds a line that does not continue it")
            if self._newline != b"\n":
                octets = octets.replace(b"\n", self._newline)
        colon = b": " if octets and not octets.startswith(self._newline) else b":"
        return name.encode("ascii") + colon + octets + self._newline

    def _places(self, name: str) -> list[int]:
        """List the indices of the fields of a name."""
        self._cut()
        key = _key(name)
        if not key or key not in self._keys:
            return []
        return [index for index, found in enumerate(self._keys) if found == key]

    def _first(self, name: str) -> bytes | None:
        raws = self._cut()
        key = _key(name)
        if not key or key not in self._keys:
            return None
        return raws[self._keys.index(key)]

    def may_hold(self, name: bytes) -> bool:
        """Tell quickly, without cutting, whether a name may be there; False is certain.

        Args:
            name: in lower case.
        """
        if self._raws is not None:
            return name in self._keys
        section = b"\n%b\n%b" % (b"".join(self._added), self._rest) if self._added else self._rest
        section = section.lower()
        return section.startswith(name) or b"\n" + name in section

    def get(self, name: str) -> str | None:
        """Return the unfolded value of the first field of a name, or None."""
        raw = self._first(name)
        return None if raw is None else _decode(raw.partition(b":")[2])

    def get_raw(self, name: str) -> bytes:
        """Return the first field of a name as it is, name and line ends included; b"" for none."""
        return self._first(name) or b""

    def get_all(self, name: str) -> list[str]:
        """Return the unfolded values of all fields of a name, top first."""
        raws = self._cut()
        return [_decode(raws[index].partition(b":")[2]) for index in self._places(name)]

    def add(self, name: str, value: str | bytes, *, first: bool = False) -> None:
        """Add a field at the bottom, or at the top.

        Args:
            name: of the field.
            value: text; it may be folded, each further line beginning with a blank and holding
                something else.
            first: put it at the top, above everything but a leading mbox line.

        Raises:
            ValueError: the name is none, or the value holds CR, NUL or a line end that does not
                fold it.
        """
        raw = self._write(name, value)
        self.edited = True
        if first and self._raws is None:
            self._added.append(raw)
            return
        raws = self._cut()
        if first:
            place = self._top()
        else:
            place = len(raws)
            if raws:
                raws[-1] = self._ended(raws[-1])
        raws.insert(place, raw)
        self._keys.insert(place, _key(name))

    def prepend(self, fields: bytes) -> None:
        """Put whole fields on top, as ``trace`` has written them: nothing is checked.

        Everybody else has ``add``.

        Args:
            fields: one or more, top first, with LF line ends.
        """
        if self._newline != b"\n":
            fields = fields.replace(b"\n", self._newline)
        if self._raws is None:
            self.edited = True
            self._added.append(fields)
            return
        entries: list[tuple[bytes, bytes]] = _entries(fields)
        for raw, name in reversed(entries):
            place = self._top()
            self._raws.insert(place, raw)
            self._keys.insert(place, name.lower())
            self.edited = True

    def replace(self, name: str, value: str | bytes) -> None:
        """Replace the first field of a name where it stands; without one, add it at the bottom.

        Raises:
            ValueError: as ``add`` does.
        """
        raw = self._write(name, value)
        raws = self._cut()
        key = _key(name)
        if key not in self._keys:
            self.add(name, value)
            return
        raws[self._keys.index(key)] = raw
        self.edited = True

    def delete(self, name: str, index: int | None = None) -> int:
        """Remove all fields of a name, or one of them.

        Args:
            name: of the fields.
            index: which one, counted from 0 at the top, from -1 at the bottom; None: all.

        Returns:
            How many were removed.
        """
        raws = self._cut()
        places = self._places(name)
        if index is not None:
            places = places[index : index + 1] if index != -1 else places[-1:]
        if places:
            gone = set(places)
            self._raws = [raw for at, raw in enumerate(raws) if at not in gone]
            self._keys = [key for at, key in enumerate(self._keys) if at not in gone]
            self.edited = True
        return len(places)

    def rename(self, old: str, new: str) -> int:
        """Give all fields of a name another one; they stay where and as they are.

        Returns:
            How many were renamed.

        Raises:
            ValueError: the new name is none.
        """
        return sum(self._rename(index, new) for index in self._places(old))

    def rename_fields(self, fields: list[Field], new: str) -> int:
        """Rename just these fields, taken from iterating; returns how many.

        Raises:
            ValueError: the new name is none.
        """
        raws = self._cut()
        wanted = {field.raw for field in fields}
        places = [index for index, raw in enumerate(raws) if raw in wanted]
        return sum(self._rename(index, new) for index in places)

    def _rename(self, index: int, new: str) -> int:
        if not _name(new):
            raise ValueError(f"no name of a header field: {new!r}")
        raws = self._cut()
        raws[index] = new.encode("ascii") + b":" + raws[index].partition(b":")[2]
        self._keys[index] = _key(new)
        self.edited = True
        return 1

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._first(name) is not None

    def __iter__(self) -> Iterator[Field]:
        for raw, key in zip(tuple(self._cut()), tuple(self._keys), strict=True):
            yield Field(raw[: len(key)].decode("ascii"), raw)

    def __len__(self) -> int:
        return len(self._cut())

    def to_bytes(self) -> bytes:
        """Return the section as it is now, without the blank line."""
        if self._raws is None:
            if not self._added:
                return self._rest
            if not _leads(self._rest):
                return b"".join((*reversed(self._added), self._rest))
        return b"".join(self._cut())
