"use strict";
// A browser does not let a page that was opened from a file read the files beside it, but it runs scripts from
// there. So everything that is not a script comes as one: compressed by gzip and written in base64.

const packed = {};

// Return the bytes of a packed file, and forget their text.
async function unpacked(name) {
  const text = atob(packed[name]);
  delete packed[name];
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
