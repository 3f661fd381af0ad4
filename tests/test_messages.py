"""Every message in the sources, read without running them: all its fields can be filled in."""

from __future__ import annotations

import ast
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks.__main__ import BENCHMARKS
from retraining.cli.parser import Program
from retraining.cli.programs import PROGRAMS
from retraining.settings.setting import fields
from tests.conftest import PROJECT

CALLS = {"BadRequest", "WorkFailed", "BadModule", "BadImage", "Message"}

# Names in messages that are not settings: flags that print a table, a keyword of `export`, and a flag of Beam's.
OTHER_NAMES = {"list_modules", "list_layers", "format", "runner"}

# The only template that is not written in its call: a setting's line of help, which a test below checks.
MEANING = "field.metadata['meaning']"

SOURCES = sorted(
    [
        *(PROJECT / "retraining").rglob("*.py"),
        *(PROJECT / "benchmarks").rglob("*.py"),
        PROJECT / "retrain.py",
        PROJECT / "label_image.py",
    ]
)
SOURCES.remove(PROJECT / "retraining" / "errors.py")  # which makes messages of any template


class Call(NamedTuple):
    """A message in the sources: its place and the call that makes it."""

    place: str
    node: ast.Call

    @property
    def template(self) -> str | None:
        """The text of the template, or None if it is only made at run time."""
        template = self.node.args[0]
        return template.value if isinstance(template, ast.Constant) else None  # type: ignore[return-value]

    @property
    def values(self) -> list[str | None]:
        """The names of the values; None for `**values`, which cannot be read here."""
        return [keyword.arg for keyword in self.node.keywords]


def calls_in(path: Path) -> Iterator[Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CALLS:
            yield Call(f"{path.relative_to(PROJECT)}:{node.lineno}", node)


MESSAGES = [call for path in SOURCES for call in calls_in(path)]


def settings_of(program: Program[Any]) -> set[str]:
    return {field.name for group in program.groups().values() for field in fields(group)}


def known_names() -> set[str]:
    programs = [*PROGRAMS, *(benchmark.program() for benchmark in BENCHMARKS)]
    return set().union(*map(settings_of, programs)) | OTHER_NAMES


KNOWN = known_names()


def fields_in(template: str) -> set[str]:
    """Return the names of a template's fields, including '' and digits, which no message can fill in."""
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def refusal(call: Call) -> str | None:
    """Return what is wrong with a message, or None."""
    template, values = call.template, call.values
    if len(call.node.args) != 1:
        return "takes one template, and its values by name"
    if None in values:
        return "hides its values behind **"
    if template is None:
        return None if ast.unparse(call.node.args[0]) == MEANING else "has a template that is not constant"
    if not isinstance(template, str):
        return "has a template that is not text"
    unknown = fields_in(template) - set(values) - KNOWN
    if unknown:
        return f"has no value for {sorted(unknown)}, and there is no such setting"
    unused = set(values) - fields_in(template)
    return f"does not show {sorted(map(str, unused))}" if unused else None


def test_messages_are_found() -> None:
    assert len(MESSAGES) > 150
    assert {call.place.split("/")[0] for call in MESSAGES} >= {"retraining", "benchmarks"}


@pytest.mark.parametrize("call", MESSAGES, ids=lambda call: call.place)
def test_each_field_of_a_message_has_a_value_or_names_a_setting(call: Call) -> None:
    assert refusal(call) is None, ast.unparse(call.node)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("BadRequest('{image_size} is {given}.', given=1)", None),
        ("errors.BadModule('{path}', path=setting_named('image_size'))", None),
        ("Message('{count:,} of {share:.1%}', count=1, share=2)", None),
        (
            "BadRequest('{imag_size} is wrong.')",
            "has no value for ['imag_size'], and there is no such setting",
        ),
        ("BadRequest('{} is wrong.')", "has no value for [''], and there is no such setting"),
        ("BadRequest('Wrong.', given=1)", "does not show ['given']"),
        ("BadRequest(f'{given} is wrong.')", "has a template that is not constant"),
        ("BadRequest(text)", "has a template that is not constant"),
        ("BadRequest('{given}', **values)", "hides its values behind **"),
        ("BadRequest('{given}', 1)", "takes one template, and its values by name"),
    ],
)
def test_each_mistake_would_be_found(source: str, expected: str | None) -> None:
    node = ast.parse(source, mode="eval").body
    assert isinstance(node, ast.Call)
    assert refusal(Call("here", node)) == expected


@pytest.mark.parametrize(
    "program",
    [*PROGRAMS, *(benchmark.program() for benchmark in BENCHMARKS)],
    ids=lambda program: program.name,
)
def test_each_field_in_a_settings_meaning_names_a_setting(program: Program[Any]) -> None:
    for group in program.groups().values():
        for field in fields(group):
            assert fields_in(field.metadata["meaning"]) <= KNOWN, field.name
