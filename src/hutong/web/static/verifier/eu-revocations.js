/** Revocation lists of EU certificates in the bundle: by key hashes, their beginnings, and Bloom filters of them. */

import { concat, decodeBase64, encodeUtf8, hex, sha256 } from "./bytes.js";
import * as cbor from "./cbor.js";

const MAX_BYTES = 2 ** 23;
const HASH_BYTES = 16;

/** Lists (base64 of CBOR), by key id or "=" and a country. @param {string[]} texts */
export function readLists(texts) {
  const parts = new Map();
  for (const text of texts) {
    const part = cbor.decode(decodeBase64(text, "a list"), "a list", MAX_BYTES);
    const key = part.get("key");
    parts.set(typeof key === "string" ? `=${key}` : hex(key), {
      isWhole: part.get("whole") === true,
      hashes: part.get("hashes"),
      filters: [...part.get("filters")],
      beginnings: [...part.get("beginnings")],
    });
  }
  return parts;
}

/** Whether a certificate that the key signed is revoked; null where its lists are not whole. */
export async function isListed(parts, { signature, algorithm }, keyId, issuer, content) {
  const hashes = await hashesOf(algorithm === "ES256" ? signature.subarray(0, 32) : signature, issuer, content);
  // Slices without a key may be of any.
  const asked = [keyId, "", `=${issuer ?? ""}`].map((name) => parts.get(name)).filter((part) => part !== undefined);
  for (const part of asked) {
    for (const [type, value] of hashes) if (await holds(part, type, value)) return true;
  }
  return asked.every(({ isWhole }) => isWhole) ? false : null;
}

/** By the issuing country, and by the one that an entry names, since verifiers differ. */
async function hashesOf(signed, issuer, content) {
  const texts = [];
  for (const entry of ["v", "t", "r"].flatMap((group) => (Array.isArray(content[group]) ? content[group] : []))) {
    if (typeof entry?.ci !== "string") continue;
    texts.push(["UCI", entry.ci]);
    for (const country of [issuer, entry.co]) if (typeof country === "string") texts.push(["COUNTRYCODEUCI", country + entry.ci]);
  }
  const all = [["SIGNATURE", signed], ...texts.map(([type, text]) => [type, encodeUtf8(text)])];
  return Promise.all(all.map(async ([type, bytes]) => [type, (await sha256(bytes)).subarray(0, HASH_BYTES)]));
}

async function holds({ hashes, filters, beginnings }, type, value) {
  if (isIn(hashes.get(type), value)) return true;
  const digits = hex(value);
  for (const [prefix, size, packed] of beginnings) {
    const begin = value.slice(0, size);
    if (digits.startsWith(prefix) && (isIn(packed, begin) || isIn(packed, asWritten(begin)))) return true;
  }
  for (const [prefix, probes, words] of filters) {
    if (digits.startsWith(prefix) && (await mayHold(words, probes, value))) return true;
  }
  return false;
}

function isIn(packed, value) {
  for (let at = 0; at < packed?.length; at += value.length) {
    let same = 0;
    while (same < value.length && packed[at + same] === value[same]) same += 1;
    if (same === value.length) return true;
  }
  return false;
}

/** How the published reference writes a beginning: the leading FF of a negative number are lost, and become zeros. */
function asWritten(begin) {
  const written = begin.slice();
  for (let i = 0; i + 1 < begin.length && begin[i] === 0xff && begin[i + 1] & 0x80; i += 1) written[i] = 0;
  return written;
}

async function mayHold(words, probes, value) {
  const bits = BigInt(words.length * 8);
  for (let seed = 0; seed < probes; seed += 1) {
    const digest = BigInt(`0x${hex(await sha256(concat(value, Uint8Array.of(seed))))}`);
    const index = Number(((BigInt.asIntN(256, digest) % bits) + bits) % bits);
    if (!(words[index >> 3] & (0x80 >> (index & 7)))) return false;
  }
  return true;
}
