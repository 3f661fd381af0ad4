from __future__ import annotations

import re
import subprocess
import sys

import pytest

from retraining.errors import BadRequest
from retraining.modules import catalogue
from retraining.modules.catalogue import KnownModule, address_of, known_modules, sources
from retraining.settings.module import BUILTIN, BUILTIN_SMALL
from tests.conftest import PROJECT

HUB = "https://tfhub.dev/google/imagenet/"
KNOWN = known_modules()
SOURCES = sources()


def known(name: str) -> KnownModule:
    return next(module for module in KNOWN if module.name == name)


def refusal(name: str) -> str:
    with pytest.raises(BadRequest) as caught:
        address_of(name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("mobilenet_v2_100_224", "mobilenet_v2_100_224/feature_vector/5"),
        ("mobilenet_v1_050_160", "mobilenet_v1_050_160/feature_vector/5"),
        ("mobilenet_v1_050_192/quantops", "mobilenet_v1_050_192/quantops/feature_vector/3"),
        ("inception_v3", "inception_v3/feature_vector/3"),
        ("nasnet_large", "nasnet_large/feature_vector/5"),
        ("pnasnet_large", "pnasnet_large/feature_vector/5"),
        ("resnet_v2_50", "resnet_v2_50/feature_vector/5"),
        ("amoebanet_a_n18_f448", "amoebanet_a_n18_f448/feature_vector/1"),
        ("efficientnet_v2_b0", "efficientnet_v2_imagenet1k_b0/feature_vector/2"),
        ("efficientnet_v2_imagenet21k_ft1k_xl", "efficientnet_v2_imagenet21k_ft1k_xl/feature_vector/2"),
    ],
)
def test_name_stands_for_the_full_address(name: str, address: str) -> None:
    assert address_of(name) == address_of(f"{name}/feature_vector") == HUB + address


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("mobilenet_v1_025_128/classification", "mobilenet_v1_025_128/classification/5"),
        ("mobilenet_v1_025_128/quantops/classification", "mobilenet_v1_025_128/quantops/classification/3"),
        ("inception_v3/classification", "inception_v3/classification/3"),
        ("efficientnet_v2_s/classification", "efficientnet_v2_imagenet1k_s/classification/2"),
    ],
)
def test_name_with_classification_stands_for_the_class_scores(name: str, address: str) -> None:
    assert address_of(name) == HUB + address


def test_name_in_the_address_is_accepted_too() -> None:
    assert address_of("efficientnet_v2_imagenet1k_b0") == address_of("efficientnet_v2_b0")


def test_inception_v3_is_the_network_of_the_tutorial() -> None:
    assert address_of("inception_v3") == HUB + "inception_v3/feature_vector/3"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "mobilenet_v1_100_96",
            "'mobilenet_v1_100_96': MobileNet v1 is available at image sizes 224, 192, 160, 128, not 96.",
        ),
        (
            "mobilenet_v1_050_96/quantops/classification",
            "'mobilenet_v1_050_96/quantops/classification': MobileNet v1 is available at image sizes 224, 192, 160, 128, not 96.",
        ),
        (
            "mobilenet_v2_130_192",
            "'mobilenet_v2_130_192': MobileNet v2 of width 130 is available at image size 224, not 192.",
        ),
        (
            "mobilenet_v2_050_299/classification",
            "'mobilenet_v2_050_299/classification': MobileNet v2 is available at image sizes 224, 192, 160, 128, 96, not 299.",
        ),
        (
            "mobilenet_v3_large_100_192",
            "'mobilenet_v3_large_100_192': MobileNet v3 large is available at image size 224, not 192.",
        ),
        (
            "mobilenet_v1_140_224",
            "'mobilenet_v1_140_224': MobileNet v1 is available in widths 100, 075, 050, 025, not 140.",
        ),
    ],
)
def test_size_that_does_not_exist_is_refused_with_those_that_do(name: str, message: str) -> None:
    assert refusal(name) == message


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("inception_v4", "Did you mean inception_v3, inception_v2 or inception_v1? "),
        ("resnet_v2_34", "Did you mean resnet_v2_50, resnet_v2_152 or resnet_v2_101? "),
        (
            "efficientnet_v2_b4",
            "Did you mean efficientnet_v2_b3, efficientnet_v2_b2 or efficientnet_v2_b1? ",
        ),
        ("nasnet/classification", "Did you mean nasnet_large, nasnet_mobile or pnasnet_large? "),
        (
            "inception_v3/classification/feature_vector",
            "Did you mean inception_v3, inception_v2 or inception_v1? ",
        ),
        (
            "mobilenet_v2_100_224/quantops",
            "Did you mean mobilenet_v1_100_224/quantops, mobilenet_v1_050_224/quantops or mobilenet_v1_075_224/quantops? ",
        ),
        ("mobile", "Did you mean nasnet_mobile? "),
        ("vgg16", ""),
        ("", ""),
    ],
)
def test_unknown_name_is_refused_with_the_nearest(name: str, nearest: str) -> None:
    assert refusal(name) == f"'{name}' is not a known module. {nearest}list_modules lists them all."


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("mobilenet", "mobilenet_v2_100_224, mobilenet_v1_100_224 or mobilenet_v3_small_100_224"),
        ("mobilenet_v1", "mobilenet_v1_100_224, mobilenet_v1_100_224/quantops or mobilenet_v1_075_224"),
        ("mobilenet_v2", "mobilenet_v2_100_224, mobilenet_v2_140_224 or mobilenet_v2_130_224"),
        (
            "mobilenet_v3",
            "mobilenet_v3_small_100_224, mobilenet_v3_large_100_224 or mobilenet_v3_small_075_224",
        ),
        ("mobilenet_v2_100", "mobilenet_v2_100_224, mobilenet_v2_100_96 or mobilenet_v2_100_192"),
        ("mobilenet_v2_224", "mobilenet_v2_100_224, mobilenet_v2_140_224 or mobilenet_v2_130_224"),
        ("mobilnet_v2_050", "mobilenet_v2_050_224, mobilenet_v2_050_96 or mobilenet_v2_050_192"),
        ("mobilnet_v2_050_96", "mobilenet_v2_050_96, mobilenet_v2_100_96 or mobilenet_v2_075_96"),
    ],
)
def test_nearest_name_has_224_pixels_and_width_100_unless_others_were_typed(name: str, nearest: str) -> None:
    assert refusal(name) == (
        f"'{name}' is not a known module. Did you mean {nearest}? list_modules lists them all."
    )


