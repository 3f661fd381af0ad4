"""The choices that the program's speed rests on, each measured beside what it was chosen from.

    python -m benchmarks.choices FOLDER MODULE [MODULE ...] [--repeat N]

FOLDER holds photographs, MODULE is a module's folder. The alternatives of a choice take turns, so that
other programs disturb all of them alike. Figures are medians of the rounds, `times ours` that of the
rounds' own ratios to the first alternative, which is the one that the program takes.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import image_work, photographs
from benchmarks.network_process import FROZEN, SAVED_MODEL, XLA, NetworkProcess
from benchmarks.rounds import Rounds
from retraining.cli import console
from retraining.data import images
from retraining.features.extractor import BATCH_SIZE
from retraining.progress import progress

REPEAT = 5
OTHER_BATCH_SIZES = (1, 8, 16, 64)
PHOTOGRAPHS = 200

# Of TensorFlow's own; without them, as many threads as processors in either pool.
INTRA, INTER = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
OTHER_THREADS = ((1, 1), (2, 1), (1, 2), (4, 4))

Alternatives = dict[str, Callable[[], float]]


@dataclasses.dataclass(frozen=True)
class ChoicesOptions:
    """What to measure on."""

    folder: Path
    modules: tuple[Path, ...]
    repeat: int


def choices(options: ChoicesOptions) -> None:
    """Measure every choice and print the table."""
    print("| choice | alternative | images/s | times ours |\n|---|---|---|---|")
    for what, alternatives in _image_choices(options.folder).items():
        _print(what, alternatives, options.repeat)
    for module in options.modules:
        for what, process_choice in _NETWORK_CHOICES.items():
            with contextlib.ExitStack() as processes:
                _print(f"{what}, {module.name}", process_choice(module, processes), options.repeat)


def _image_choices(folder: Path) -> dict[str, Alternatives]:
    usable = photographs.usable(folder, at_least=1).images[:PHOTOGRAPHS]
    contents = [content for content in (images.read(image.path) for image in usable) if _is_jpeg(content)]
    decoded = [image_work.pillow_decoded(content) for content in contents]
    return {
        "decode": {
            name: functools.partial(image_work.rate_of, decode, contents)
            for name, decode in image_work.DECODERS.items()
        },
        f"resize to {image_work.SIZE}": {
            name: functools.partial(image_work.rate_of, resize, decoded)
            for name, resize in image_work.RESIZERS.items()
        },
    }


def _is_jpeg(content: bytes) -> bool:
    return content.startswith(b"\xff\xd8\xff")


def _batch_sizes(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    process = processes.enter_context(NetworkProcess(module))
    sizes = (BATCH_SIZE, *OTHER_BATCH_SIZES)
    return {str(size): functools.partial(process.rate, size) for size in sizes}


def _ways(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    return {way: _started(NetworkProcess(module, way), processes) for way in (FROZEN, SAVED_MODEL, XLA)}


def _threads(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    alternatives = {"as many as processors": _started(NetworkProcess(module), processes)}
    for intra, inter in OTHER_THREADS:
        process = NetworkProcess(module, environment={INTRA: str(intra), INTER: str(inter)})
        alternatives[f"{intra} in an op, {inter} ops"] = _started(process, processes)
    return alternatives


def _onednn(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    without = NetworkProcess(module, environment={"TF_ENABLE_ONEDNN_OPTS": "0"})
    return {"on": _started(NetworkProcess(module), processes), "off": _started(without, processes)}


_NETWORK_CHOICES = {
    "batch size": _batch_sizes,
    "form": _ways,
    "threads": _threads,
    "oneDNN": _onednn,
}


def _started(process: NetworkProcess, processes: contextlib.ExitStack) -> Callable[[], float]:
    return functools.partial(processes.enter_context(process).rate, BATCH_SIZE)


def _print(what: str, alternatives: Alternatives, repeat: int) -> None:
    for measure in alternatives.values():
        measure()  # to warm up
    turns: Iterator[int] = progress(range(repeat), total=repeat, task=what, unit="round")
    rounds = [{name: measure() for name, measure in alternatives.items()} for _ in turns]
    ours = next(iter(alternatives))
    for name in alternatives:
        rates = Rounds.of(each[name] for each in rounds)
        ratio = Rounds.of(each[name] / each[ours] for each in rounds).median
        shown = f"**{name}**" if name == ours else name
        print(
            f"| {what} | {shown} | {rates.median:,.0f} (best {rates.highest:,.0f}) | {ratio:.2f} |",
            flush=True,
        )


def _parse(argv: Sequence[str] | None) -> ChoicesOptions:
    parser = argparse.ArgumentParser(prog="choices", description="Measure choices beside their alternatives.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one sub-folder of images per class")
    parser.add_argument("modules", nargs="+", type=Path, metavar="MODULE", help="a module's folder")
    parser.add_argument(
        "--repeat", type=int, default=REPEAT, metavar="N", help="rounds (default: %(default)s)"
    )
    values = parser.parse_args(argv)
    return ChoicesOptions(values.folder, tuple(values.modules), values.repeat)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv`."""
    return console.run(choices, parse=_parse, argv=argv, name="choices")


if __name__ == "__main__":
    sys.exit(main())
