/** Byte strings: their comparison, their texts, their digest. */

import { badInput } from "./errors.js";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export const encodeUtf8 = (text) => encoder.encode(text);

/** Text of UTF-8 bytes; throws bad-input for anything else. */
export function decodeUtf8(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw badInput("A text is not UTF-8.");
  }
}

export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function concat(...parts) {
  const joined = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** Strict base64 (RFC 4648, 4). */
export function decodeBase64(text, what) {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) {
    throw badInput(`The base64 of ${what} cannot be read.`);
  }
  return fromBinary(atob(text));
}

/** Strict base64url without padding (RFC 7515, 2). */
export function decodeBase64url(text, what) {
  if (typeof text !== "string" || !/^[\w-]*$/.test(text) || text.length % 4 === 1) {
    throw badInput(`The base64url of ${what} cannot be read.`);
  }
  return fromBinary(atob(text.replaceAll("-", "+").replaceAll("_", "/")));
}

function fromBinary(binary) {
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
