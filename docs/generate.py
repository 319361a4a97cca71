#!/usr/bin/env python3
"""Write the pages of docs/ that are made from the package's own tables and docstrings.

Usage: docs/generate.py [--check]

With ``--check`` nothing is written; stale pages are named, and make the exit code 1. One function
makes one page.
"""

import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from qpsmtpd.config.schema import LISTENER_OPTIONS, SETTINGS, Table
from qpsmtpd.constants import LogLevel, Result
from qpsmtpd.hooks import HOOKS, Scope
from qpsmtpd.plugin import catalogue
from qpsmtpd.smtp.command import COMMANDS
from qpsmtpd.smtp.extension import KEYWORDS, MAIL_PARAMETERS, RCPT_PARAMETERS
from qpsmtpd.smtp.reply import REPLIES, Answer
from qpsmtpd.status import STATUSES

DOCS = Path(__file__).resolve().parent

RESULTS = {
    "OK": "Taken; nobody behind is asked.",
    "DENY": "Refused for good.",
    "DENYSOFT": "Refused for now; the client may try again.",
    "DENY_DISCONNECT": "Refused for good, and the connection ends. `DENYHARD` is its old name.",
    "DENYSOFT_DISCONNECT": "Refused for now, and the connection ends.",
    "DECLINED": "No opinion: the next handler is asked. Falling off the end says the same.",
    "DONE": "The plugin has answered the client itself; nothing is added.",
}

#: arguments of every plugin (``qpsmtpd.plugin.args.GENERIC``)
GENERIC = {
    "reject": "what a plugin that judges is to do: refuse (`1`), only note it (`0`), or `naughty`",
    "reject_type": "how it refuses: `perm`, `temp` or `disconnect`",
    "loglevel": "a level, or steps by which its own messages become more or less urgent",
    "timeout": "seconds one of its handlers may take",
    "on_error": "what a failure of it counts as: `declined` (the default), `denysoft` or `deny`",
    "offload": "`1`: its plain functions wait, so run them on threads in the event loop",
}


# ----------------------------------------------------------------------------------- reference


def hooks() -> str:
    """Make the page of hooks."""
    scopes = {
        Scope.PROCESS: "Without a client",
        Scope.CLIENT: "Before a client is greeted",
        Scope.CONNECTION: "With a connection",
        Scope.TRANSACTION: "With a transaction",
    }
    parts = [
        "A handler is a method or function called as below, without the plugin itself.",
        "It may be a plain function; where *waits* says yes, a `@blocking` or `async` one, too.",
        "*Time* is what a handler gets unless its plugin's line says `timeout`.",
    ]
    for scope, title in scopes.items():
        rows = [
            (
                f"`{hook.name}`",
                f"`{hook.method}({', '.join(hook.arguments)})`",
                "yes" if hook.waits else "no",
                f"{hook.timeout:g} s" if hook.waits else "",
                hook.summary.replace("``", "`"),
            )
            for hook in HOOKS.values()
            if hook.scope is scope
        ]
        parts += [f"\n## {title}\n", table(("Hook", "Handler", "Waits", "Time", "When"), rows)]
    return page("Hooks", "qpsmtpd.hooks.spec", parts)


def results() -> str:
    """Make the page of results and log levels."""
    rows = [(f"`{result.name}`", str(int(result)), RESULTS[result.name]) for result in Result]
    levels = [(f"`{level.name}`", str(int(level))) for level in LogLevel]
    parts = [
        "What a handler returns: one of these, or one with a text behind it.",
        "The numbers are those of the Perl original.\n",
        table(("Result", "Number", "Meaning"), rows),
        "\n## Log levels\n",
        "From the most to the least urgent. `LOGRADAR` is another name of `LOGEMERG`.\n",
        table(("Level", "Number"), levels),
    ]
    return page("Results", "qpsmtpd.constants", parts)


