"""What each program checks on disk before any work: a typo must not cost an hour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retraining import optional_packages
from retraining.cli import output_paths
from retraining.cli.output_paths import OutputPath
from retraining.errors import BadRequest, Message, setting_named
from retraining.settings import architectures
from retraining.settings.formats import HTML
from retraining.suggestions import closest, did_you_mean

if TYPE_CHECKING:  # no program needs the settings of all the others
    from retraining.settings.compare import CompareSettings
    from retraining.settings.conversion import ExportGraphSettings
    from retraining.settings.data import DataSettings
    from retraining.settings.deep_dream import DeepDreamSettings
    from retraining.settings.distribute import DistributeSettings
    from retraining.settings.export import ExportSettings
    from retraining.settings.feature_maps import FeatureMapsSettings
    from retraining.settings.formats import Format
    from retraining.settings.label_image import GraphSettings, LabelImageSettings
    from retraining.settings.module import ModuleSettings
    from retraining.settings.network import NetworkSettings
    from retraining.settings.output import OutputSettings
    from retraining.settings.relabel import RelabelSettings
    from retraining.settings.report import ReportOnGraphSettings
    from retraining.settings.retrain import RetrainSettings
    from retraining.settings.serve import ServeSettings

_PAGE = ".html"
_WRITTEN_BY_RETRAIN = "retrain.py writes the graph and its labels"
_FILES_OF_FOLDERS = ("saved_model.pb", "index.html")  # of a SavedModel, and of a page for browsers


def check_retrain(settings: RetrainSettings) -> None:
    """Raise BadRequest if there is no such module, or an output cannot be written to its place."""
    output, module = settings.output, settings.module
    _check_module(module)
    _check_outputs(output, settings.export)
    _check_list_stays(settings.data, (*output.paths(), *settings.export.paths(output.output_graph)))
    if output_paths.is_same(output.summaries_dir, settings.data.source):
        raise BadRequest(
            "{summaries_dir} must not be {image_dir}, or its folders would become classes; received "
            "'{folder}' for both.",
            folder=settings.data.source,
        )
    if output_paths.is_within(output.output_graph, Path(module.tfhub_module)):
        raise BadRequest(
            "{output_graph} must not be inside the module that it is made from, received '{path}'.",
            path=output.output_graph,
        )


def check_label_image(settings: LabelImageSettings) -> None:
    """Raise BadRequest if the graph or its labels are not there, or a folder cannot be used."""
    _check_classifier(settings)
    if settings.watch is not None and not settings.watch.is_dir():
        raise BadRequest("{watch} must be a folder, received '{path}'. Create it first.", path=settings.watch)
    for setting, folder in (
        ("move_to", settings.move_to),
        ("copy_to", settings.copy_to),
        ("cache_dir", settings.cache_dir),
    ):
        if folder is not None:
            _check_folder(setting, folder)


def check_serve(settings: ServeSettings) -> None:
    """Raise BadRequest if a package, the graph or its labels are not there, or the cache cannot be used."""
    for package in ("starlette", "uvicorn", "python_multipart"):
        optional_packages.require(package, purpose="serve", extra="serve")
    _check_classifier(settings)
    if settings.cache_dir is not None:
        _check_folder("cache_dir", settings.cache_dir)


def check_compare(settings: CompareSettings) -> None:
    """Raise BadRequest if a model does not exist, or an output cannot be written to its place."""
    comparison = settings.comparison
    for handle in comparison.modules:
        _check_is_not_a_mistyped_network(handle)
        _check_module(comparison.module(handle))
    _check_folder("output_dir", comparison.output_dir)
    _check_folder("bottleneck_dir", comparison.bottleneck_dir)
    _check_formats(settings.export.formats, settings.export.onnxruntime_web)


def check_beam_flags(words: Sequence[str], own: Sequence[str]) -> None:
    """Raise BadRequest if Beam is missing, or one of the words is not for it; `own` are our flags."""
    _check_has_beam()
    from retraining.cli import beam_flags  # which imports Beam

    beam_flags.check(words, own)


def check_distribute(settings: DistributeSettings) -> None:
    """Raise BadRequest if Beam or the module is missing, or a folder or list cannot be written."""
    _check_has_beam()
    _check_module(settings.module.local())
    if "://" not in settings.output_dir:
        _check_folder("output_dir", Path(settings.output_dir))
    _check_input_stays(settings)


def check_export(settings: ExportGraphSettings) -> None:
    """Raise BadRequest if the graph is not there, a package is missing, or a file cannot be written."""
    _check_classifier(settings.graph)
    _check_formats(settings.conversion.chosen, settings.conversion.onnxruntime_web)
    graph = settings.graph.graph
    for format in settings.conversion.chosen:
        path = format.path_beside(graph)
        if output_paths.is_same(path, graph):
            raise BadRequest(
                "{graph} '{path}' has the format {format} already. Leave it out.",
                path=path,
                format=format.name,
            )
        _check_export(format, path)


def check_relabel(settings: RelabelSettings) -> None:
    """Raise BadRequest if the list is not there."""
    _check_is_file("csv", settings.csv, remedy="retrain.py writes suspected_labels.csv beside its report")


def check_report(settings: ReportOnGraphSettings) -> None:
    """Raise BadRequest if the graph is not there, or the report cannot be written to its place."""
    from retraining.runtimes import requirements

    report = settings.report
    _check_is_file("graph", report.graph, remedy=_WRITTEN_BY_RETRAIN)
    if report.labels is not None:
        _check_is_file("labels", report.labels, remedy=_WRITTEN_BY_RETRAIN)
    requirements.check(report.engine)
    _check_page(report.report)
    _check_folder("bottleneck_dir", report.bottleneck_dir)


def check_feature_maps(settings: FeatureMapsSettings) -> None:
    """Raise BadRequest if there is no such network, or the pictures cannot be written."""
    _check_network(settings.network)
    _check_folder("output_dir", settings.maps.output_dir)


def check_deep_dream(settings: DeepDreamSettings) -> None:
    """Raise BadRequest if the network or its labels do not exist, or the pictures cannot be written."""
    _check_network(settings.network)
    dream = settings.dream
    _check_folder("output_dir", dream.output_dir)
    if dream.class_label:
        _check_is_file("labels", dream.labels, remedy=_WRITTEN_BY_RETRAIN)


def _check_list_stays(data: DataSettings, outputs: Iterable[Path]) -> None:
    """Raise BadRequest if the list of images would be written over."""
    if data.image_list is not None and any(output_paths.is_same(path, data.image_list) for path in outputs):
        raise BadRequest(
            "{image_list} '{path}' would be written over by an output of the same name. Give the output "
            "another.",
            path=data.image_list,
        )


def _check_has_beam() -> None:
    """Raise BadRequest if Beam is not installed. It is quiet from then on."""
    optional_packages.require("apache_beam", purpose="distribute", extra="beam")
    from retraining.distribution import quiet_beam

    quiet_beam.silence()


def _check_input_stays(settings: DistributeSettings) -> None:
    """Raise BadRequest if the list of images would be written over by the lists of distribute."""
    from retraining.distribution import places, results

    given = settings.data.image_list
    outputs = [places.join(settings.output_dir, name) for name in results.LISTS]
    if given is not None and any(places.is_same(given, output) for output in outputs):
        raise BadRequest(
            "{image_list} '{path}' would be written over. Set {output_dir} to another folder, or rename the "
            "list.",
            path=given,
        )


def _check_module(module: ModuleSettings) -> None:
    from retraining.runtimes import requirements

    requirements.check(module.engine)
    _check_folder("bottleneck_dir", module.bottleneck_dir)
    if module.model_dir is not None:
        _check_folder("model_dir", module.model_dir)
    _check_handle(module)


def _check_handle(module: ModuleSettings) -> None:
    # Imported here, since the catalogue is more than --help and a mistyped flag need wait for.
    from retraining.modules import handles

    handles.resolve(module)


def _check_network(network: NetworkSettings) -> None:
    if network.tfhub_module:
        _check_handle(network.module())
    if network.graph is not None:
        _check_is_graph(network.graph, remedy="retrain.py writes one")
    if network.weights is not None:
        _check_is_file("weights", network.weights, remedy="compare writes weights")


def _check_classifier(settings: GraphSettings) -> None:
    _check_is_graph(settings.graph, remedy=_WRITTEN_BY_RETRAIN)
    if settings.labels is not None:
        _check_is_file("labels", settings.labels, remedy=_WRITTEN_BY_RETRAIN)


def _check_folder(setting: str, path: Path) -> None:
    output_paths.check_folder(OutputPath.of_setting(setting, path))


def _check_is_graph(path: Path, *, remedy: str) -> None:
    """Raise BadRequest unless there is a file, or a folder that may be a SavedModel or a page."""
    if not path.is_dir():
        _check_is_file("graph", path, remedy=remedy)
    elif not any((path / name).is_file() for name in _FILES_OF_FOLDERS):
        raise BadRequest(
            "{graph} '{path}' is a folder without saved_model.pb. {remedy}.", path=path, remedy=remedy
        )


def _check_is_file(setting: str, path: Path, *, remedy: str) -> None:
    if not path.is_file():
        found = "is not a file" if path.exists() else "does not exist"
        raise BadRequest(
            "{setting} '{path}' {found}. {remedy}.",
            setting=setting_named(setting),
            path=path,
            found=found,
            remedy=remedy,
        )


def _check_is_not_a_mistyped_network(handle: str) -> None:
    from retraining.modules import catalogue

    meant = closest(handle, architectures.NAMES, likeness=0.8)
    is_module = Path(handle).exists() or any(handle == known.name for known in catalogue.known_modules())
    if meant and not is_module:
        raise BadRequest(
            "'{handle}' is not a network that can be trained. {remedy}",
            handle=handle,
            remedy=did_you_mean([meant]),
        )


def _check_outputs(output: OutputSettings, export: ExportSettings) -> None:
    index, data = output.checkpoint_files()
    files = [
        OutputPath.of_setting("output_graph", output.output_graph),
        OutputPath.of_setting("output_labels", output.output_labels),
        OutputPath.of_setting("checkpoint_path", index),
        OutputPath(Message("the data of {checkpoint_path}"), data),
    ]
    folders = [
        OutputPath.of_setting("summaries_dir", output.summaries_dir),
        OutputPath.of_setting("intermediate_output_graphs_dir", output.intermediate_output_graphs_dir),
    ]
    exported = []
    if output.saved_model_dir is not None:
        exported = [OutputPath.of_setting("saved_model_dir", output.saved_model_dir)]
    for file in files:
        output_paths.check_file(file)
    for folder in (*folders, *exported):
        output_paths.check_folder(folder)
    output_paths.check_apart(files, [*folders, *exported])
    if output.report_path is not None:
        report = _check_page(output.report_path)
        output_paths.check_apart([report], [*files, *folders, *exported])
    _check_exports(export, output, [*files, *folders, *exported])
    if output.saved_model_dir is not None:
        _check_saved_model_dir(output.saved_model_dir, [*files, *folders])


def _check_page(path: Path) -> OutputPath:
    """Return the file of a report. Raises BadRequest if it cannot be written, or may be something else."""
    if path.suffix.lower() != _PAGE:
        raise BadRequest(
            "{report} must be a file that ends in {page}, received '{path}'.", page=_PAGE, path=path
        )
    report = OutputPath.of_setting("report", path)
    output_paths.check_file(report)
    return report


def _check_exports(export: ExportSettings, output: OutputSettings, others: Sequence[OutputPath]) -> None:
    """Raise BadRequest if a format lacks a package, or its file would take another output's place."""
    _check_formats(export.formats, export.onnxruntime_web)
    for format in export.formats:
        path = format.path_beside(output.output_graph)
        named = _check_export(format, path)
        if not output_paths.is_same(path, output.output_graph):  # "pb" is that file
            output_paths.check_apart([named], others)


def _check_formats(formats: Sequence[Format], onnxruntime_web: Path | None) -> None:
    """Raise BadRequest if a format lacks a package; `onnxruntime_web` is the setting, for pages."""
    from retraining.runtimes import requirements

    requirements.check_formats(formats)
    if HTML in formats or onnxruntime_web is not None:
        from retraining.export import onnxruntime_web as files  # which imports what unpacks an archive

        files.check(onnxruntime_web)


def _check_export(format: Format, path: Path) -> OutputPath:
    """Return the file or folder of a format. Raises BadRequest if it cannot be written."""
    named = OutputPath(Message("the file of format {format}", format=format.name), path)
    (output_paths.check_folder if format.is_folder else output_paths.check_file)(named)
    return named


def _check_saved_model_dir(folder: Path, others: Sequence[OutputPath]) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise BadRequest(
            "{saved_model_dir} must be a new or empty folder, received '{folder}'. Name another, or remove "
            "this one.",
            folder=folder,
        )
    for other in others:
        if output_paths.is_within(other.path, folder):
            raise BadRequest(
                "{output} must be outside {saved_model_dir} '{folder}', received '{path}'.",
                output=other.name,
                folder=folder,
                path=other.path,
            )
