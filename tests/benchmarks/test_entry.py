"""One command for all benchmarks: it lists them, takes their arguments and prints their tables."""

from __future__ import annotations

import typing
from pathlib import Path

import pytest

from benchmarks import arguments, commands, figures
from benchmarks.__main__ import BENCHMARKS, Benchmark, main, named
from benchmarks.figures import Figure
from retraining.cli.parser import meaning_of, parse
from retraining.errors import WorkFailed
from retraining.settings.setting import fields
from tests.conftest import PROJECT

NAMES = [benchmark.name for benchmark in BENCHMARKS]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_all_benchmarks_are_listed(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "usage: python -m benchmarks NAME ..."
    assert [line.split()[0] for line in lines if line.startswith("  ")] == NAMES
    assert max(map(len, lines)) < 100


def test_each_benchmark_is_on_the_page() -> None:
    page = (PROJECT / "benchmarks" / "README.md").read_text()
    assert [name for name in NAMES if f"python -m benchmarks {name}" not in page] == []


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=NAMES)
def test_each_benchmark_takes_its_declared_settings(benchmark: Benchmark) -> None:
    assert typing.get_type_hints(benchmark.run_function())["settings"] is benchmark.settings


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=NAMES)
def test_each_argument_has_help(benchmark: Benchmark, capfd: pytest.CaptureFixture[str]) -> None:
    assert main([benchmark.name, "--help"]) == 0
    shown = " ".join(capfd.readouterr().out.split())
    for field in fields(benchmark.settings):
        assert meaning_of(field) in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["stge"], "unknown benchmark 'stge'. Did you mean stage?"),
        (["tutorial"], f"unknown benchmark 'tutorial'. Known: {', '.join(NAMES)}."),
        (["scan", "0"], "COUNT must be a whole number of at least 1, received '0'."),
        (["scan", "--repeat", "x"], "--repeat must be a whole number of at least 1, received 'x'."),
        (["scan", "--repaet=2"], "unknown flag --repaet. Did you mean --repeat?"),
        (["scan", "5", "6"], "'6' does not belong to any flag. See --help for the flags."),
        (["bench", "nowhere"], "FOLDER must be an existing folder, received 'nowhere'."),
        (["stage"], "the following arguments are required: FOLDER, HANDLE."),
        (["large_folders", "--counts=5,0"], "--counts must be a whole number of at least 1, received '5,0'."),
        (
            ["networks", "--optimizer=lion"],
            "--optimizer must be one of adagrad adam rmsprop sgd, received 'lion'.",
        ),
    ],
)
def test_mistake_is_refused(words: list[str], message: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert capfd.readouterr() == ("", f"benchmarks: error: {message}\n")


@pytest.mark.parametrize(
    "words", [["{}", "builtin", "vit", "--repeat=2"], ["--repeat", "2", "{}", "builtin", "vit"]]
)
def test_arguments_become_settings_in_any_order(words: list[str], tmp_path: Path) -> None:
    given = [word.format(tmp_path) for word in words]
    settings = parse(named("precision").program(), given)
    assert settings == arguments.PrecisionSettings(tmp_path, ("builtin", "vit"), 2)


def test_settings_without_arguments_have_their_defaults() -> None:
    settings = parse(named("bench").program(), [])
    assert settings == arguments.BenchSettings()
    assert (settings.folder, settings.repeat, settings.skip_memory) == (None, 3, False)


def test_scan_prints_its_figure(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "100", "--repeat=1"]) == 0
    heads, rule, row = capfd.readouterr().out.splitlines()
    assert (heads, rule) == ("| what | figure | target | met |", "|---|---|---|---|")
    assert row.startswith("| scan and split of 100 images, against walking and hashing | ")
    assert row.endswith(" times |  |  |")


def test_figures_are_printed_with_their_targets(capfd: pytest.CaptureFixture[str]) -> None:
    figures.print_figures(
        [
            Figure("speed", "3 times"),
            Figure("share", "0.9", ">= 0.8", True),
            Figure("time", "7 s", "< 6 s", False),
        ]
    )
    assert capfd.readouterr().out == (
        "| what | figure | target | met |\n"
        "|---|---|---|---|\n"
        "| speed | 3 times |  |  |\n"
        "| share | 0.9 | >= 0.8 | yes |\n"
        "| time | 7 s | < 6 s | **no** |\n"
    )


def test_cell_cannot_break_its_table(capfd: pytest.CaptureFixture[str]) -> None:
    figures.print_table(["a", "b"], [("1|2", "line\nbreak")])
    assert capfd.readouterr().out.splitlines()[2] == "| 1\\|2 | line\\nbreak |"
    with pytest.raises(ValueError, match=r"2 columns, but 1 cells: \('1',\)"):
        figures.print_table(["a", "b"], [("1",)])


def test_last_lines_of_a_failed_command_are_readable(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.scan.ratio", lambda *_, **__: _fail())
    assert main(["scan"]) == 1
    *log, error = capfd.readouterr().err.splitlines()
    assert [line[len("12:00:00 ") :] for line in log] == ["  printed", "  first", "  \\x1b[31msecond"]
    assert error == (
        "benchmarks: error: `-c import sys; print('printed'); sys.exit('first\\n\\033[31msecond') ...` ended with "
        "exit status 1, not 0. Its last lines are above."
    )


def _fail() -> float:
    commands.run(["-c", "import sys; print('printed'); sys.exit('first\\n\\033[31msecond')"])
    raise AssertionError("the command must fail")


def test_command_that_ends_as_expected_returns_what_it_printed() -> None:
    finished = commands.run(["-c", "print('result'); raise SystemExit(3)"], status=3)
    assert finished.output == "result\n"
    assert finished.peak_bytes > 1e6
    with pytest.raises(WorkFailed, match=r"ended with exit status 3, not 0\. Its last lines are above\.$"):
        commands.run(["-c", "raise SystemExit(3)"])
