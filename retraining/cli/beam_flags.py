"""The flags of Apache Beam that a program passes on: known to Beam, or else refused as mistyped ones are."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Sequence
from typing import Any

from retraining.cli import parser
from retraining.distribution import quiet_beam
from retraining.errors import BadRequest


def check(words: Sequence[str], own: Sequence[str]) -> None:
    """Raise BadRequest if one of the words is not for Beam; `own` are our flags."""
    # Beam's parser would print how it is used, and exit.
    with contextlib.redirect_stderr(io.StringIO()) as printed:
        try:
            beams = _parser(words)
            _, unknown = beams.parse_known_args(words)
        except SystemExit:
            raise BadRequest("{message}.", message=_message(printed.getvalue())) from None
    if unknown:
        known = [name for action in beams._actions for name in action.option_strings]
        parser.refuse_unknown(unknown[0], [*own, *known])


def _parser(words: Sequence[str]) -> Any:
    """Return the parser that knows the flags of all of Beam's options, and of the runner that is named."""
    quiet_beam.silence()
    from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

    runner = PipelineOptions(list(words)).view_as(StandardOptions).runner or ""
    if module := runner.rpartition(".")[
        0
    ]:  # a runner of another package, whose options are known once it is imported
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    found: list[Any] = []
    PipelineOptions([]).get_all_options(add_extra_args_fn=found.append)
    return found[0]


def _message(printed: str) -> str:
    """Return what a parser has printed of a wrong value: '--direct_num_workers: invalid int value: 'x''."""
    last = printed.splitlines()[-1]
    return last.partition("error: argument ")[2] or last
