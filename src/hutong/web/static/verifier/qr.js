/** Reading a QR code from pixels: every way to part dark from light, every likely place, until one reads whole. */

import { byHistogram, byNeighbourhood, smooth, toGrey } from "./qr-binarise.js";
import { decodeModules } from "./qr-decode.js";
import { findCentres, findTriples, Picture } from "./qr-find.js";
import { readings } from "./qr-sample.js";
import { VerifierError } from "./errors.js";

/** Ways to part dark from light; a camera tries one a frame, a picture all of them. */
export const WAYS = [
  (grey, width, height) => byNeighbourhood(grey, width, height, 0.15),
  byHistogram,
  (grey, width, height) => byNeighbourhood(grey, width, height, 0.4),
  (grey, width, height) => byHistogram(smooth(grey, width, height)),
  (grey, width, height) => byNeighbourhood(grey, width, height, 0.06),
];

/**
 * Text of a QR code in a picture, or null.
 * @param {{data: Uint8ClampedArray, width: number, height: number}} image RGBA, as a canvas gives it
 * @param {Function[]} ways of WAYS
 */
export function readQr(image, ways = WAYS) {
  const grey = toGrey(image);
  for (const way of ways) {
    const text = readPicture(new Picture(way(grey, image.width, image.height), image.width, image.height));
    if (text !== null) return text;
  }
  return null;
}

function readPicture(picture) {
  for (const triple of findTriples(findCentres(picture))) {
    for (const { modules, size } of readings(picture, triple)) {
      const text = decode(modules, size) ?? decode(mirrored(modules, size), size);
      if (text !== null) return text;
    }
  }
  return null;
}

/** Seen in a mirror, as front cameras show it. */
function mirrored(modules, size) {
  return modules.map((_, i) => modules[(i % size) * size + Math.floor(i / size)]);
}

function decode(modules, size) {
  try {
    return decodeModules(modules, size) || null;
  } catch (error) {
    if (error instanceof VerifierError) return null;
    throw error;
  }
}
