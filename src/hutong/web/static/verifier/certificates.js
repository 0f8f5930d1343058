/**
 * Pass certificates: the public key, the key id, the last day and the use, taken from X.509 by a small bounded DER reader.
 *
 * Trust comes from the signed trust bundle, not from a path of certificates, so nothing else of them is read.
 */

import { decodeBase64, encodeUtf8, hex, sha256 } from "./bytes.js";
import { badInput, limitExceeded } from "./errors.js";

const MAX_CERTIFICATE_BYTES = 16_384;
const MAX_KEYS = 100_000;
const MAX_TRIALS = 64;
export const KEY_ID_BYTES = 8;
const EC_KEY = "06072a8648ce3d0201";
const P256 = "06082a8648ce3d030107";
const RSA_KEY = "06092a864886f70d010101";
const USE = "551d25";
/** 1.3.6.1.4.1.1847.2021.1.{1 test, 2 vaccination, 3 recovery}; early issuers wrote 1.3.6.1.4.1.0.1847.2021.1.x. */
const TYPES = /^2b06010401(?:00)?8e378f65010([123])$/;
const EXTENSIONS = 0xa3;
const OCTETS = 0x04;
const OID = 0x06;
const UTC_TIME = 0x17;
const TIME = 0x18;

/** One public key; what is neither P-256 nor RSA loads but verifies nothing. */
export class VerificationKey {
  /** `usage`: the EU certificates that it may sign, of "v", "t", "r"; null when it is not restricted. */
  constructor({ keyId, spki, kind, notBefore, notAfter, usage, issuer }) {
    Object.assign(this, { keyId, spki, kind, notBefore, notAfter, usage, issuer });
    this.imported = null;
  }

  async verifies(algorithm, signature, signed) {
    if (this.kind === null || algorithm !== this.kind || (algorithm === "ES256" && signature.length !== 64)) return false;
    const use = algorithm === "ES256" ? { name: "ECDSA", hash: "SHA-256" } : { name: "RSA-PSS", saltLength: 32 };
    const form = algorithm === "ES256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "RSA-PSS", hash: "SHA-256" };
    try {
      this.imported ??= await crypto.subtle.importKey("spki", this.spki, form, false, ["verify"]);
    } catch {
      return false; // a point off the curve, a modulus of another form
    }
    if (algorithm === "PS256" && this.imported.algorithm.modulusLength < 2048) return false;
    return crypto.subtle.verify(use, this.imported, signature, signed);
  }
}

/** Keys found by their id. */
export class KeyRing {
  constructor(keys) {
    if (keys.length > MAX_KEYS) throw limitExceeded("Too many keys were given.");
    this.keys = keys;
    this.byId = new Map();
    for (const key of keys) {
      for (const id of writtenIds(key.keyId)) this.byId.set(id, [...(this.byId.get(id) ?? []), key]);
    }
  }

  /** Keys that a message may mean: those with its id; without an id, all of a small ring. */
  candidates(keyId) {
    if (keyId === null) return this.keys.length <= MAX_TRIALS ? this.keys : [];
    return this.byId.get(hex(keyId)) ?? [];
  }
}

/** How messages write a key id, in hexadecimal: its bytes, or, against RFC 9052, 3.1, their base64 as text. */
function writtenIds(keyId) {
  const text = btoa(String.fromCharCode(...bytesOf(keyId)));
  const forUrls = text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return [keyId, ...[text, forUrls].map((one) => hex(encodeUtf8(one)))];
}

