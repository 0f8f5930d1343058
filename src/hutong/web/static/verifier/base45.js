/** Base45 (RFC 9285), strict: what no encoder produces is refused, never repaired. */

import { badInput } from "./errors.js";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const DIGITS = new Map([...ALPHABET].map((character, digit) => [character, digit]));

/** @param {string} text @returns {Uint8Array} */
export function decode(text) {
  const rest = text.length % 3;
  if (rest === 1) throw badInput("The base45 text has an impossible length.");
  const bytes = new Uint8Array(Math.floor(text.length / 3) * 2 + (rest ? 1 : 0));
  let at = 0;
  for (let i = 0; i < text.length; i += 3) {
    const size = Math.min(3, text.length - i);
    let group = 0;
    for (let j = size - 1; j >= 0; j -= 1) {
      const digit = DIGITS.get(text[i + j]);
      if (digit === undefined) throw badInput("The base45 text holds characters outside the alphabet.");
      group = group * 45 + digit;
    }
    if (group > (size === 3 ? 0xffff : 0xff)) throw badInput("A group of the base45 text is above its range.");
    if (size === 3) bytes[at++] = group >> 8;
    bytes[at++] = group & 0xff;
  }
  return bytes;
}
