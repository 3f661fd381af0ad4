"use strict";
// Photos to the numbers that the network takes, computed as label_image.py computes them: Pillow's bilinear
// resizing with antialiasing, in the same whole numbers. A canvas resizes in a way of its own in each browser.

const STRIP = 1 << 20; // pixels that are copied out of a photo at a time: a canvas cannot be as large as a photo
const BITS = 22; // of a weight, after the point
const HALF = 1 << (BITS - 1);

// Return for each of `size` pixels where its weights begin among `given` pixels, how many there are, and the
// weights, which add up to 1 << BITS.
function weightsOf(given, size) {
  const scale = given / size;
  const support = Math.max(scale, 1);
  const most = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(size);
  const counts = new Int32Array(size);
  const weights = new Int32Array(size * most);
  for (let at = 0; at < size; at++) {
    const center = (at + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(given, Math.trunc(center + support + 0.5)) - start;
    const triangle = [];
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const distance = Math.abs((i + start - center + 0.5) * (1 / support));
      triangle.push(distance < 1 ? 1 - distance : 0);
      sum += triangle[i];
    }
    triangle.forEach((weight, i) => { weights[at * most + i] = Math.trunc(0.5 + (weight / sum) * (1 << BITS)); });
    starts[at] = start;
    counts[at] = count;
  }
  return { starts, counts, weights, most };
}

// Resize one row of pixels, three bytes each, to the row `row` of `target`, which is `width` pixels wide.
function resizeRow(pixels, { starts, counts, weights, most }, target, row, width) {
  for (let x = 0; x < width; x++) {
    let red = HALF, green = HALF, blue = HALF;
    let from = starts[x] * 3;
    for (let i = 0; i < counts[x]; i++, from += 3) {
      const weight = weights[x * most + i];
      red += pixels[from] * weight;
      green += pixels[from + 1] * weight;
      blue += pixels[from + 2] * weight;
    }
    const to = (row * width + x) * 3;
    target[to] = red >> BITS;
    target[to + 1] = green >> BITS;
    target[to + 2] = blue >> BITS;
  }
}

// Resize all columns of pixels that are `width` wide to `height` rows.
function resizeColumns(pixels, rows, width, height) {
  const { starts, counts, weights, most } = weightsOf(rows, height);
  const target = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width * 3; x++) {
      let sum = HALF;
      for (let i = 0; i < counts[y]; i++) sum += pixels[(starts[y] + i) * width * 3 + x] * weights[y * most + i];
      target[y * width * 3 + x] = sum >> BITS;
    }
  }
  return target;
}

// Return one row of three bytes a pixel: the means of squares of `part` by `part` pixels of four bytes each.
function meanRow(strip, top, bottom, width, part) {
  const row = new Uint8Array(Math.ceil(width / part) * 3);
  for (let left = 0, to = 0; left < width; left += part, to += 3) {
    const right = Math.min(left + part, width);
    const count = (right - left) * (bottom - top);
    for (let channel = 0; channel < 3; channel++) {
      let sum = 0;
      for (let y = top; y < bottom; y++) {
        for (let x = left; x < right; x++) sum += strip[(y * width + x) * 4 + channel];
      }
      row[to + channel] = Math.floor(sum / count + 0.5);
    }
  }
  return row;
}

// A JPEG is stored as squares of 8 by 8 pixels, which label_image.py decodes at 1/2, 1/4 or 1/8 of their size if
// the photo is so large: the means of as many pixels.
function jpegPart(source, size) {
  const fits = Math.min(Math.floor(source.width / size.width), Math.floor(source.height / size.height));
  return [8, 4, 2].find((part) => part <= fits) || 1;
}

// Return the pixels of an ImageBitmap as Uint8Array [size.height, size.width, 3], white where it is transparent.
function resized(bitmap, size, isJpeg) {
  const part = isJpeg ? jpegPart(bitmap, size) : 1;
  const { width, height } = bitmap;
  const rows = Math.ceil(height / part);
  const weights = weightsOf(Math.ceil(width / part), size.width);
  const narrow = new Uint8Array(rows * size.width * 3);
  const stripHeight = part * Math.max(1, Math.floor(STRIP / width / part));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, Math.min(height, stripHeight)];
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  for (let top = 0; top < height; top += stripHeight) {
    const count = Math.min(stripHeight, height - top);
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, count);
    context.drawImage(bitmap, 0, top, width, count, 0, 0, width, count);
    const strip = context.getImageData(0, 0, width, count).data;
    for (let y = 0; y < count; y += part) {
      const row = meanRow(strip, y, Math.min(y + part, count), width, part);
      resizeRow(row, weights, narrow, (top + y) / part, size.width);
    }
  }
  return resizeColumns(narrow, rows, size.width, size.height);
}

// Return the pixels of a photo as the network takes them: Float32Array [1, size.height, size.width, 3].
function scaled(pixels, mean, std) {
  const numbers = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) numbers[i] = Math.fround(pixels[i] - mean) / std;
  return numbers;
}

// Return a photo's file as an ImageBitmap: turned as the camera was, its colors as they are stored.
async function opened(file) {
  const start = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  const isJpeg = start[0] === 0xff && start[1] === 0xd8 && start[2] === 0xff;
  const options = { imageOrientation: "from-image", colorSpaceConversion: "none" };
  return { bitmap: await createImageBitmap(file, options), isJpeg };
}
