/**
 * Bounded CBOR (RFC 8949): one item, whole, of known size and depth, without the tags that run away.
 *
 * Maps become Map, byte strings Uint8Array, integers beyond 2^53 BigInt. A float stays a Float, since where an integer
 * is meant a float is none.
 */

import { concat, decodeUtf8, hex } from "./bytes.js";
import { instantOf } from "./datetimes.js";
import { badInput, limitExceeded } from "./errors.js";

export const MAX_BYTES = 65_536;
export const MAX_DEPTH = 16;
// Numbers of any size, references, patterns, sets: what the node's own reader refuses, too.
const REFUSED_TAGS = new Set([2, 3, 4, 5, 25, 28, 29, 30, 35, 36, 37, 256, 258, 260, 261, 43_000]);
const SELF_DESCRIBED = 55_799;
const FIRST_MS = -62_135_596_800_000;
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** A date-time of RFC 3339, 5.6, in capitals: what the node's own reader takes, too. */
const DATE_TIME =
  /^[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$/;
const BREAK = Symbol("break");

export class Tag {
  constructor(number, value) {
    this.number = number;
    this.value = value;
  }
}

export class Float {
  constructor(number) {
    this.number = number;
  }
}

/** Milliseconds since 1970 of a number of seconds (of the years 1 to 9999), or null. */
export function momentOfNumber(value) {
  const seconds = value instanceof Float ? value.number : value;
  const ms = typeof seconds === "number" ? seconds * 1000 : NaN;
  return ms >= FIRST_MS && ms <= LAST_MS ? ms : null;
}

/** Milliseconds since 1970 of a date-time as text (of the years 1 to 9999), or null. */
export function momentOfText(value) {
  if (typeof value !== "string" || !DATE_TIME.test(value)) return null;
  try {
    const ms = instantOf(value);
    return ms >= FIRST_MS && ms <= LAST_MS ? ms : null;
  } catch {
    return null;
  }
}

/** @param {Uint8Array} bytes @param {string} what for the message @param {number} [most] greatest length */
export function decode(bytes, what, most = MAX_BYTES) {
  if (bytes.length > most) throw limitExceeded(`The CBOR of ${what} is longer than ${most} bytes.`);
  const reader = new Reader(bytes, what);
  const item = reader.item(0);
  if (item === BREAK || reader.at !== bytes.length) throw reader.refused();
  return item;
}

class Reader {
  constructor(bytes, what) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.what = what;
    this.at = 0;
  }

  refused() {
    return badInput(`The CBOR of ${this.what} cannot be read.`);
  }

  take(size) {
    if (size > this.bytes.length - this.at) throw this.refused();
    this.at += size;
    return this.bytes.subarray(this.at - size, this.at);
  }

  /** The argument of a head; null for an indefinite length. */
  argument(info) {
    if (info < 24) return info;
    if (info === 31) return null;
    const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[info];
    if (size === undefined) throw this.refused();
    const start = this.at;
    this.take(size);
    if (size === 1) return this.view.getUint8(start);
    if (size === 2) return this.view.getUint16(start);
    if (size === 4) return this.view.getUint32(start);
    return small(this.view.getBigUint64(start));
  }

  item(depth) {
    if (depth > MAX_DEPTH) throw this.refused();
    const head = this.take(1)[0];
    const major = head >> 5;
    const info = head & 31;
    if (major === 7) return this.simple(info);
    const argument = this.argument(info);
    if (argument === null && (major < 2 || major === 6)) throw this.refused();
    if (major === 0) return argument;
    if (major === 1) return typeof argument === "bigint" ? -1n - argument : small(-1n - BigInt(argument));
    if (major === 6) return this.tagged(argument, depth);
    if (typeof argument === "bigint") throw this.refused();
    if (major === 2) return argument === null ? this.chunks(2) : this.take(argument).slice();
    if (major === 3) return decodeUtf8(argument === null ? this.chunks(3) : this.take(argument));
    // Every item takes a byte at least, so a length beyond the rest is refused before anything is built.
    if (argument !== null && argument > this.bytes.length - this.at) throw this.refused();
    return major === 4 ? this.list(argument, depth) : this.map(argument, depth);
  }

  tagged(number, depth) {
    if (REFUSED_TAGS.has(number)) throw this.refused();
    const value = this.whole(depth + 1);
    // Issuers put tag 0 before dates without a time, too; such a text stays what it is.
    const isPlain = number === SELF_DESCRIBED || (number === 0 && momentOfText(value) === null);
    if (number === 1 && momentOfNumber(value) === null) throw this.refused();
    return isPlain ? value : new Tag(number, value);
  }

  whole(depth) {
    const item = this.item(depth);
    if (item === BREAK) throw this.refused();
    return item;
  }

  chunks(major) {
    const parts = [];
    for (;;) {
      const head = this.take(1)[0];
      if (head === 0xff) break;
      const size = this.argument(head & 31);
      if (head >> 5 !== major || size === null || typeof size === "bigint") throw this.refused();
      parts.push(this.take(size));
    }
    return concat(...parts);
  }

  list(count, depth) {
    const items = [];
    for (let i = 0; count === null || i < count; i += 1) {
      const item = this.item(depth + 1);
      if (item === BREAK && count === null) break;
      if (item === BREAK) throw this.refused();
      items.push(item);
    }
    return items;
  }

  map(count, depth) {
    const entries = new Map();
    for (let i = 0; count === null || i < count; i += 1) {
      const key = this.item(depth + 1);
      if (key === BREAK && count === null) break;
      // Whole numbers and texts name entries; a key given twice would let two readers see two certificates.
      if (!["number", "bigint", "string"].includes(typeof key) || entries.has(key)) throw this.refused();
      entries.set(key, this.whole(depth + 1));
    }
    return entries;
  }

  simple(info) {
    const start = this.at;
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    if (info === 31) return BREAK;
    if (info < 24 || (info === 24 && this.take(1)[0] > 31)) return undefined; // of no meaning here
    if (info === 25) return new Float(half(this.view16()));
    if (info === 26) return this.take(4) && new Float(this.view.getFloat32(start));
    if (info === 27) return this.take(8) && new Float(this.view.getFloat64(start));
    throw this.refused();
  }

  view16() {
    const start = this.at;
    this.take(2);
    return this.view.getUint16(start);
  }
}

const small = (big) => (big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big);

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The item as rules read it: byte strings in hexadecimal, times as text, a whole float as the integer that was meant. */
export function toJson(item) {
  if (item instanceof Map) return Object.fromEntries(Array.from(item, ([key, value]) => [String(key), toJson(value)]));
  if (Array.isArray(item)) return item.map(toJson);
  if (item instanceof Float) return Number.isFinite(item.number) ? item.number : null;
  if (item instanceof Uint8Array) return hex(item);
  if (item instanceof Tag) return item.number === 1 ? written(momentOfNumber(item.value)) : toJson(item.value);
  if (item === undefined) return null;
  if (typeof item === "bigint") return BigInt.asIntN(64, item) === item ? item : String(item);
  return item;
}

/** A moment as the node's own reader writes it. */
const written = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");
