"""Label images for other programs, over HTTP, and for people, on a page.

python -m retraining.serve --graph /tmp/output_graph.pb --port 8000
"""

from __future__ import annotations

import sys

from retraining.cli import console, logs, programs
from retraining.settings.serve import ServeSettings


def serve(settings: ServeSettings) -> None:
    """Run the command."""
    logs.configure_logging("INFO")
    # Imported here, so that help is quick.
    from retraining.inference import loading
    from retraining.server import listening

    with listening.opened(settings.host, settings.port) as listener:
        classifier = loading.load(settings)
        address = listening.url(listener)
        count = len(classifier.labels)
        logs.say(f"{count} classes at {address}, with a page to drop photos on. Ctrl-C ends it.")
        logs.say(f"  curl -F image=@photo.jpg {address}/predict")
        listening.serve(classifier, settings, listener)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(serve, programs.SERVE, argv)


if __name__ == "__main__":
    sys.exit(main())