@pytest.mark.parametrize("module", KNOWN, ids=lambda module: module.name)
def test_row_is_consistent(module: KnownModule) -> None:
    assert re.fullmatch(rf"{re.escape(HUB + module.path)}/feature_vector/\d", module.address)
    assert address_of(module.name) == module.address
    assert address_of(f"{module.name}/classification") == module.classification_address
    assert module.classification_address == module.address.replace("feature_vector", "classification")
    assert catalogue.looks_like_a_name(module.name)
    assert module.image_size > 0
    assert module.feature_size > 0
    assert module.class_scores in (1001, None)
    assert module.download_megabytes is None or module.download_megabytes > 0
    assert module.accuracy is None or 0 < module.accuracy < 100
    assert module.source in SOURCES


def test_names_are_unique() -> None:
    assert len({module.name for module in KNOWN}) == len({module.address for module in KNOWN}) == len(KNOWN)


def test_every_source_is_used() -> None:
    assert {module.source for module in KNOWN} == set(SOURCES)


def test_size_and_width_in_a_name_agree_with_the_row() -> None:
    counts = {"v1": 0, "v1/quantops": 0, "v2": 0, "v3": 0}
    for module in KNOWN:
        match = re.fullmatch(r"mobilenet_(v\d)(_large|_small)?_(\d+)_(\d+)(/quantops)?", module.name)
        if match is None:
            assert "mobilenet" not in module.name
            continue
        counts[match[1] + (match[5] or "")] += 1
        assert module.image_size == int(match[4])
        if match[1] == "v1":
            assert module.feature_size == 1024 * int(match[3]) // 100
        if match[1] == "v2":
            assert module.feature_size == 1280 * max(int(match[3]), 100) // 100
    assert counts == {"v1": 16, "v1/quantops": 16, "v2": 22, "v3": 4}