const bytesOf = (inHex) => Uint8Array.from(inHex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** The key id of a certificate: the beginning of its digest (HCERT 1.1, 3.3.1). */
export const keyIdOf = async (der) => (await sha256(der)).subarray(0, KEY_ID_BYTES);

/** @param {string} text base64 of DER @param {?string} issuer who holds the key @returns {Promise<VerificationKey>} */
export async function readCertificate(text, issuer = null) {
  if (typeof text !== "string" || text.length > MAX_CERTIFICATE_BYTES * 1.4) throw badInput("A certificate is too large.");
  const der = decodeBase64(text, "a certificate");
  const keyId = hex(await keyIdOf(der));
  try {
    const whole = children(der, element(der, 0).begin, element(der, 0).end)[0];
    const parts = children(der, whole.begin, whole.end);
    if (parts[0].tag === 0xa0) parts.shift(); // version
    const [, , , validity, , key, ...others] = parts;
    const [notBefore, notAfter] = children(der, validity.begin, validity.end).map((one) => time(der, one));
    const usage = usageOf(der, others);
    const spki = der.slice(key.start, key.end);
    return new VerificationKey({ keyId, spki, kind: kindOf(der, key), notBefore, notAfter, usage, issuer });
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw badInput("A certificate cannot be read.");
    throw error;
  }
}

/** A key that came without a certificate: its id, its SubjectPublicKeyInfo, and the types that it may sign, "" for all. */
export function readBareKey([name, text, usage], issuer) {
  const spki = decodeBase64(text, "a key");
  const kind = kindOf(spki, element(spki, 0));
  const keyId = hex(decodeBase64(name, "a key id"));
  return new VerificationKey({ keyId, spki, kind, notBefore: -Infinity, notAfter: Infinity, usage: usage ? [...usage] : null, issuer });
}

/** Tag, first byte, first content byte and end of the element at `start` (X.690, definite lengths). */
function element(bytes, start) {
  const first = bytes[start + 1];
  let begin = start + 2;
  let length = first;
  if (first & 0x80) {
    const count = first & 0x7f;
    if (count < 1 || count > 4) throw new RangeError("length");
    length = 0;
    for (let i = 0; i < count; i += 1) length = length * 256 + bytes[begin + i];
    begin += count;
  }
  if (!(begin + length <= bytes.length)) throw new RangeError("cut off");
  return { tag: bytes[start], start, begin, end: begin + length };
}

function children(bytes, begin, end) {
  const found = [];
  for (let at = begin; at < end; at = found.at(-1).end) {
    const child = element(bytes, at);
    if (child.end > end || found.length > 64) throw new RangeError("cut off");
    found.push(child);
  }
  return found;
}

function kindOf(der, key) {
  const algorithm = children(der, key.begin, key.end)[0];
  const said = hex(der.subarray(algorithm.begin, algorithm.end));
  if (said === EC_KEY + P256) return "ES256";
  if (said.startsWith(RSA_KEY)) return "PS256";
  if (said.startsWith(EC_KEY)) return null;
  throw badInput("A certificate holds a key of a type that signs no pass.");
}

/** What the extended key usage allows; a list that names no purpose restricts nothing, one that cannot be read allows nothing. */
function usageOf(der, others) {
  const inside = ({ begin, end }) => children(der, begin, end);
  const said = ({ begin, end }) => hex(der.subarray(begin, end));
  try {
    const extensions = others.filter(({ tag }) => tag === EXTENSIONS).flatMap(inside).flatMap(inside).map(inside);
    const octets = extensions.find(([name]) => said(name) === USE)?.find(({ tag }) => tag === OCTETS);
    const purposes = octets ? inside(octets).flatMap(inside).filter(({ tag }) => tag === OID).map(said) : [];
    if (!purposes.length) return null;
    return purposes.map((one) => "tvr"[TYPES.exec(one)?.[1] - 1]).filter((one) => one !== undefined);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return [];
    throw error;
  }
}

/** Milliseconds since 1970 of a UTCTime or GeneralizedTime. */
function time(der, { tag, begin, end }) {
  let text = String.fromCharCode(...der.subarray(begin, end));
  if (tag === UTC_TIME) text = (text.slice(0, 2) >= "50" ? "19" : "20") + text;
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z?$/.exec(text);
  if (!match || (tag !== TIME && tag !== UTC_TIME)) throw badInput("A certificate has no readable end.");
  const [, year, month, day, hour, minute, second] = match.map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
