import io
import stat
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpsmtpd.errors import StorageError
from qpsmtpd.message import Message, Storage

TEXT = b"Subject: x\nTo: y\n\n.body\nmore\n"


def sent(message, tmp_path):
    """Return what ``send_to`` writes."""
    with (tmp_path / "sent").open("wb") as file:
        message.send_to(file.fileno())
    return (tmp_path / "sent").read_bytes()


@pytest.mark.parametrize("threshold", [0, 1 << 20], ids=["file", "memory"])
def test_every_reader_sees_the_same(make, tmp_path, threshold):
    message = make(TEXT, threshold=threshold)
    assert message.spooled == (threshold == 0)
    for edited, whole in (
        (False, TEXT),
        (True, b"Received: z\nSubject: x\nTo: y\n\n.body\nmore\n"),
    ):
        if edited:
            message.header.add("Received", "z", first=True)
        assert b"".join(message.blocks()) == whole
        assert message.size == len(whole)
        with message.open() as file:
            assert file.read() == whole
            assert file.seek(-5, io.SEEK_END) == len(whole) - 5
            assert file.readline() == b"more\n"
        assert sent(message, tmp_path) == whole
        crlf = whole.replace(b"\n", b"\r\n")
        assert b"".join(message.blocks(newline=b"\r\n")) == crlf
        stuffed = crlf.replace(b"\r\n.", b"\r\n..")
        assert b"".join(message.blocks(newline=b"\r\n", stuffed=True)) == stuffed
        assert b"".join(message.blocks(stuffed=True)) == whole.replace(b"\n.", b"\n..")
        assert b"".join(message.body_blocks()) == b".body\nmore\n"
        assert (message.body_start, message.received_size) == (18, len(TEXT))


def test_the_body_never_moves(make):
    message = make(TEXT, threshold=0)
    for name in ("Subject", "To"):
        message.header.delete(name)
    assert b"".join(message.blocks()) == b"\n.body\nmore\n"
    assert message.size == 12
    assert message.body_start == 18
    with open(message.path(), "rb") as file:  # noqa: PTH123 - a text
        assert file.read() == TEXT


@pytest.mark.parametrize(
    ("content", "body_start", "header"),
    [
        (b"", 0, b""),
        (b"\n", 1, b""),
        (b"\nbody\n", 1, b""),
        (b"\n\nbody\n", 1, b""),
        (b"A: b\n", 5, b"A: b\n"),
        (b"A: b", 4, b"A: b"),
        (b"A: b\n\n", 6, b"A: b\n"),
        (b"A: b\n\nC: d\n\nE: f\n", 6, b"A: b\n"),
        (b"A: b\n c\n \n\n\n", 11, b"A: b\n c\n \n"),
        (b"no header at all\nbut lines\n", 27, b"no header at all\nbut lines\n"),
        (b"From me Mon Jan\nA: b\n\nx", 22, b"From me Mon Jan\nA: b\n"),
        (b"A: b\n\r\nC: d\n", 12, b"A: b\n\r\nC: d\n"),
        (b"A: \0\xff\n\n\0\xff", 7, b"A: \0\xff\n"),
    ],
)
def test_where_the_header_ends(make, cut, content, body_start, header):
    octets = [content[at : at + 1] for at in range(len(content))]
    for blocks in ([content], octets, [b"", *octets, b""], cut(content, 1), cut(content, 2)):
        for threshold in (0, 1 << 20):
            message = make(*blocks, threshold=threshold, finish=False)
            early = message.header_ended
            message.finish()
            assert message.header_ended
            assert early == (body_start > len(header))
            assert message.body_start == body_start
            assert message.header.to_bytes() == header
            assert b"".join(message.blocks()) == content
            assert b"".join(message.body_blocks()) == content[body_start:]
            message.header.add("X", "y", first=True)
            message.header.delete("X")
            assert b"".join(message.blocks()) == content
            assert message.size == len(content)
            message.close()


def test_the_header_is_known_with_its_blank_line(make):
    message = make(b"A: b\n", finish=False)
    assert not message.header_ended
    for use in (lambda: message.header, message.body_blocks, message.path):
        with pytest.raises(ValueError, match=r"has not ended|not finished"):
            use()
    message.append(b"\nbo")
    assert message.header_ended
    assert message.header.get("A") == "b"
    assert message.header is message.header
    message.append(b"dy\n")
    message.finish()
    assert b"".join(message.body_blocks()) == b"body\n"


def test_fields_added_to_a_message_without_blank_line(make):
    message = make(b"A: b\nC: d")
    message.header.add("X", "y", first=True)
    assert b"".join(message.blocks()) == b"X: y\nA: b\nC: d"
    message.header.add("Y", "z")
    assert b"".join(message.blocks()) == b"X: y\nA: b\nC: d\nY: z\n"
    assert message.size == len(b"X: y\nA: b\nC: d\nY: z\n")


def test_a_big_body_is_not_copied_to_the_header(make):
    message = make(b"A: b\n\n" + b"x" * 70_000)
    message.header.add("X", "y", first=True)
    blocks = list(message.blocks())
    assert [len(block) for block in blocks] == [11, 70_000]


def test_a_message_ends_once(make):
    for threshold in (0, 100):
        message = make(TEXT, threshold=threshold)
        message.finish()
        with pytest.raises(ValueError, match="no more content"):
            message.append(b"more")
        assert b"".join(message.blocks()) == TEXT


