"""Classify a photo with an exported .tflite file: python classify.py flowers.tflite photo.jpg"""

import sys
import zipfile

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

path, photo = sys.argv[1:]
interpreter = Interpreter(path)
interpreter.allocate_tensors()
(given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
labels = zipfile.ZipFile(path).read("labels.txt").decode().splitlines()

_, height, width, _ = given["shape"]
image = Image.open(photo).convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
pixels = np.asarray(image)[np.newaxis]
if given["dtype"] == np.float32:  # tflite-int8 takes the bytes as they are
    pixels = pixels.astype(np.float32) / 255
interpreter.set_tensor(given["index"], pixels)
interpreter.invoke()
scores = interpreter.get_tensor(wanted["index"])[0]
if wanted["dtype"] == np.uint8:
    scores = scores / 256
for index in np.argsort(-scores)[:3]:
    print(f"{labels[index]} {scores[index]:.5f}")
