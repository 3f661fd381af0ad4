"""Folders that are the sets of a split, as in many data sets: train, val and test, with the same classes."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence

from retraining.data.folder_walk import Folder
from retraining.data.split import Split
from retraining.errors import BadRequest, setting_named
from retraining.settings.data import HeldOut, SplitSettings

# In lower case.
_EVALUATION = ("eval", "evaluation")
_SETS = {
    "train": Split.TRAINING,
    "training": Split.TRAINING,
    **dict.fromkeys(("val", "valid", "validation", "dev", *_EVALUATION), Split.VALIDATION),
    "test": Split.TESTING,
    "testing": Split.TESTING,
}

# The names that mean the same whatever is beside them.
_PLAIN = {name: split for name, split in _SETS.items() if name not in _EVALUATION}

# Data sets for object detection have these in each set, one file of labels for each image.
_DETECTION = {"images", "labels"}

_NAMED = 3  # at most so many folders are named in a message

log = logging.getLogger(__name__)


def is_set_name(name: str) -> bool:
    """Return whether a folder is named like a set, in upper or lower case."""
    return name.lower() in _SETS


def set_named(name: str) -> Split | None:
    """Return the set that a plain name such as val names, in upper or lower case; None for any other name."""
    return _PLAIN.get(name.strip().lower())


def sets_among(image_dir: Folder, folders: Mapping[str, Sequence[str]]) -> dict[Split, str]:
    """Return the name of each set's folder in `image_dir`, training first; {} if the folders are classes.

    `folders` are the first-level folders, each with the sub-folders in it; those of ordinary folders do not
    matter. A single folder named like a set is a class if it is beside other folders, since a class may be
    called train, or if it has no sub-folders. Raises BadRequest for what is neither sets nor classes.
    """
    sets = _sets_of([name for name in folders if is_set_name(name)])
    others = [name for name in folders if name not in sets]
    is_one_class = len(sets) == 1 and not folders[next(iter(sets))]
    if not sets or is_one_class or (others and len(set(sets.values())) == 1):
        return {}
    _check_no_classes_beside(image_dir, sets, others)
    _check_one_folder_each(image_dir, sets)
    _check_have_classes(image_dir, {name: folders[name] for name in sets})
    names = {split: name for name, split in sets.items()}
    return {split: names[split] for split in Split if split in names}


def left_to_cut(image_dir: Folder, sets: Mapping[Split, str], settings: SplitSettings) -> HeldOut:
    """Return the percentages that are cut off from the training images: 0 for a set that has its own folder.

    Raises BadRequest if such a set was given a percentage, since that would be ignored.
    """
    given = {Split.TESTING: settings.testing_percentage, Split.VALIDATION: settings.validation_percentage}
    for split, percentage in given.items():
        if percentage is not None and split in sets:
            raise BadRequest(
                "{percentage} must be left out where the {split} set has its own folder, as here with "
                "'{folder}'; received {given:g}. Leave it out, or move that folder out of '{image_dir}'.",
                percentage=setting_named(f"{split.value}_percentage"),
                given=percentage,
                split=split.value,
                folder=image_dir / sets[split],
                image_dir=image_dir,
            )
    return HeldOut(
        testing=0 if Split.TESTING in sets else settings.held_out.testing,
        validation=0 if Split.VALIDATION in sets else settings.held_out.validation,
    )


def described(image_dir: Folder, sets: Mapping[Split, str], held_out: HeldOut) -> str:
    """Return a sentence that says which images are which set."""
    training = f"'{sets[Split.TRAINING]}'"
    cut = {Split.VALIDATION: held_out.validation, Split.TESTING: held_out.testing}
    parts = [f"'{sets[split]}'" if split in sets else f"{cut[split]:g}% of {training}" for split in Split]
    named = ", ".join(f"{part} for {split.value}" for part, split in zip(parts, Split, strict=True))
    return f"Using the folders of '{image_dir}' as the split: {named}."


def check_names_of_classes(image_dir: Folder, nested: Iterable[str]) -> None:
    """Raise BadRequest if class folders seem to be sets by other names, such as seg_train and seg_test.

    `nested` are the class folders whose images are all in sub-folders, as those of sets are.
    """
    sets = {name: split for name in nested if (split := _set_in_words(name))}
    if len(set(sets.values())) > 1:
        raise BadRequest(
            "set folders must be named like train, val and test, received {names} in '{folder}'. Rename "
            "them, or, if they are classes, put their images into them directly.",
            names=_quoted(sets),
            folder=image_dir,
        )


def warn_about_sets_in_class(folder: Folder, sub_folders: Sequence[str]) -> None:
    """Warn if a class folder has the folders of sets in it, which would have to be the other way round."""
    sets = _sets_of([name for name in sorted(sub_folders) if is_set_name(name)])
    if len(set(sets.values())) > 1:
        log.warning(
            "the folders %s in '%s' are not used as the split: they must hold the class folders, as in '%s'.",
            _quoted(sets),
            folder,
            folder.parent / "train" / folder.name,
        )


def _set_in_words(name: str) -> Split | None:
    """Return the first set that is named in a folder's name: the test set in 'Test_Images' and 'testset2'."""
    words = (word.removesuffix("set") for word in re.findall("[a-z]+", name.lower()))
    return next((_SETS[word] for word in words if word in _SETS), None)


