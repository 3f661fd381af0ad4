"""The package from Python: what a notebook does, and what docs/python.md shows."""

from __future__ import annotations

import inspect
import io
import re
import subprocess
import sys
import threading
import typing
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

import label_image
import retraining
from retraining import keywords
from retraining.inference.image_classifier import Prediction
from retraining.model import RetrainedModel
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.label_image import AnswerSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.setting import Settings, fields
from retraining.settings.training import TrainingSettings
from tests.conftest import COLOURS, FEW_COLOURS_TESTED, MODULE_SIZE, PROJECT, write_colour_photos, write_photo
from tests.data.test_leftovers import litter

PAGE = (PROJECT / "docs" / "python.md").read_text(encoding="utf-8")
QUICK: dict[str, Any] = {"how_many_training_steps": 200, "seed": 3}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_photos(tmp_path_factory.mktemp("colours") / "photos")


@pytest.fixture(scope="module")
def vectors_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vectors")


@pytest.fixture(scope="module")
def model(photos: Path, tf2_module: Path, vectors_dir: Path) -> RetrainedModel:
    return retraining.retrain(photos, tfhub_module=str(tf2_module), bottleneck_dir=vectors_dir, **QUICK)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_photo(tmp_path / "photo.jpg", COLOURS["magenta"], seed=5)
    return tmp_path / "photo.jpg"


def assert_alike(some: list[Prediction], others: list[Prediction]) -> None:
    assert [prediction.label for prediction in some] == [prediction.label for prediction in others]
    scores = [prediction.score for prediction in others]
    assert [prediction.score for prediction in some] == pytest.approx(scores, abs=1e-5)


