/** From the modules of a QR code to its text (ISO/IEC 18004): format, mask, codewords, correction, segments. */

import { badInput } from "./errors.js";
import { blocksOf, functionModules, MAX_VERSION } from "./qr-tables.js";
import { correct } from "./reed-solomon.js";

const ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const FORMAT_MASK = 0x5412;
const LEVELS = [1, 0, 3, 2]; // the two bits of the format: M, L, H, Q
const MOST_WRONG_BITS = 3;
const MASKS = [
  (x, y) => (x + y) % 2,
  (x, y) => y % 2,
  (x) => x % 3,
  (x, y) => (x + y) % 3,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2,
  (x, y) => ((x * y) % 2) + ((x * y) % 3),
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2,
];
const MODES = { 1: numeric, 2: alphanumeric, 4: binary, 8: kanji };
/** Bits of a segment's length by mode, for versions 1-9, 10-26, 27-40. */
const LENGTH_BITS = { 1: [10, 12, 14], 2: [9, 11, 13], 4: [8, 16, 16], 8: [8, 10, 12] };
const refused = () => badInput("The picture holds no code that can be read.");

/** @param {Uint8Array} modules one byte a module, row by row, 1 is dark @param {number} size modules along a side */
export function decodeModules(modules, size) {
  const version = (size - 17) / 4;
  if (!Number.isInteger(version) || version < 1 || version > MAX_VERSION) throw refused();
  const { level, mask } = readFormat(modules, size);
  const codewords = readCodewords(modules, size, functionModules(version), MASKS[mask]);
  return readSegments(correctBlocks(codewords, blocksOf(version, level)), version);
}

function readFormat(modules, size) {
  const first = [0, 1, 2, 3, 4, 5, 7, 8].map((i) => [8, i]).concat([7, 5, 4, 3, 2, 1, 0].map((i) => [i, 8]));
  const second = Array.from({ length: 15 }, (_, i) => (i < 8 ? [size - 1 - i, 8] : [8, size - 15 + i]));
  let best = { wrong: MOST_WRONG_BITS + 1 };
  for (const places of [first, second]) {
    const read = places.reduce((bits, [x, y], i) => bits | (modules[y * size + x] << i), 0);
    for (let data = 0; data < 32; data += 1) {
      const wrong = ones(read ^ formatBits(data));
      if (wrong < best.wrong) best = { wrong, level: LEVELS[data >> 3], mask: data & 7 };
    }
  }
  if (best.wrong > MOST_WRONG_BITS) throw refused();
  return best;
}

function formatBits(data) {
  let rest = data;
  for (let i = 0; i < 10; i += 1) rest = (rest << 1) ^ ((rest >> 9) * 0x537);
  return ((data << 10) | rest) ^ FORMAT_MASK;
}

function ones(bits) {
  let count = 0;
  for (let rest = bits; rest; rest &= rest - 1) count += 1;
  return count;
}

/** Codewords in the order of the symbol: two columns at a time from the right, upwards and downwards in turn. */
function readCodewords(modules, size, isFunction, masked) {
  const bytes = [];
  let bits = 0;
  let count = 0;
  let upwards = true;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let i = 0; i < size; i += 1) {
      const y = upwards ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (isFunction[y * size + x]) continue;
        bits = (bits << 1) | (modules[y * size + x] ^ (masked(x, y) === 0 ? 1 : 0));
        count += 1;
        if (count % 8 === 0) bytes.push(bits & 0xff);
      }
    }
    upwards = !upwards;
  }
  return bytes;
}

/** Take the interleaved blocks apart, correct each, and join their data. */
function correctBlocks(codewords, blocks) {
  const parts = blocks.map(() => []);
  let at = 0;
  const longest = Math.max(...blocks.map((block) => block.data));
  for (let i = 0; i < longest; i += 1) {
    blocks.forEach((block, b) => {
      if (i < block.data) parts[b].push(codewords[at++]);
    });
  }
  for (let i = 0; i < blocks[0].correction; i += 1) for (const part of parts) part.push(codewords[at++]);
  return parts.flatMap((part, b) => {
    correct(part, blocks[b].correction);
    return part.slice(0, blocks[b].data);
  });
}

class Bits {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  get left() {
    return this.bytes.length * 8 - this.at;
  }

  take(count) {
    if (count > this.left) throw refused();
    let value = 0;
    for (let i = 0; i < count; i += 1, this.at += 1) {
      value = (value << 1) | ((this.bytes[this.at >> 3] >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }
}

function readSegments(bytes, version) {
  const bits = new Bits(bytes);
  const range = version < 10 ? 0 : version < 27 ? 1 : 2;
  let text = "";
  while (bits.left >= 4) {
    const mode = bits.take(4);
    if (mode === 0) break;
    if (mode === 7) takeDesignator(bits);
    else if (mode === 3) bits.take(16); // a part of a structured append stands for itself
    else if (mode !== 5) {
      if (!Object.hasOwn(MODES, mode)) throw refused();
      text += MODES[mode](bits, bits.take(LENGTH_BITS[mode][range]));
    }
  }
  return text;
}

/** Character set of what follows: bytes are read as UTF-8 where they are UTF-8, so that it need not be obeyed. */
function takeDesignator(bits) {
  const first = bits.take(8);
  if (first >= 0xc0) bits.take(16);
  else if (first >= 0x80) bits.take(8);
}

function numeric(bits, length) {
  let text = "";
  for (let left = length; left > 0; left -= 3) {
    const digits = Math.min(3, left);
    const value = bits.take([0, 4, 7, 10][digits]);
    if (value >= 10 ** digits) throw refused();
    text += String(value).padStart(digits, "0");
  }
  return text;
}

function alphanumeric(bits, length) {
  let text = "";
  for (let left = length; left > 0; left -= 2) {
    const value = bits.take(left === 1 ? 6 : 11);
    if (value >= (left === 1 ? 45 : 2025)) throw refused();
    text += left === 1 ? ALPHANUMERIC[value] : ALPHANUMERIC[Math.floor(value / 45)] + ALPHANUMERIC[value % 45];
  }
  return text;
}

function binary(bits, length) {
  if (length * 8 > bits.left) throw refused();
  const bytes = Uint8Array.from({ length }, () => bits.take(8));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("latin1").decode(bytes);
  }
}

function kanji(bits, length) {
  if (length * 13 > bits.left) throw refused();
  const bytes = [];
  for (let i = 0; i < length; i += 1) {
    const value = bits.take(13);
    const code = ((Math.floor(value / 0xc0) << 8) | value % 0xc0) + 0x8140;
    const shifted = code > 0x9ffc ? code + 0x4000 : code;
    bytes.push(shifted >> 8, shifted & 0xff);
  }
  return new TextDecoder("shift_jis").decode(Uint8Array.from(bytes));
}