@pytest.mark.parametrize("threshold", [0, 100])
def test_a_closed_message(make, tmp_path, threshold):
    message = make(TEXT, threshold=threshold)
    path = message.path()
    assert path == message.path()
    assert stat.S_IMODE((tmp_path / "spool").stat().st_mode) == 0o700
    reader = message.open()
    message.close()
    message.close()
    assert list((tmp_path / "spool").iterdir()) == []
    assert message.received_size == len(TEXT)
    for use in (lambda: message.header, message.blocks, message.path, reader.read):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_full_disk_is_a_temporary_failure(full_disk):
    message = Message(Storage(str(full_disk), 1000))
    message.append(b"Subject: x\n\n")
    with pytest.raises(StorageError, match="cannot store the message"):
        message.append(b"x" * 1_000_000)
    message.close()
    assert list(full_disk.iterdir()) == []


# ---------------------------------------------------------------------------------------- verbatim


@pytest.mark.parametrize(
    ("content", "body_start", "header"),
    [
        (b"", 0, b""),
        (b"\r\n\0\n.x", 2, b""),
        (b"A: b\r\n\r\n\n\r.\r\n.", 8, b"A: b\r\n"),
        (b"A: b\n\n\r\n\r\nx", 10, b"A: b\n\n\r\n"),
        (b"A: b\r\n", 6, b"A: b\r\n"),
        (b"A: b\r\n\n\r\n", 9, b"A: b\r\n\n\r\n"),
    ],
)
def test_a_verbatim_message_is_never_converted(make, cut, content, body_start, header):
    octets = [content[at : at + 1] for at in range(len(content))]
    for blocks in ([content], octets, cut(content, 3)):
        message = make(*blocks, verbatim=True)
        assert message.verbatim
        assert (message.body_start, message.header.to_bytes()) == (body_start, header)
        for newline in (b"\n", b"\r\n"):
            assert b"".join(message.blocks(newline=newline)) == content
        stuffed = b"".join(message.blocks(newline=b"\r\n", stuffed=True))
        assert b"\r\n.\r\n" not in b"\r\n" + stuffed
        assert stuffed == b"" or stuffed.endswith(b"\r\n")
        message.header.add("X", "y\n z", first=True)
        assert b"".join(message.blocks()) == b"X: y\r\n z\r\n" + content
        assert message.size == 10 + len(content)


# -------------------------------------------------------------------------------------- properties


@given(
    st.lists(st.text("A: b\n.\t", max_size=8).map(str.encode)),
    st.sampled_from([0, 5, 1 << 20]),
    st.booleans(),
)
def test_any_message_comes_out_as_it_came_in(tmp_path_factory, blocks, threshold, edited):
    content = b"".join(blocks)
    message = Message(Storage(str(tmp_path_factory.getbasetemp()), threshold))
    for block in blocks:
        message.append(block)
    message.finish()
    head, blank, body = (b"\n" + content).partition(b"\n\n")
    assert message.header.to_bytes() == (head + blank[:1])[1:]
    assert b"".join(message.body_blocks()) == body
    if edited and content.endswith(b"\n"):  # a last line without its end gets one by editing
        message.header.add("X", "y", first=True)
        message.header.delete("X")
        assert message.header.edited
    assert b"".join(message.blocks()) == content
    assert message.size == message.received_size == len(content)
    assert message.open().read() == content
    message.close()


# ---------------------------------------------------------------------------------------- corpora

CORPORA = (
    *("mime-mail-gem", "mime-mime4j", "mime-python", "mime-stalwart", "mime-torture-flanker"),
    *("spam-ham", "arc", "dkim-dkimpy", "dkim-mail-dkim", "dkim-stalwart"),
)


@pytest.mark.parametrize("name", CORPORA)
def test_messages_of_the_corpora_come_out_as_they_came_in(corpus, make, cut, name):
    files = sorted(path for path in corpus(name).rglob("*") if path.is_file())
    assert files
    for number, path in enumerate(files):
        content = path.read_bytes().replace(b"\r\n", b"\n")
        threshold = (0, 3000, 1 << 30)[number % 3]
        blocks = cut(content, number) if len(content) < 100_000 else [content]
        message = make(*blocks, threshold=threshold)
        assert b"".join(message.blocks()) == content, path
        assert b"".join(field.raw for field in message.header) == message.header.to_bytes()
        message.header.add("X-Ours", "first", first=True)
        message.header.add("X-Ours", "last")
        assert message.header.get_all("X-Ours") == ["first", "last"], path
        message.header.delete("X-Ours")
        whole = b"".join(message.blocks())
        assert whole == content or whole == content + b"\n", path  # the last line got its end
        message.close()


def test_fields_of_a_corpus_are_those_a_mail_parser_finds(corpus, make):
    from email.parser import BytesParser  # noqa: PLC0415 - slow, and wanted here alone
    from email.policy import compat32  # noqa: PLC0415

    compared = 0
    for path in sorted(corpus("spam-ham").rglob("*")):
        content = path.read_bytes().replace(b"\r\n", b"\n") if path.is_file() else b""
        message = make(content)
        header = message.header
        if content and all(field.name for field in header):
            wanted = BytesParser(policy=compat32).parsebytes(header.to_bytes()).keys()
            assert [field.name for field in header] == wanted, path
            compared += 1
        message.close()
    assert compared > 30


# -------------------------------------------------------------------------------------- start path


def test_importing_messages_loads_nothing_slow():
    import subprocess  # noqa: PLC0415 - a fresh interpreter is the only clean one

    program = "import sys, qpsmtpd.message, qpsmtpd.message.trace; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    slow = {"asyncio", "email", "inspect", "dataclasses", "tempfile", "pathlib", "ssl", "random"}
    assert slow.isdisjoint(set(found.split()) - set(sys.builtin_module_names))
