"""Reads the image size that a TF1 Hub module records in an attachment.

The attachment is a protobuf message that tensorflow_hub no longer ships:
https://github.com/tensorflow/hub, tensorflow_hub/module_attachment.proto and image_module_info.proto.
ModuleAttachment {string key = 1; bytes value = 2}, ImageModuleInfo {ImageSize default_image_size = 1},
ImageSize {int32 height = 1; int32 width = 2}.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from retraining.arrays import ImageSize

_KEY = "image_module_info"
_PACKAGE = "retraining.hub"

_Field: TypeAlias = descriptor_pb2.FieldDescriptorProto


def image_size(attachment: bytes) -> ImageSize | None:
    """Return the default image size in a serialized ModuleAttachment, or None if it holds something else."""
    try:
        parsed = _messages["ModuleAttachment"].FromString(attachment)
        if parsed.key != _KEY:
            return None
        size = _messages["ImageModuleInfo"].FromString(parsed.value).default_image_size
    except DecodeError:
        return None
    return ImageSize(size.height, size.width) if size.height and size.width else None


def _field(name: str, number: int, kind: int, message: str = "") -> _Field:
    type_name = f".{_PACKAGE}.{message}" if message else None
    return _Field(name=name, number=number, type=kind, type_name=type_name, label=_Field.LABEL_OPTIONAL)


def _define() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="retraining/hub.proto", package=_PACKAGE)
    for name, fields in {
        "ModuleAttachment": (_field("key", 1, _Field.TYPE_STRING), _field("value", 2, _Field.TYPE_BYTES)),
        "ImageSize": (_field("height", 1, _Field.TYPE_INT32), _field("width", 2, _Field.TYPE_INT32)),
        "ImageModuleInfo": (_field("default_image_size", 1, _Field.TYPE_MESSAGE, "ImageSize"),),
    }.items():
        file.message_type.add(name=name, field=fields)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = [message.name for message in file.message_type]
    return {name: _message_class(pool, name) for name in names}


def _message_class(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


_messages = _define()
