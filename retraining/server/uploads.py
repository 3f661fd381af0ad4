"""The images in the body of a request: the body itself, or the files of a form."""

from __future__ import annotations

import dataclasses

from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

_MAX_FIELDS = 100  # of a form, besides its files, which nothing here reads
_FORM = "multipart/form-data"


@dataclasses.dataclass(frozen=True)
class Upload:
    """The bytes of an image file, and what its sender calls it."""

    name: str
    content: bytes


def is_form(request: Request) -> bool:
    """Return whether a request brings a form with files, rather than one image."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM


async def of_form(request: Request, body: bytes, max_images: int) -> list[Upload]:
    """Return the files of a form. Raises HTTPException 400 if it is damaged, or has none or too many."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    form_request = Request(request.scope, receive)
    async with form_request.form(max_files=max_images, max_fields=_MAX_FIELDS) as form:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        uploads = [Upload(file.filename or "", await file.read()) for file in files]
    if not uploads:
        raise HTTPException(400, "the form has no file; add an image to it.")
    return uploads
