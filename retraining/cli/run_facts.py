"""The settings of a run as a person sees them: which were used, and the command that repeats the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from retraining.cli import commands
from retraining.cli.parser import Program
from retraining.export.judgement import Judgement
from retraining.report.subject import Run, UsedSetting
from retraining.settings.setting import REQUIRED, fields
from retraining.sorting import suspected_labels
from retraining.training.training_curve import CurvePoint


def of(
    program: Program[Any],
    settings: Any,
    lists: Path,
    *,
    judgements: Sequence[Judgement] | None = None,
    curve: Sequence[CurvePoint] = (),
    curve_unit: str = "step",
) -> Run:
    """Return the facts of a run for its report.

    `lists` is the folder of the list of suspected labels, and `curve` that of the training, with
    a point at each `curve_unit`. `judgements` are
    those of exported files, None if they are not known.
    """
    return Run(
        command=repeated(program, settings),
        relabel=commands.relabel(commands.this_start(), lists / suspected_labels.FILE, apply=False),
        settings=used(program, settings),
        curve=tuple(curve),
        curve_unit=curve_unit,
        formats=None if judgements is None else tuple(judgements),
    )


def used(program: Program[Any], settings: Any) -> tuple[UsedSetting, ...]:
    """Return all settings of a run, in the order of the help, as they can be given again."""
    return tuple(
        UsedSetting(program.flag_name(name), _text(value), is_default)
        for name, value, is_default in _values(program, settings)
    )


def repeated(program: Program[Any], settings: Any, *, shown: Sequence[str] = ()) -> str:
    """Return the command that repeats a run: its settings that are not the defaults, or are to be `shown`."""
    start = commands.this_start()
    words = commands.program(program.name, start)
    for name, value, is_default in _values(program, settings):
        if not is_default or name in shown:
            words += _given(program.flag_name(name), _text(value))
    return commands.shell_line(words, start.os_name)


def _values(program: Program[Any], settings: Any) -> Iterator[tuple[str, Any, bool]]:
    for name, group in program.groups().items():
        values = getattr(settings, name) if name else settings
        for field in fields(group):
            value = getattr(values, field.name)
            yield field.name, value, field.default is not REQUIRED and value == field.default


def _given(flag: str, text: str) -> list[str]:
    """Return the words for a setting: a value that begins with a dash would be taken for a flag itself."""
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
