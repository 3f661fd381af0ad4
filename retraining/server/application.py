"""The application: what is answered to each request, whatever server passes it on (ASGI).

On Starlette, which is small, typed and everywhere ASGI is: the application also runs within FastAPI, or under
another server than uvicorn.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from retraining.errors import WorkFailed
from retraining.inference.image_classifier import Classified, ImageClassifier
from retraining.printable import printable
from retraining.server import same_site, uploads
from retraining.server.admission import Admission, Place
from retraining.server.batcher import Batcher
from retraining.settings.serve import ServeSettings

log = logging.getLogger(__name__)

_DIGITS = 6  # of a score, which is a float32

_PAGE_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}


class Json(JSONResponse):
    """An answer in JSON; what UTF-8 cannot express, such as a label that is no text, is escaped."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return f"{json.dumps(content, allow_nan=False)}\n".encode("ascii")


class Application:
    """Answers requests about one classifier."""

    def __init__(self, classifier: ImageClassifier, settings: ServeSettings) -> None:
        self._settings = settings
        self._classes = len(classifier.labels)
        self._batcher = Batcher(classifier, batch_size=settings.batch_size, best=settings.num_top_predictions)
        self._admission = Admission(
            max_requests=settings.max_requests, max_bytes=settings.max_bytes, timeout=settings.timeout
        )

    def asgi(self) -> Starlette:
        """Return it as a server calls it."""
        application = Starlette(
            routes=[
                Route("/", _page, methods=["GET"]),
                Route("/healthz", self._health, methods=["GET"]),
                Route("/predict", self._predict, methods=["POST"]),
            ],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._dispatch)],
            exception_handlers={HTTPException: _refused, WorkFailed: _failed, Exception: _broken},
        )
        application.router.redirect_slashes = False
        return application

    def close(self) -> None:
        """End its threads."""
        self._batcher.close()

    async def _dispatch(self, request: Request, answer: RequestResponseEndpoint) -> Response:
        """Answer a request, and log it in one line."""
        start = time.perf_counter()
        try:
            same_site.check(request, self._settings.host)
            response = await answer(request)
        except HTTPException as error:
            response = await _refused(request, error)
        milliseconds = (time.perf_counter() - start) * 1000
        path = printable(request.scope["path"])
        log.info("%s %s %d %.0f ms", request.method, path, response.status_code, milliseconds)
        return response

    async def _health(self, _: Request) -> Response:
        return Json({"status": "ok", "classes": self._classes, "waiting": self._batcher.waiting})

    async def _predict(self, request: Request) -> Response:
        with self._admission.place() as place:
            if not uploads.is_form(request):
                (classified,) = await self._classified([await place.read(request)])
                if classified.reason:
                    raise HTTPException(400, f"the file {classified.reason}.")
                return Json(_answer(classified))
            return await self._predict_form(request, place)

    async def _predict_form(self, request: Request, place: Place) -> Response:
        files = await uploads.of_form(request, await place.read(request), self._settings.max_images)
        classified = await self._classified([file.content for file in files])
        images = [
            {"image": file.name, **_answer(answer)} for file, answer in zip(files, classified, strict=True)
        ]
        return Json({"images": images}, 400 if any(answer.reason for answer in classified) else 200)

    async def _classified(self, contents: Sequence[bytes]) -> list[Classified]:
        answers = asyncio.gather(*map(self._batcher.classify, contents))
        try:
            return await asyncio.wait_for(answers, self._settings.timeout)
        except asyncio.TimeoutError:
            raise HTTPException(
                504, f"there was no answer within {self._settings.timeout:g} seconds; try again later."
            ) from None


def _answer(classified: Classified) -> Mapping[str, Any]:
    if classified.reason:
        return {"error": classified.reason}
    answer: dict[str, Any] = {
        "predictions": [
            {"label": prediction.label, "score": round(prediction.score, _DIGITS)}
            for prediction in classified.predictions
        ]
    }
    if classified.novelty is not None:
        answer |= {"novelty": round(classified.novelty, _DIGITS), "unknown": classified.is_unknown}
    return answer


async def _page(_: Request) -> Response:
    page = resources.files("retraining.server").joinpath("page.html").read_bytes()
    return Response(
        page,
        media_type="text/html",
        headers={"Content-Security-Policy": _PAGE_POLICY, "Referrer-Policy": "no-referrer", **_NO_SNIFFING},
    )


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = _DETAILS.get(error.status_code, error.detail)
    return Json({"error": detail}, error.status_code, headers={**_NO_SNIFFING, **(error.headers or {})})


_DETAILS = {  # of what Starlette finds, in place of the name of the status
    404: "there is nothing here; images go to /predict, with POST.",
    405: "images go to /predict, with POST; /healthz and the page at / are read with GET.",
}


async def _failed(_: Request, error: Exception) -> Response:
    log.warning("%s", error)
    return Json({"error": str(error)}, 500)


async def _broken(_: Request, __: Exception) -> Response:
    return Json({"error": "the server has a fault; its terminal says which."}, 500)
