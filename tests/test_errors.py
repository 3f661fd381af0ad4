"""Messages: settings are named as their reader knows them, and values are never part of the template."""

from __future__ import annotations

import copy
import logging
import pickle
from pathlib import Path

import pytest

from retraining.cli import console, logs, programs
from retraining.cli.parser import flag_name
from retraining.errors import (
    BadImage,
    BadModule,
    BadRequest,
    Message,
    UserError,
    WorkFailed,
    setting_named,
    settings_named,
)
from retraining.printable import printable
from retraining.settings.samples import SamplePhotosSettings

KINDS = (BadRequest, BadModule, WorkFailed, BadImage)

# Text that would change a message if it were treated as a template, a %-format or layout.
ODD_VALUES = (
    "{image_size}",
    "{",
    "}",
    "{}",
    "{0}",
    "{{x}}",
    "{given!r:>9}",
    "%s %(x)d",
    "a\nb",
    "\x1b[31m",
    "",
)


def on_command_line(message: Message) -> str:
    """Return a message as the command line shows it."""
    return message.text(setting_name=flag_name, show=printable)


def command_output(error: UserError, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a command that raises an error prints on standard error."""

    def command(_: SamplePhotosSettings) -> None:
        raise error

    assert console.run(command, programs.SAMPLE_PHOTOS, ["photos"]) == error.exit_status
    return capsys.readouterr().err


def test_setting_is_named_as_in_python_and_as_a_flag_on_the_command_line() -> None:
    error = BadRequest("{image_size} {given} is too small. Raise {image_size}.", given=5)
    assert str(error) == "image_size 5 is too small. Raise image_size."
    assert on_command_line(error.message) == "--image_size 5 is too small. Raise --image_size."


def test_setting_whose_flag_has_another_name_is_shown_by_that_name() -> None:
    error = BadRequest("{class_label} needs a {graph}.")
    assert str(error) == "class_label needs a graph."
    assert on_command_line(error.message) == "--class needs a --graph."


def test_setting_without_a_flag_is_shown_as_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_output(BadRequest("{folder} is full."), capsys) == "sample_photos: error: DIR is full.\n"


def test_value_is_shown_in_the_format_of_its_field() -> None:
    assert str(WorkFailed("{share:.1%} of {count:,}", share=0.25, count=1234)) == "25.0% of 1,234"
    assert on_command_line(Message("{rate:g}", rate=1e-5)) == "1e-05"


@pytest.mark.parametrize("value", ODD_VALUES)
@pytest.mark.parametrize("kind", KINDS)
def test_value_is_never_treated_as_a_template(kind: type[UserError], value: str) -> None:
    assert str(kind("got '{value}'.", value=value)) == f"got '{value}'."
    assert str(kind("{outer}", outer=Message("got '{value}'.", value=value))) == f"got '{value}'."
    assert str(kind("{path}", path=Path(value))) == str(Path(value))


@pytest.mark.parametrize("value", ODD_VALUES)
def test_command_line_shows_any_value_on_one_line(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = command_output(BadRequest("got '{value}'.", value=value), capsys)
    assert shown == f"sample_photos: error: got '{printable(value)}'.\n"
    assert shown.count("\n") == 1
    assert "\x1b" not in shown


def test_line_ends_are_kept_in_the_template_and_escaped_in_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = BadRequest("first {value}\n  second {inner}", value="a\nb", inner=Message("x\n  {y}", y="\n"))
    assert str(error) == "first a\nb\n  second x\n  \n"
    assert command_output(error, capsys) == "sample_photos: error: first a\\nb\n  second x\n  \\n\n"


def test_formatted_value_is_escaped_too() -> None:
    assert on_command_line(Message("[{name:>4}]", name="a\n")) == "[  a\\n]"


def test_messages_nest_to_any_depth() -> None:
    inner = Message("{setting} '{value}'", setting=setting_named("image_dir"), value="{seed}\n")
    error = BadRequest("{what} and {seed}", what=Message("both {inner}", inner=inner))
    assert str(error) == "both image_dir '{seed}\n' and seed"
    assert on_command_line(error.message) == "both --image_dir '{seed}\\n' and --seed"


def test_several_settings_are_one_value() -> None:
    error = BadRequest("received {given}.", given=settings_named(["graph", "class_label"], separator=" and "))
    assert str(error) == "received graph and class_label."
    assert on_command_line(error.message) == "received --graph and --class."


def test_error_as_the_value_of_another_is_shown_as_its_message() -> None:
    reason = BadImage("is smaller than {image_size} ({error})", error="{x}")
    error = BadRequest("{image} '{path}' {reason}.", path="a.jpg", reason=reason)
    assert str(error) == "image 'a.jpg' is smaller than image_size ({x})."
    assert on_command_line(error.message) == "--image 'a.jpg' is smaller than --image_size ({x})."


def test_value_with_the_name_of_a_setting_is_shown_as_a_value() -> None:
    assert on_command_line(Message("{image} and {seed}", image="photo.jpg")) == "photo.jpg and --seed"


@pytest.mark.parametrize("kind", KINDS)
def test_error_is_the_same_after_pickling_and_copying(kind: type[UserError]) -> None:
    error = kind("{image_size} '{value}' {inner}", value="{\n}", inner=Message("of {seed} {n}", n=3))
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert str(again) == str(error) == "image_size '{\n}' of seed 3"
        assert on_command_line(again.message) == "--image_size '{\\n}' of --seed 3"
        assert again.exit_status == error.exit_status


def test_exit_status_is_2_for_bad_requests_and_1_for_failed_work() -> None:
    assert [kind.exit_status for kind in KINDS] == [2, 2, 1, 1]
    assert all(issubclass(kind, UserError) for kind in KINDS)


def test_warning_names_settings_as_an_error_does(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logging("INFO")
    log = logging.getLogger("retraining.some_module")
    log.warning(Message("{name}: raise {image_size}.\n  Or not.", name="a\nb {seed} %s"))
    assert capsys.readouterr().err == "warning: a\\nb {seed} %s: raise --image_size.\n  Or not.\n"


def test_warning_names_settings_as_in_python_outside_commands(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("retraining.some_module").warning(Message("raise {image_size}, 100% of {n}", n=3))
    assert [record.getMessage() for record in caplog.records] == ["raise image_size, 100% of 3"]
