/** What ISO/IEC 18004 fixes for each version: sizes of blocks, places of alignment patterns, function modules. */

/** Error-correction codewords of a block, and number of blocks; by level L, M, Q, H, then by version from 1. */
const CODEWORDS = [
  "7 10 15 20 26 18 20 24 30 18 20 24 26 30 22 24 28 30 28 28 28 28 30 30 26 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
  "10 16 26 18 24 16 18 22 22 26 30 22 22 24 24 28 28 26 26 26 26 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28",
  "13 22 18 26 18 24 18 22 20 24 28 26 24 20 30 24 28 28 26 30 28 30 30 30 30 28 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
  "17 28 22 16 22 28 26 26 24 28 24 28 22 24 24 30 28 28 26 28 30 24 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30",
].map(numbers);
const BLOCKS = [
  "1 1 1 1 1 2 2 2 2 4 4 4 4 4 6 6 6 6 7 8 8 9 9 10 12 12 12 13 14 15 16 17 18 19 19 20 21 22 24 25",
  "1 1 1 2 2 4 4 4 5 5 5 8 9 9 10 10 11 13 14 16 17 17 18 20 21 23 25 26 28 29 31 33 35 37 38 40 43 45 47 49",
  "1 1 2 2 4 4 6 6 8 8 8 10 12 16 12 17 16 18 21 20 23 23 25 27 29 34 34 35 38 40 43 45 48 51 53 56 59 62 65 68",
  "1 1 2 4 4 4 5 6 8 8 11 11 16 16 18 16 19 21 25 25 25 34 30 32 35 37 40 42 45 48 51 54 57 60 63 66 70 74 77 81",
].map(numbers);

function numbers(line) {
  return line.split(" ").map(Number);
}

export const MAX_VERSION = 40;
export const sizeOf = (version) => 17 + 4 * version;

/** Blocks of a symbol. @param {0|1|2|3} level L, M, Q, H @returns {{data: number, correction: number}[]} */
export function blocksOf(version, level) {
  const count = BLOCKS[level][version - 1];
  const correction = CODEWORDS[level][version - 1];
  const total = Math.floor(dataModules(version) / 8);
  const short = Math.floor(total / count);
  const long = total % count;
  return Array.from({ length: count }, (_, i) => ({ data: short - correction + (i >= count - long ? 1 : 0), correction }));
}

function dataModules(version) {
  const isFunction = functionModules(version);
  return isFunction.length - isFunction.reduce((sum, one) => sum + one, 0);
}

/** Centres of the alignment patterns along one side. */
export function alignmentCentres(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const last = sizeOf(version) - 7;
  const step = version === 32 ? 26 : Math.ceil((last - 6) / (count - 1) / 2) * 2;
  return [6, ...Array.from({ length: count - 1 }, (_, i) => last - (count - 2 - i) * step)];
}

const kept = new Map();

/** One byte a module, row by row: 1 where the module is no data. */
export function functionModules(version) {
  if (kept.has(version)) return kept.get(version);
  const size = sizeOf(version);
  const marks = new Uint8Array(size * size);
  const fill = (x, y, width, height) => {
    for (let row = y; row < y + height; row += 1) marks.fill(1, row * size + x, row * size + x + width);
  };
  fill(0, 0, 9, 9);
  fill(size - 8, 0, 8, 9);
  fill(0, size - 8, 9, 8);
  fill(6, 0, 1, size);
  fill(0, 6, size, 1);
  const centres = alignmentCentres(version);
  const last = centres.length - 1;
  centres.forEach((y, row) => {
    centres.forEach((x, column) => {
      const isCorner = (row === 0 && (column === 0 || column === last)) || (row === last && column === 0);
      if (!isCorner) fill(x - 2, y - 2, 5, 5);
    });
  });
  if (version >= 7) {
    fill(size - 11, 0, 3, 6);
    fill(0, size - 11, 6, 3);
  }
  kept.set(version, marks);
  return marks;
}