def settings() -> str:
    """Make the page of settings."""
    bundled = set(catalogue.bundled())
    owners = sorted({setting.owner for setting in SETTINGS.values()} & bundled)
    absent = [f"`{row.name}`" for row in SETTINGS.values() if row.owner not in {"", *bundled}]
    options = [f"`{name}=…`" if value else f"`{name}`" for name, value in LISTENER_OPTIONS.items()]
    parts = [
        "A setting is a control file of that name, or an entry of `qpsmtpd.toml`.",
        "Where *change* says reload, it takes effect with SIGHUP; else with the next connection.",
        "\n## Plugins, log and sessions\n",
        settings_of("", Table.SETTINGS),
        "\n## Processes and sockets\n",
        settings_of("", Table.SERVER),
        f"\nBehind an address of `listen` there may be {', '.join(options)}.",
    ]
    for owner in owners:
        parts += [f"\n## Of [{owner}](../plugins/{plugin_page(owner)})\n", settings_of(owner)]
    if absent:
        title = "\n## Of plugins that are not here yet\n"
        parts += [title, "Known, and without effect:", ",\n".join(absent) + "."]
    return page("Settings", "qpsmtpd.config.schema", parts)


def settings_of(owner: str, place: Table = Table.SETTINGS) -> str:
    """Make the table of one owner's settings."""
    rows = [
        (
            f"`{setting.name}`",
            ", ".join(setting.choices) or setting.type.value,
            "" if setting.default is None else f"`{' '.join(setting.default_lines)}`",
            "reload" if setting.reload else "",
            setting.summary,
        )
        for setting in SETTINGS.values()
        if setting.owner == owner and setting.table is place
    ]
    return table(("Setting", "Type", "Default", "Change", "Meaning"), rows)


def statuses() -> str:
    """Make the page of enhanced status codes."""
    rows = [
        (f"`status.{name}()`", f"`{row.result.name}`", f"x.{row.detail}", row.text)
        for name, row in STATUSES.items()
    ]
    parts = [
        "Refusals for plugins, under the names of the original's module DSN (RFC 3463).",
        "The first digit of a code follows from the result: 5 for `DENY`, 4 for `DENYSOFT`.\n",
        table(("Function", "Result", "Code", "Text"), rows),
    ]
    return page("Status codes", "qpsmtpd.status", parts)


def replies() -> str:
    """Make the page of replies."""

    def cell(answer: Answer | None) -> str:
        if answer is None or not answer.code:
            return "go on"
        text = " ".join(answer.text.split("\n"))
        words = f"{answer.code} {answer.status}".rstrip() + f" {text}"
        return f"{words} **†**" if answer.close else words

    columns = [result for result in Result if result is not Result.DONE]
    parts = [
        "What the client hears of a hook's result, if the plugin brought no text of its own.",
        "**†** ends the connection. After `DONE` nothing is added.",
        "Enhanced status codes are sent once the client has said EHLO (RFC 2034).",
    ]
    for hook, row in REPLIES.items():
        rows = [(f"`{result.name}`", cell(row.get(result))) for result in columns]
        parts += [f"\n## {hook}\n", table(("Result", "Reply"), rows)]
    return page("Replies", "qpsmtpd.smtp.reply", parts)


def commands() -> str:
    """Make the page of SMTP commands."""
    rows = [
        (
            f"`{command.name.upper()}`",
            command.rfc,
            ", ".join(state.name.lower() for state in command.refused) or "never",
        )
        for command in COMMANDS.values()
    ]
    parts = [
        "Verbs the session knows; everything else runs the hook `unrecognized_command`.",
        "States are those of `qpsmtpd.smtp.state`.\n",
        table(("Command", "Specified in", "Out of sequence in state"), rows),
    ]
    return page("Commands", "qpsmtpd.smtp.command", parts)


def extensions() -> str:
    """Make the page of SMTP extensions."""
    keywords = [(f"`{name}`", rfc) for name, rfc in KEYWORDS.items()]
    parameters = [
        (f"`{command} {name.upper()}`", f"`{parameter.keyword}`", parameter.rfc)
        for command, rows in (("MAIL", MAIL_PARAMETERS), ("RCPT", RCPT_PARAMETERS))
        for name, parameter in rows.items()
    ]
    parts = [
        "What EHLO offers, in this order; plugins may add to it.\n",
        table(("Keyword", "Specified in"), keywords),
        "\n## Parameters\n",
        table(("Parameter", "Belongs to", "Specified in"), parameters),
    ]
    return page("Extensions", "qpsmtpd.smtp.extension", parts)


