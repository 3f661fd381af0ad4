"""Runs a pipeline where Beam's flags say, and says in one line why it failed."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult, PipelineRunner, PipelineState

from retraining.data import prefetching
from retraining.distribution import places, steps, worker
from retraining.errors import BadRequest, WorkFailed, setting_named
from retraining.suggestions import closest, did_you_mean

_DIRECT = ("directrunner", "direct")
_IN_THIS_PROCESS = "LOOPBACK"
_ELSEWHERE = ("dataflow",)  # whose workers see no folder of this computer
_MULTI_PROCESSING, _IN_MEMORY = "multi_processing", "in_memory"

# What Beam raises for a runner that it does not know or cannot import, and for flags that are missing.
_REFUSALS = (ValueError, ImportError, AttributeError)

log = logging.getLogger(__name__)


class Runner:
    """Where pipelines are run: by default, in this process.

    `has_ended` is False once a pipeline may go on after its runner gave no answer.
    """

    def __init__(self, beam_flags: Sequence[str]) -> None:
        """Prepare it. Beam's file systems use its flags from then on."""
        self._options = PipelineOptions(list(beam_flags))
        self._name: str = self._options.view_as(StandardOptions).runner or "DirectRunner"
        self.title = self._title()
        mode = self._options.view_as(DirectOptions).direct_running_mode
        self._has_processes = self.is_direct and mode == _MULTI_PROCESSING
        self.processors = self._processors()
        self.has_ended = True
        FileSystems.set_options(self._options)

    def check(self, folders: Mapping[str, str]) -> None:
        """Raise BadRequest if there is no such runner, it lacks a flag, or its workers do not see a folder.

        `folders` and files that workers use are given by their settings.
        """
        self._check_name()
        is_elsewhere = _short(self._name.rpartition(".")[2]) in _ELSEWHERE
        for setting, folder in folders.items():
            if is_elsewhere and places.is_local(folder):
                raise BadRequest(
                    "{setting} must be in a store, since the workers of {runner} are not on this computer; "
                    "received '{folder}'. Give an address such as gs://bucket/name.",
                    setting=setting_named(setting),
                    runner=self._name,
                    folder=folder,
                )
        self._pipeline(Path(os.devnull))

    def _title(self) -> str:
        """Return what runs pipelines, as a person names it."""
        if not self.is_direct:
            return self._name
        direct = self._options.view_as(DirectOptions)
        workers = direct.direct_num_workers or prefetching.processors()
        return f"DirectRunner ({direct.direct_running_mode}, {workers} worker{'' if workers == 1 else 's'})"

    def _processors(self) -> int | None:
        """Return how many processors a worker process has, None for all that it may use."""
        if self._has_processes:
            workers = self._options.view_as(DirectOptions).direct_num_workers
            return max(1, prefetching.processors() // workers) if workers else 1
        is_here = self._options.view_as(PortableOptions).environment_type == _IN_THIS_PROCESS
        # Dataflow, Flink and Spark start a process for each processor.
        return None if self.is_direct or is_here else 1

    def run(self, build: Callable[[beam.Pipeline], None]) -> PipelineResult:
        """Run a pipeline to its end; `build` adds the steps.

        Raises BadRequest for flags that the runner cannot run with, and WorkFailed.
        """
        with tempfile.TemporaryDirectory(prefix="distribute-") as folder:
            alive = Path(folder, "alive")  # gone at the end, however the run ends
            alive.touch()
            pipeline = self._pipeline(alive)
            build(pipeline)
            with self._explained(), _threads_silenced():
                return self._finished(pipeline, alive)

    def steps(self, build: Callable[[beam.Pipeline], None]) -> list[str]:
        """Return the names of a pipeline's steps, without running it. Raises BadRequest as `run` does."""
        pipeline = self._pipeline(Path(os.devnull))
        build(pipeline)
        graph = pipeline.to_runner_api()
        transforms = graph.components.transforms
        (root,) = graph.root_transform_ids
        return [transforms[name].unique_name for name in transforms[root].subtransforms]

    def _finished(self, pipeline: beam.Pipeline, alive: Path) -> PipelineResult:
        if not self._has_processes:
            return self._run_to_end(pipeline)
        # In a thread, since Beam waits for workers even if it is interrupted: they have to end first.
        with ThreadPoolExecutor(1) as thread:
            running = thread.submit(self._run_to_end, pipeline)
            try:
                return running.result()
            except KeyboardInterrupt:
                alive.unlink()
                raise

    def _run_to_end(self, pipeline: beam.Pipeline) -> PipelineResult:
        """Run a pipeline to its end. Raises what its runner raises, or RuntimeError."""
        result = pipeline.run()
        try:
            state = result.wait_until_finish()
            if state not in (None, PipelineState.DONE):
                raise RuntimeError(f"it ended as {state}")
        except BaseException:
            self.has_ended = False  # also if there is another Ctrl-C
            self.has_ended = _is_ended(result)
            raise
        return result

    @property
    def is_direct(self) -> bool:
        """Whether pipelines are run by this process, or by workers that it starts and watches itself."""
        return self._name.lower() in _DIRECT

    def _pipeline(self, alive: Path) -> beam.Pipeline:
        try:
            runner = self._direct_runner(alive) if self.is_direct else self._name
            return beam.Pipeline(runner=runner, options=self._options)
        except _REFUSALS as error:
            raise BadRequest(
                "{runner} cannot be used: {reason}.",
                runner=self._name,
                reason=" ".join(str(error).split()).rstrip("."),
            ) from error

    def _check_name(self) -> None:
        known = {_short(name): name for name in StandardOptions.KNOWN_RUNNER_NAMES}
        short = _short(self._name)
        if short in known or "." in short:  # a class of any package
            return
        meant = closest(short, known)
        raise BadRequest(
            "{runner} must be a runner that Apache Beam knows, received '{name}'. {remedy}",
            name=self._name,
            remedy=did_you_mean([known[meant]]) if meant else f"Name one of {', '.join(known.values())}.",
        )

    def _direct_runner(self, alive: Path) -> PipelineRunner:
        """Return Beam's runner for one computer that is written in Python.

        By its usual name, Beam would first try to download another one, Prism.
        """
        from apache_beam.portability.api import beam_provision_api_pb2
        from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo, FnApiRunner
        from apache_beam.runners.portability.portable_runner import JobServiceHandle
        from apache_beam.transforms.environments import SubprocessSDKEnvironment

        direct = self._options.view_as(DirectOptions)
        environment = None
        if self._has_processes:
            environment = SubprocessSDKEnvironment.from_command_string(worker.command_line(alive))
            direct.direct_running_mode = _IN_MEMORY  # or else the runner would make an environment itself
        encoded = JobServiceHandle.encode_pipeline_options(self._options.get_all_options())
        provision = ExtendedProvisionInfo(beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded))
        return FnApiRunner(default_environment=environment, provision_info=provision)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn what a runner raises into an error for users."""
        try:
            yield
        except Exception as error:
            text = str(error)
            for line in text.splitlines():
                log.debug("%s", line)
            raise steps.error_in(text) or self._failed(text or type(error).__name__) from error

    def _failed(self, text: str) -> WorkFailed:
        if not self.has_ended:
            return WorkFailed(
                "{runner} gives no answer: {reason}. The work may go on there. End it, or wait for its end, "
                "and run the same command again.",
                runner=self.title,
                reason=_last_line(text),
            )
        return WorkFailed(
            "{runner} could not finish: {reason}. What was computed is kept; run the same command again to "
            "compute the rest.",
            runner=self.title,
            reason=_last_line(text),
        )


def _is_ended(result: PipelineResult) -> bool:
    """Return whether a pipeline has ended, or does since it is told to."""
    try:
        if not PipelineState.is_terminal(result.state):
            result.cancel()
    except Exception:  # whatever a runner raises that gives no answer
        return False
    return True


def _short(runner: str) -> str:
    """Return the name of a runner as Beam compares it."""
    return runner.lower().removesuffix("runner")


def _last_line(text: str) -> str:
    return text.strip().splitlines()[-1].rstrip(".")


@contextlib.contextmanager
def _threads_silenced() -> Iterator[None]:
    """Print nothing of exceptions in the runner's threads: it raises one itself."""
    previous = threading.excepthook
    threading.excepthook = lambda _: None
    try:
        yield
    finally:
        threading.excepthook = previous
