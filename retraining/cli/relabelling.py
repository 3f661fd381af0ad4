"""The work of relabel: what a list asks for is shown, and on request carried out."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from retraining.cli import commands, logs
from retraining.errors import WorkFailed
from retraining.settings.relabel import RelabelSettings
from retraining.sorting import relabelling, relisting
from retraining.sorting.relabelling import Move, Plan
from retraining.sorting.relisting import Relisting

log = logging.getLogger(__name__)


def relabel(settings: RelabelSettings) -> None:
    """Show, or carry out, what a list asks for. Raises WorkFailed if some of it cannot be done."""
    relisting_plan = relisting.plan(settings.csv)
    if relisting_plan is None:
        _move(settings)
    else:
        _relist(relisting_plan, settings)


def _relist(plan: Relisting, settings: RelabelSettings) -> None:
    """Show the corrections of a list of images, or write the corrected copy."""
    for refusal in plan.refused:
        log.warning("%s keeps its label: %s.", refusal.image, refusal.reason)
    for change in plan.changes:
        would = "has" if settings.apply else "would have"
        logs.say(f"{change.image} {would} the label {change.new} instead of {change.label}")
    count = f"{len(plan.changes):,} of {plan.count:,}"
    if plan.changes and settings.apply:
        written = relisting.write(plan)
        logs.say(f"{count} labels are corrected in {written}, a copy of the list of images.")
        logs.say("Now run retrain.py again with it. It is quick: images keep their vectors.")
    elif plan.changes:
        logs.say(f"{count} labels would be corrected, nothing has changed yet. Write a copy of the list:")
        logs.say(f"  {commands.relabel(commands.this_start(), settings.csv, apply=True)}")
    elif not plan.refused:
        logs.say(_none_marked(plan.count))
    if plan.refused:
        raise WorkFailed(
            "{stay} of {count} labels could not be corrected, see above.",
            stay=len(plan.refused),
            count=len(plan.changes) + len(plan.refused),
        )


def _move(settings: RelabelSettings) -> None:
    plan = relabelling.plan(settings.csv)
    for refusal in plan.refused:
        _warn(refusal.image, refusal.reason)
    stay = len(plan.refused)
    if plan.moves and settings.apply:
        stay += _carry_out(plan, settings.csv)
    elif plan.moves:
        _show(plan, settings.csv)
    elif not plan.refused:
        logs.say(_nothing(plan))
    if stay:
        raise WorkFailed(
            "{stay} of {count} photos could not be moved, see above.",
            stay=stay,
            count=len(plan.moves) + len(plan.refused),
        )


def _show(plan: Plan, csv: Path) -> None:
    shown = _Shown(plan)
    for move in plan.moves:
        logs.say(f"{shown.image(move)} would be moved to {shown.target(move)}")
    count = f"{len(plan.moves):,} of {plan.count:,}"
    logs.say(f"{count} in the list would be moved, nothing has changed yet. Move them:")
    logs.say(f"  {commands.relabel(commands.this_start(), csv, apply=True)}")


def _carry_out(plan: Plan, csv: Path) -> int:
    """Move what is planned; return how many files stay."""
    if not plan.is_undo:
        undo = relabelling.write_undo(plan, csv)
        logs.say("This takes everything back, also after an interruption:")
        logs.say(f"  {commands.relabel(commands.this_start(), undo, apply=True)}")
    shown = _Shown(plan)
    stay = 0
    for move in plan.moves:
        try:
            relabelling.carry_out(move)
        except WorkFailed as error:
            _warn(shown.image(move), error)
            stay += 1
        else:
            logs.say(f"{shown.image(move)} moved to {shown.target(move)}")
    logs.say(f"{len(plan.moves) - stay:,} of {plan.count:,} in the list were moved.")
    if stay < len(plan.moves):
        logs.say("Now run retrain.py again. It is quick: photos that were moved keep their vectors.")
    return stay


class _Shown:
    """What images are called: by their path in the folder that holds all of them."""

    def __init__(self, plan: Plan) -> None:
        self._above = Path(os.path.commonpath([move.folder for move in plan.moves]))

    def image(self, move: Move) -> Path:
        return (move.folder / move.image).relative_to(self._above)

    def target(self, move: Move) -> Path:
        return (move.folder / move.target).relative_to(self._above)


def _nothing(plan: Plan) -> str:
    if plan.is_undo:
        return "There is nothing to take back: each photo is where it was."
    return _none_marked(plan.count)


def _none_marked(count: int) -> str:
    return (
        f"None of {count:,} photos is marked. Write into the column 'action' of those with a wrong "
        "label: 'move' for the suggested class, or the name of another."
    )


def _warn(image: object, error: WorkFailed) -> None:
    log.warning("%s is not moved: %s.", image, error)