@pytest.mark.parametrize(
    ("name", "image_size", "features", "megabytes", "accuracy"),
    [
        # Checked again on the pages that sources() names: the first and last row of each table.
        ("mobilenet_v1_100_224", 224, 1024, 16.96, 70.9),
        ("mobilenet_v1_025_128", 128, 256, 1.88, 41.5),
        ("mobilenet_v1_100_224/quantops", 224, 1024, 16.96, 69.7),
        ("mobilenet_v1_025_128/quantops", 128, 256, 1.88, 39.9),
        ("mobilenet_v2_140_224", 224, 1792, 24.24, 75.0),
        ("mobilenet_v2_035_96", 96, 1280, 6.64, 45.5),
        ("mobilenet_v3_large_100_224", 224, 1280, 21.6, 75.2),
        ("mobilenet_v3_small_075_224", 224, 1024, 9.6, 65.4),
        ("inception_v1", 224, 1024, None, 69.8),
        ("inception_v3", 299, 2048, 95.6, 78.0),
        ("inception_resnet_v2", 299, 1536, 223.6, 80.4),
        ("resnet_v1_50", 224, 2048, 102.4, None),
        ("resnet_v2_152", 224, 2048, 241.6, 77.8),
        ("nasnet_mobile", 224, 1056, 21.2, 74.0),
        ("nasnet_large", 331, 4032, 355.6, 82.7),
        ("pnasnet_large", 331, 4320, 344.4, 82.9),
        ("amoebanet_a_n18_f448", 331, 7168, 1876, None),
        ("efficientnet_v2_b0", 224, 1280, 28.4, 78.7),
        ("efficientnet_v2_l", 480, 1280, 478, 85.7),
        ("efficientnet_v2_imagenet21k_ft1k_xl", 512, 1280, None, 87.2),
        ("efficientnet_v2_imagenet21k_b3", 300, 1280, None, None),
    ],
)
def test_figures_are_the_published_ones(
    name: str, image_size: int, features: int, megabytes: float | None, accuracy: float | None
) -> None:
    module = known(name)
    assert (module.image_size, module.feature_size) == (image_size, features)
    assert (module.download_megabytes, module.accuracy) == (megabytes, accuracy)


@pytest.mark.parametrize(
    "text",
    ["inception_v3", "inception_v4", "mobilenet_1.0_224", "a/quantops/classification", "a/feature_vector"],
)
def test_bare_word_is_looked_up(text: str) -> None:
    assert catalogue.looks_like_a_name(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        BUILTIN,
        BUILTIN_SMALL,
        HUB + "inception_v3/feature_vector/3",
        "gs://bucket/module",
        "/modules/inception_v3",
        "./inception_v3",
        "../inception_v3",
        "~/inception_v3",
        "modules/inception_v3",
        "inception_v3/",
        "C:\\modules",
        "My Module",
        "inception_v3\n",
    ],
)
def test_address_and_path_are_not_looked_up(text: str) -> None:
    assert not catalogue.looks_like_a_name(text)


@pytest.mark.parametrize("width", [("1.0", "100"), ("0.75", "075"), ("0.50", "050"), ("0.25", "025")])
@pytest.mark.parametrize("size", [224, 192, 160, 128])
@pytest.mark.parametrize("ending", [("", ""), ("_quantized", "/quantops")])
def test_every_architecture_of_the_older_script_is_a_known_module(
    width: tuple[str, str], size: int, ending: tuple[str, str]
) -> None:
    address = catalogue.address_of_architecture(f"mobilenet_{width[0]}_{size}{ending[0]}")
    module = known(f"mobilenet_v1_{width[1]}_{size}{ending[1]}")
    assert address == f"{HUB}{module.path}/feature_vector/3" == module.address_at(3)


def test_table_holds_every_module_with_its_figures() -> None:
    lines = catalogue.table().splitlines()
    assert " ".join(lines[0].split()) == "name image size features download (MB) top-1 % source"
    assert [line.split()[0] for line in lines[1 : len(KNOWN) + 1]] == [module.name for module in KNOWN]
    rows = {line.split()[0]: line.split() for line in lines[1 : len(KNOWN) + 1]}
    assert rows["mobilenet_v2_100_224"] == [
        "mobilenet_v2_100_224",
        "224",
        "1280",
        "13.9",
        "71.8",
        "mobilenet",
    ]
    assert rows["resnet_v1_50"] == ["resnet_v1_50", "224", "2048", "102.4", "-", "keras"]
    assert rows["inception_v1"] == ["inception_v1", "224", "1024", "-", "69.8", "slim"]


def test_table_names_its_sources_and_says_how_to_use_a_name() -> None:
    text = catalogue.table()
    for key in SOURCES:
        assert f"\n{key}: " in text
    for address in re.findall(r"https://[^ );]+", " ".join(SOURCES.values())):
        assert address.rstrip(",") in text  # in one piece, so that it can be clicked
    assert "Download: 4 bytes per published parameter" in text
    assert text.splitlines()[-1] == (
        "NAME stands for the feature vector of a network, NAME/classification for its class scores."
    )


def test_table_fits_a_terminal_and_is_aligned() -> None:
    lines = catalogue.table().splitlines()
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line != line.rstrip()]
    column = lines[0].index("source")
    assert {line[column - 2 : column] for line in lines[: len(KNOWN) + 1]} == {"  "}
    assert all(line[column] != " " for line in lines[: len(KNOWN) + 1])


def test_catalogue_does_not_import_tensorflow() -> None:
    command = (
        "import sys; from retraining.modules import catalogue; catalogue.table(); "
        "sys.exit(bool({'tensorflow', 'numpy', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", command], cwd=PROJECT, check=False).returncode == 0