def _sets_of(names: Sequence[str]) -> dict[str, Split]:
    """Return the set that each folder holds."""
    sets = {name: _SETS[name.lower()] for name in names}
    evaluations = [name for name in names if name.lower() in _EVALUATION]
    others = {split for name, split in sets.items() if name not in evaluations}
    # Beside another validation set, as in train, dev and eval, eval is the final test.
    if Split.VALIDATION in others and Split.TESTING not in others:
        sets |= dict.fromkeys(evaluations, Split.TESTING)
    return sets


def _check_no_classes_beside(image_dir: Folder, sets: Mapping[str, Split], others: Sequence[str]) -> None:
    if others:
        raise BadRequest(
            "{image_dir} must have either class folders or set folders, such as train and test; in "
            "'{folder}', {sets} are beside {others}. Move one kind elsewhere, or rename {sets} if all are "
            "classes.",
            folder=image_dir,
            sets=_quoted(sets),
            others=_quoted(others),
        )


def _check_one_folder_each(image_dir: Folder, sets: Mapping[str, Split]) -> None:
    for split in Split:
        folders = [name for name in sets if sets[name] is split]
        if len(folders) > 1:
            raise BadRequest(
                "{image_dir} must have one folder for each set; '{folder}' has {names} for the {split} set. "
                "Merge them, or rename them if they are classes.",
                folder=image_dir,
                names=_quoted(folders),
                split=split.value,
            )
    if Split.TRAINING not in sets.values():
        raise BadRequest(
            "{image_dir} with set folders must have a training set; '{folder}' has only {names}. Add the "
            "folder '{train}', or rename {names} if they are classes.",
            folder=image_dir,
            names=_quoted(sets),
            train=image_dir / "train",
        )


def _check_have_classes(image_dir: Folder, folders: Mapping[str, Sequence[str]]) -> None:
    """Raise BadRequest unless all sets have the same classes."""
    empty = [name for name, classes in folders.items() if not classes]
    if empty:
        raise BadRequest(
            "each set must have one sub-folder of images per class, but there is none in {names} of "
            "'{folder}'. Put the images of each class into a sub-folder such as '{roses}', or move {names} "
            "elsewhere.",
            names=_quoted(empty),
            folder=image_dir,
            roses=image_dir / empty[0] / "roses",
        )
    known = sorted(set().union(*folders.values()))
    lacking = {name: [label for label in known if label not in classes] for name, classes in folders.items()}
    lacks = [f"'{name}' lacks {_quoted(labels)}" for name, labels in lacking.items() if labels]
    if lacks:
        raise BadRequest(
            "the sets in '{folder}' must have the same class folders: {lacks}. Add them, empty if there are "
            "no images, or correct their names.",
            folder=image_dir,
            lacks="; ".join(lacks),
        )
    if {name.lower() for name in known} >= _DETECTION:
        raise BadRequest(
            "each set must have one sub-folder of images per class; those in '{folder}' have {names}, as "
            "data sets for object detection do. Sort the images into class folders.",
            folder=image_dir,
            names=_quoted(known),
        )


def _quoted(names: Iterable[str]) -> str:
    return _joined([f"'{name}'" for name in names])


def _joined(parts: Sequence[str]) -> str:
    """Return 'a', 'a and b' or 'a, b, c and 4 more'."""
    shown = [*parts[:_NAMED], *([f"{len(parts) - _NAMED:,} more"] if len(parts) > _NAMED else [])]
    return " and ".join([part for part in (", ".join(shown[:-1]), shown[-1]) if part])
