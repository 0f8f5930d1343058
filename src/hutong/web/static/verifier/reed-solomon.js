/** Reed-Solomon correction over GF(256) with polynomial 0x11D, as QR codes use it. */

import { badInput } from "./errors.js";

const EXP = new Uint8Array(512);
const LOG = new Uint8Array(256);
for (let i = 0, x = 1; i < 255; i += 1) {
  EXP[i] = x;
  EXP[i + 255] = x;
  LOG[x] = i;
  x = (x << 1) ^ (x & 0x80 ? 0x11d : 0);
}
const multiply = (one, other) => (one && other ? EXP[LOG[one] + LOG[other]] : 0);
const divide = (one, other) => (one ? EXP[LOG[one] + 255 - LOG[other]] : 0);

/** Value at x of a polynomial whose first coefficient is that of x^0. */
const valueAt = (polynomial, x) => polynomial.reduceRight((sum, coefficient) => multiply(sum, x) ^ coefficient, 0);

function syndromesOf(block, count) {
  return Array.from({ length: count }, (_, i) => block.reduce((sum, byte) => multiply(sum, EXP[i]) ^ byte, 0));
}

/** Correct a block in place; its last `count` bytes are the correction. Throws when there are too many errors. */
export function correct(block, count) {
  const syndromes = syndromesOf(block, count);
  if (syndromes.every((one) => one === 0)) return;
  const locator = locatorOf(syndromes);
  const errors = locator.length - 1;
  if (errors * 2 > count) throw badInput("The picture of the code is too damaged.");
  // Omega(x) = S(x) * Lambda(x) mod x^count; Forney's formula needs it and the derivative of Lambda.
  const evaluator = Array.from({ length: errors }, (_, i) =>
    locator.slice(0, i + 1).reduce((sum, coefficient, j) => sum ^ multiply(coefficient, syndromes[i - j]), 0),
  );
  const derivative = locator.map((coefficient, i) => (i % 2 ? coefficient : 0)).slice(1);
  let found = 0;
  for (let position = 0; position < block.length; position += 1) {
    const inverse = EXP[255 - (position % 255)];
    if (valueAt(locator, inverse) !== 0) continue;
    const slope = valueAt(derivative, inverse);
    if (slope === 0) break;
    const size = multiply(EXP[position % 255], divide(valueAt(evaluator, inverse), slope));
    block[block.length - 1 - position] ^= size;
    found += 1;
  }
  if (found !== errors || syndromesOf(block, count).some((one) => one !== 0)) {
    throw badInput("The picture of the code is too damaged.");
  }
}

/** Error locator polynomial by Berlekamp and Massey, lowest coefficient first. */
function locatorOf(syndromes) {
  let current = [1];
  let previous = [1];
  let length = 0;
  let shift = 1;
  let last = 1;
  for (let n = 0; n < syndromes.length; n += 1) {
    let gap = syndromes[n];
    for (let i = 1; i <= length; i += 1) gap ^= multiply(current[i] ?? 0, syndromes[n - i]);
    if (gap === 0) {
      shift += 1;
      continue;
    }
    const scale = divide(gap, last);
    const next = Array.from({ length: Math.max(current.length, previous.length + shift) }, (_, i) => {
      return (current[i] ?? 0) ^ multiply(scale, previous[i - shift] ?? 0);
    });
    if (2 * length <= n) {
      [length, previous, last, shift] = [n + 1 - length, current, gap, 1];
    } else shift += 1;
    current = next;
  }
  return current.slice(0, length + 1);
}
