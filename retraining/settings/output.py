"""Settings of what a run writes and prints."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings import kinds
from retraining.settings.setting import Settings, setting

REPORT_FILE = "report.html"  # unless it is named
NO_FILE = Path("none")  # in place of a file that is not to be written
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")


@dataclasses.dataclass(frozen=True)
class OutputSettings(Settings):
    """What the run writes and prints."""

    output_graph: Path = setting(
        Path("/tmp/output_graph.pb"), "The retrained network: module and new layer in one file.", kinds.FILE
    )
    output_labels: Path = setting(
        Path("/tmp/output_labels.txt"), "Its labels, one per line, in order.", kinds.FILE
    )
    saved_model_dir: Path | None = setting(
        None, "Also export a SavedModel to this folder.", kinds.OPTIONAL_FOLDER
    )
    final_tensor_name: str = setting(
        "final_result", "Name of the softmax op in the exported graph.", kinds.OP_NAME
    )
    float32_weights: bool = setting(
        False,
        "Store weights in half precision as float32, which OpenCV's dnn needs; the file gets up to twice as "
        "large.",
        kinds.SWITCH,
    )
    summaries_dir: Path = setting(Path("/tmp/retrain_logs"), "Logs for TensorBoard.", kinds.FOLDER)
    report: Path | None = setting(
        None,
        "The report on the classifier, one page of HTML; none for no report. Default: report.html in "
        "{summaries_dir}.",
        kinds.OPTIONAL_FILE,
    )
    intermediate_output_graphs_dir: Path = setting(
        Path("/tmp/intermediate_graph/"), "Folder of the intermediate graphs.", kinds.FOLDER
    )
    intermediate_store_frequency: int = setting(
        0, "Number of steps between intermediate graphs; 0 for none.", kinds.NON_NEGATIVE
    )
    checkpoint_path: Path = setting(
        Path("/tmp/_retrain_checkpoint"), "Prefix of the new layer's checkpoint files.", kinds.PATH_PREFIX
    )
    print_misclassified_test_images: bool = setting(
        False, "List the test images that were misclassified.", kinds.SWITCH
    )
    logging_verbosity: str = setting(
        "INFO", f"One of {' '.join(LOG_LEVELS)}.", kinds.one_of(*LOG_LEVELS, placeholder="LEVEL")
    )

    @property
    def report_path(self) -> Path | None:
        """The file of the report, or None if there is to be none."""
        if self.report == NO_FILE:
            return None
        return self.report or self.summaries_dir / REPORT_FILE

    def checkpoint_files(self) -> tuple[Path, Path]:
        """Return the index file and the data file that TensorFlow writes for `checkpoint_path`."""
        prefix = self.checkpoint_path
        return (
            prefix.with_name(f"{prefix.name}.index"),
            prefix.with_name(f"{prefix.name}.data-00000-of-00001"),
        )

    def paths(self) -> tuple[Path, ...]:
        """Return every file and folder that is written."""
        saved_model = () if self.saved_model_dir is None else (self.saved_model_dir,)
        report = () if self.report_path is None else (self.report_path,)
        return (
            self.output_graph,
            self.output_labels,
            *self.checkpoint_files(),
            self.summaries_dir,
            self.intermediate_output_graphs_dir,
            *saved_model,
            *report,
        )