def notes() -> str:
    """Make the page of notes: what plugins tell one another."""
    parts = [
        "Notes are what plugins tell one another, in the dictionaries `connection.notes`",
        "and `transaction.notes`.",
        "This is what the bundled plugins say of theirs.",
    ]
    for name in catalogue.bundled():
        text = dict(sections(name)).get("NOTES")
        if text:
            parts += [f"\n## [{name}](../plugins/{plugin_page(name)})\n", text]
    return page("Notes", "the plugins' docstrings", parts)


# ------------------------------------------------------------------------------------- plugins


def plugin_page(name: str) -> str:
    """Return the path of a plugin's page below docs/plugins."""
    return name.replace("-", "_") + ".md"


def sections(name: str) -> list[tuple[str, str]]:
    """Cut a plugin's manual into headings and texts; the first is its name and summary."""
    parts = re.split(r"^([A-Z][A-Z ]+)\n\n", catalogue.manual(name), flags=re.MULTILINE)
    texts = (part.strip("\n") for part in parts[2::2])
    return [("", parts[0].strip("\n")), *zip(parts[1::2], texts, strict=True)]


def plugin(name: str) -> str:
    """Make the page of a plugin."""
    summary = catalogue.summary(name)
    parts = [summary[:1].upper() + summary[1:] + "."]
    for heading, text in sections(name)[1:]:
        parts += ["" if heading == "DESCRIPTION" else f"\n## {heading.capitalize()}\n", text]
    index = "../" * name.count("/") + "index.md#arguments-of-every-plugin"
    parts.append(f"\n[The arguments of every plugin]({index})")
    return page(name, "its docstring and Args", parts)


def plugin_index() -> str:
    """Make the list of plugins."""
    rows = [
        (f"[{entry.name}]({plugin_page(entry.name)})", entry.summary)
        for entry in catalogue.entries()
    ]
    parts = [
        "A line of the control file `plugins` names a plugin and gives it arguments.",
        "Plugins are asked in the order of their lines.\n",
        table(("Plugin", "What it does"), rows),
        "\n## Arguments of every plugin\n",
        table(("Argument", "Meaning"), [(f"`{name}`", text) for name, text in GENERIC.items()]),
    ]
    return page("Plugins", "the plugins' docstrings", parts)


# --------------------------------------------------------------------------------------- pages


def page(title: str, source: str, parts: Iterable[str]) -> str:
    """Put a page together."""
    head = f"<!-- Made by `make docs` from {source}: edit that, not this. -->\n\n# {title}\n\n"
    return head + "\n".join(parts).strip("\n") + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(escaped(cell) for cell in line) + " |" for line in lines)


def escaped(cell: str) -> str:
    """Keep Markdown from reading more into a cell than there is."""
    parts = cell.replace("|", "\\|").split("`")
    return "`".join(part if n % 2 else part.replace("<", "&lt;") for n, part in enumerate(parts))


REFERENCE: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands,
    "reference/extensions.md": extensions,
    "reference/hooks.md": hooks,
    "reference/notes.md": notes,
    "reference/replies.md": replies,
    "reference/results.md": results,
    "reference/settings.md": settings,
    "reference/statuses.md": statuses,
    "plugins/index.md": plugin_index,
}


def pages() -> dict[str, str]:
    """Make every page; the keys are paths below docs/."""
    made = {name: make() for name, make in REFERENCE.items()}
    made.update({f"plugins/{plugin_page(name)}": plugin(name) for name in catalogue.bundled()})
    return made


def stale(made: dict[str, str], docs: Path = DOCS) -> list[str]:
    """List pages that are not what they would be now, and pages nothing makes any more."""
    folders = {docs / Path(name).parts[0] for name in made}
    there = {
        path.relative_to(docs).as_posix()
        for folder in folders
        for path in folder.rglob("*.md")
        if path.read_text(encoding="utf-8").startswith("<!-- Made by `make docs`")
    }
    changed = {
        name
        for name, text in made.items()
        if not (docs / name).is_file() or (docs / name).read_text(encoding="utf-8") != text
    }
    return sorted(changed | (there - made.keys()))


def main(words: Sequence[str]) -> int:
    """Write what is stale, or name it."""
    made = pages()
    names = stale(made)
    if "--check" in words:
        sys.stdout.writelines(f"stale: docs/{name}\n" for name in names)
        return 1 if names else 0
    for name in names:
        path = DOCS / name
        if name in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[name], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