def test_import_is_quick_and_brings_neither_tensorflow_nor_numpy() -> None:
    code = "import sys, retraining; sys.exit(bool({'tensorflow', 'numpy', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_scan_and_errors_need_no_tensorflow(photos: Path) -> None:
    code = (
        "import sys, retraining\n"
        f"assert len(retraining.scan({str(photos)!r}).labels) == 3\n"
        "try: retraining.retrain('nowhere')\n"
        "except retraining.BadRequest: pass\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


def test_every_public_name_is_there_documented_and_on_the_page() -> None:
    for name in retraining.__all__:
        value = getattr(retraining, name)
        assert name == "__version__" or inspect.getdoc(value)
        assert name == "__version__" or f"`{name}`" in PAGE, name
    assert dir(retraining) == sorted(retraining.__all__)
    with pytest.raises(AttributeError, match="module 'retraining' has no attribute 'retrian'"):
        retraining.retrian  # noqa: B018


def test_model_knows_its_labels_and_its_accuracy(model: RetrainedModel) -> None:
    assert model.labels == ("cyan", "magenta", "yellow")
    assert model.evaluation is not None
    assert model.evaluation.accuracy == 1
    assert model.evaluation.confusion.sum() == model.evaluation.count
    assert (model.evaluation.confusion == np.diag(np.diag(model.evaluation.confusion))).all()
    assert repr(model) == (
        f"<RetrainedModel of colour_grid, 3 labels, test accuracy 100.0% (N={model.evaluation.count})>"
    )


def test_model_knows_how_well_each_class_does(model: RetrainedModel) -> None:
    assert model.evaluation is not None
    assert model.evaluation.interval == pytest.approx((0.758, 1), abs=5e-4)  # 12 of 12
    assert model.evaluation.balanced_accuracy == 1
    assert [(result.label, result.images, result.tested) for result in model.class_results] == [
        ("cyan", 30, 4),
        ("magenta", 30, 1),
        ("yellow", 30, 7),
    ]


def test_few_test_images_are_warned_of_once_by_retrain_and_by_train(
    photos: Path, tf2_module: Path, vectors_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    warning = FEW_COLOURS_TESTED.removeprefix("warning: ").replace("--", "")
    retraining.retrain(photos, tfhub_module=str(tf2_module), bottleneck_dir=vectors_dir, **QUICK)
    assert caplog.messages.count(warning) == 1
    caplog.clear()
    extractor = retraining.load_extractor(str(tf2_module))
    vectors = retraining.compute_bottlenecks(retraining.scan(photos), extractor, bottleneck_dir=vectors_dir)
    assert warning not in caplog.messages
    retraining.train(vectors, extractor, **QUICK)
    assert caplog.messages.count(warning) == 1


def test_an_image_is_predicted_alike_in_each_form(model: RetrainedModel, photo: Path) -> None:
    content = photo.read_bytes()
    opened = Image.open(io.BytesIO(content))
    pixels = np.asarray(opened)
    forms: list[Any] = [
        str(photo),
        photo,
        content,
        opened,
        pixels,
        pixels / 255,
        (pixels / 255).astype(np.float32),
    ]
    for predictions in model.predict(forms):
        assert predictions[0].label == "magenta"
        assert sum(score for _, score in predictions) == pytest.approx(1, abs=1e-5)
        assert [score for _, score in predictions] == sorted(
            (score for _, score in predictions), reverse=True
        )
        assert_alike(predictions, model.predict([photo])[0])


def test_one_image_is_a_list_of_one_and_best_keeps_the_best(model: RetrainedModel, photo: Path) -> None:
    for one in (str(photo), photo, photo.read_bytes(), np.asarray(Image.open(photo))):
        ((prediction,),) = model.predict(one, best=1)
        assert prediction.label == "magenta"
    assert model.predict([]) == []


def test_many_images_are_predicted_in_order(model: RetrainedModel) -> None:
    rng = np.random.default_rng(0)
    names = [model.labels[number] for number in rng.integers(3, size=70)]
    size = (MODULE_SIZE, MODULE_SIZE)
    pictures = [Image.new("RGB", size, COLOURS[name]) for name in names]
    assert [best.label for (best, *_) in model.predict(pictures)] == names


def test_floating_point_pixels_of_the_right_size_are_not_rounded(model: RetrainedModel) -> None:
    pixels = np.full((MODULE_SIZE, MODULE_SIZE, 3), 0.50196, np.float64)  # between two steps of 8 bits
    expected = model.probabilities(pixels[np.newaxis].astype(np.float32))[0]
    scores = dict(model.predict(pixels)[0])
    np.testing.assert_allclose([scores[label] for label in model.labels], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ("nowhere.jpg", "nowhere.jpg cannot be read (No such file or directory)"),
        (b"", "image 0 is empty"),
        (
            b"<html>",
            "image 0 is a web page, not an image",
        ),
        (7, "image 0 has the type int; an image is a path, the bytes of a file, a Pillow image or an array"),
        (
            np.zeros((4, 4), np.int64),
            "image 0 is an array of int64 [4, 4]; an image is uint8 [height, width, 3] of 0 to 255 or floating point in [0, 1]",
        ),
        (np.zeros((4, 4)), "image 0 is an array of [4, 4]; an image is [height, width, 3]"),
        (
            np.full((4, 4, 3), 255.0),
            "image 0 is a floating-point array with values from 255 to 255; they must be in [0, 1]",
        ),
        (
            np.full((4, 4, 3), np.nan),
            "image 0 is a floating-point array with values from nan to nan; they must be in [0, 1]",
        ),
    ],
)
def test_image_that_cannot_be_used_is_named_with_the_reason(
    model: RetrainedModel, image: Any, message: str
) -> None:
    with pytest.raises(retraining.BadImage) as caught:
        model.predict([image])
    assert str(caught.value) == message


def test_export_and_load_predict_alike(model: RetrainedModel, photo: Path, tmp_path: Path) -> None:
    assert model.export(tmp_path / "flowers.pb") == tmp_path / "flowers.pb"
    assert (tmp_path / "flowers_labels.txt").read_text() == "cyan\nmagenta\nyellow\n"
    loaded = retraining.load_classifier(tmp_path / "flowers.pb")
    assert loaded.labels == model.labels
    assert_alike(loaded.predict(photo)[0], model.predict(photo)[0])


def test_report_is_shown_in_a_frame_and_saved(model: RetrainedModel, tmp_path: Path) -> None:
    report = model.report()
    shown = report._repr_html_()
    assert shown.startswith('<iframe title="Report" sandbox="allow-scripts" srcdoc="&lt;!doctype html&gt;')
    assert "<" not in shown.removesuffix("</iframe>")[1:]  # the page is text in there, whatever it holds
    saved = report.save(tmp_path / "report.html")
    assert saved.read_text(encoding="utf-8") == report.page
    assert 'id="m1-accuracy"' in report.page


def test_export_names_labels_and_format(model: RetrainedModel, tmp_path: Path) -> None:
    model.export(str(tmp_path / "saved"), format="saved_model", labels=tmp_path / "names.txt")
    assert (tmp_path / "saved" / "saved_model.pb").is_file()
    assert (tmp_path / "names.txt").is_file()
    model.export(tmp_path / "named.pb", final_tensor_name="my.result")
    assert b"my.result" in (tmp_path / "named.pb").read_bytes()


@pytest.mark.parametrize(
    ("path", "format", "received"), [("x.h5", None, ".h5"), ("x.pb", "protobuf", "protobuf")]
)
def test_unknown_format_is_refused(
    model: RetrainedModel, path: str, format: str | None, received: str, tmp_path: Path
) -> None:
    with pytest.raises(retraining.BadRequest) as caught:
        model.export(tmp_path / path, format=format)
    known = "pb, saved_model, saved_model_bytes, tflite, tflite-float16, tflite-int8, onnx, html"
    assert str(caught.value) == f"format must be one of {known}, received '{received}'."
    assert list(tmp_path.iterdir()) == []


def test_label_image_reads_what_python_exported(
    model: RetrainedModel, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = model.export(tmp_path / "graph.pb")
    labels = tmp_path / "graph_labels.txt"
    assert label_image.main([f"--graph={graph}", f"--labels={labels}", f"--image={photo}"]) == 0
    assert capsys.readouterr().out.startswith("magenta ")


def test_stages_one_by_one_come_to_the_same_model(
    model: RetrainedModel, photos: Path, tf2_module: Path, vectors_dir: Path
) -> None:
    dataset = retraining.scan(photos)
    extractor = retraining.load_extractor(str(tf2_module))
    bottlenecks = retraining.compute_bottlenecks(dataset, extractor, bottleneck_dir=vectors_dir)
    steps: list[int] = []
    again = retraining.train(bottlenecks, extractor, on_report=lambda step: steps.append(step.step), **QUICK)
    np.testing.assert_array_equal(again.layer.weights, model.layer.weights)
    assert steps == [*range(0, 200, 10), 199]


def test_augmentation_is_a_matter_of_keywords(photos: Path, tf2_module: Path, vectors_dir: Path) -> None:
    extractor = retraining.load_extractor(str(tf2_module))
    dataset = retraining.scan(photos)
    plain = retraining.compute_bottlenecks(dataset, extractor, bottleneck_dir=vectors_dir)
    varied = retraining.compute_bottlenecks(
        dataset, extractor, bottleneck_dir=vectors_dir, random_brightness=20, distorted_views=3
    )
    assert len(varied.training) == 3 * len(plain.training)
    fresh = retraining.retrain(
        photos,
        tfhub_module=str(tf2_module),
        bottleneck_dir=vectors_dir,
        flip_left_right=True,
        distorted_views=0,
        how_many_training_steps=5,
    )
    assert len(fresh.bottlenecks.training) == len(plain.training)


def test_file_that_cannot_be_used_is_warned_of_or_refused(
    tf2_module: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    (photos / "cyan" / "empty.jpg").touch()
    litter(photos, photos / "cyan")
    settings: dict[str, Any] = {"tfhub_module": str(tf2_module), "bottleneck_dir": tmp_path / "vectors"}
    model = retraining.retrain(photos, **settings, **QUICK)
    assert [skipped.path.name for skipped in model.bottlenecks.skipped] == ["empty.jpg"]
    assert f"skipped {photos / 'cyan' / 'empty.jpg'}: it is empty." in caplog.messages
    with pytest.raises(retraining.WorkFailed) as caught:
        retraining.retrain(photos, strict=True, **settings, **QUICK)
    assert str(caught.value) == (
        "1 file cannot be used, listed above, and strict is on. Fix or remove what is listed, or turn strict off."
    )


def test_strict_names_the_files_even_if_a_class_loses_all_of_them(tf2_module: Path, tmp_path: Path) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    (photos / "broken").mkdir()
    (photos / "broken" / "empty.jpg").touch()
    with pytest.raises(retraining.WorkFailed) as caught:
        retraining.retrain(
            photos, tfhub_module=str(tf2_module), bottleneck_dir=tmp_path / "vectors", strict=True, **QUICK
        )
    assert str(caught.value).startswith("1 file cannot be used, listed above, and strict is on.")


def test_sets_that_come_as_folders_are_the_split(tmp_path: Path) -> None:
    for name in ("train", "val"):
        write_colour_photos(tmp_path / name, per_class=20)
    litter(tmp_path, tmp_path / "val" / "cyan")
    found = retraining.scan(tmp_path, testing_percentage=50)
    assert found.labels == ("cyan", "magenta", "yellow")
    places = {(image.path.parts[-3], image.split) for image in found.images}
    assert places == {
        ("train", retraining.Split.TRAINING),
        ("train", retraining.Split.TESTING),
        ("val", retraining.Split.VALIDATION),
    }
    for refused in (retraining.scan, retraining.retrain):
        with pytest.raises(retraining.BadRequest) as caught:
            refused(tmp_path, validation_percentage=10)
        assert str(caught.value) == (
            "validation_percentage must be left out where the validation set has its own folder, as here with "
            f"'{tmp_path / 'val'}'; received 10. Leave it out, or move that folder out of '{tmp_path}'."
        )


@pytest.mark.parametrize("name", ["strict", "group_near_duplicates"])
def test_scan_refuses_what_would_need_the_images_themselves(photos: Path, name: str) -> None:
    settings: Any = {name: True}
    with pytest.raises(retraining.BadRequest) as caught:
        retraining.scan(photos, **settings)
    assert str(caught.value) == (
        f"{name} needs the images themselves, and scan opens none. Give it to retrain."
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0}, "learning_rate must be a number greater than 0, received 0."),
        ({"learning_rate": "fast"}, "learning_rate must be a number greater than 0, received 'fast'."),
        ({"flip_left_right": 2}, "flip_left_right must be True or False, received 2."),
        ({"sed": 1}, "unknown setting sed. Did you mean seed?"),
        (
            {"testing_percentage": 60, "validation_percentage": 40},
            "testing_percentage and validation_percentage must leave some images for training, received 60 + 40 = "
            "100. Lower one of them.",
        ),
        (
            {"tfhub_module": "builtin", "input_std": 2},
            "input_std is for a frozen graph (.pb), but the module is 'builtin'. Leave it out.",
        ),
    ],
)
def test_settings_are_refused_in_the_words_of_python(
    photos: Path, settings: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(retraining.BadRequest) as caught:
        retraining.retrain(photos, **{"bottleneck_dir": tmp_path, **settings})
    assert str(caught.value) == message


def test_keywords_are_the_settings() -> None:
    def names(*groups: type[Settings]) -> set[str]:
        return {field.name for group in groups for field in fields(group)}

    def keys(of: Any) -> set[str]:
        return set(typing.get_type_hints(of))

    assert keys(keywords.DataKeywords) == names(DataSettings) - {
        "image_dir",
        "strict",
        "group_near_duplicates",
    }
    assert keys(keywords.ModuleKeywords) == names(ModuleSettings) - {"tfhub_module", "bottleneck_dir"}
    assert keys(keywords.AugmentationKeywords) == names(AugmentationSettings)
    assert keys(keywords.TrainingKeywords) == names(TrainingSettings)
    assert keys(keywords.GraphKeywords) == names(AnswerSettings) - {"graph", "labels"}
    assert keys(keywords.FineTuningKeywords) == names(FineTuningSettings)
    everything = names(
        DataSettings, ModuleSettings, AugmentationSettings, TrainingSettings, FineTuningSettings
    )
    assert keys(keywords.RetrainKeywords) == everything - {"image_dir"}


def test_two_models_in_one_process_and_in_threads_are_one_and_the_same(
    model: RetrainedModel, photos: Path, tf2_module: Path, vectors_dir: Path, photo: Path
) -> None:
    found: list[RetrainedModel] = []

    def work() -> None:
        found.append(
            retraining.retrain(photos, tfhub_module=str(tf2_module), bottleneck_dir=vectors_dir, **QUICK)
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for other in found:
        np.testing.assert_array_equal(other.layer.weights, model.layer.weights)
        assert other.predict(photo) == model.predict(photo)
    assert len(found) == 2


def page_cells(photos: Path, folder: Path) -> list[str]:
    """Return the code blocks of docs/python.md, with the places of a test in `folder` for those of a user."""
    write_photo(folder / "photo.jpg", COLOURS["magenta"], seed=5)
    (folder / "my_photos").symlink_to(photos)
    cells = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(cells) >= 7
    for typed, meant in {
        'retrain("my_photos")': 'retrain("my_photos", tfhub_module="builtin_small", bottleneck_dir="vectors")',
        'load_extractor("builtin")': 'load_extractor("builtin_small")',
        "compute_bottlenecks(dataset, extractor)": 'compute_bottlenecks(dataset, extractor, bottleneck_dir="vectors")',
        '"/tmp/output_graph.pb", labels="/tmp/output_labels.txt"': '"flowers.pb", labels="flowers_labels.txt"',
    }.items():
        assert any(typed in cell for cell in cells)
        cells = [cell.replace(typed, meant) for cell in cells]
    return cells


def test_page_runs_in_a_real_notebook(photos: Path, tmp_path: Path) -> None:
    cells = [f"import sys; sys.path.insert(0, {str(PROJECT)!r})", *page_cells(photos, tmp_path)]
    cells.append("print(model, [best.label for best, *_ in classifier.predict(['photo.jpg'])])")
    notebook = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=240, kernel_name="python3", resources=place).execute()
    outputs = [output for cell in notebook.cells for output in cell.outputs]
    assert [output for output in outputs if output.output_type == "error"] == []
    said = "".join(output.text for output in outputs if output.get("name") == "stdout")
    assert re.match(r"(\w+ 30 \d \d [\d.]+ [\d.]+\n){3}magenta ", said), said
    assert "learning_rate must be a number greater than 0, received -1.\n" in said
    assert re.fullmatch(
        r"<RetrainedModel of small_resnet_128, 3 labels, test accuracy [\d.]+% \(N=\d+\)> \['magenta'\]",
        said.splitlines()[-1],
    )
    assert "--" not in said
    warned = "".join(output.text for output in outputs if output.get("name") == "stderr")
    assert "tensorflow" not in warned.lower()  # its noise is not for a notebook either
