/** The HCERT container, `HC1:` + base45(zlib(COSE_Sign1(CWT))), and what it may hold. */

import * as base45 from "./base45.js";
import * as cbor from "./cbor.js";
import * as cose from "./cose.js";
import { badInput, limitExceeded } from "./errors.js";
import { isListed } from "./eu-revocations.js";
import { inflate } from "./inflate.js";
import * as levelPass from "./level-pass.js";

const PREFIX = "HC1:";
const MAX_TEXT = 262_144;
const EDGES = " \t\r\n\uFEFF";
const MAX_CONTAINER = 65_536;
const ISSUER = 1;
const TIMES = { expiresAt: 4, notBefore: 5, issuedAt: 6 };
const HCERT = -260;
export const EU_DCC = "eu-dcc";
const FOREIGN = [
  [1, EU_DCC],
  [-6, "who-dvc"],
  [3, "who-ddcc"],
  [4, "who-ddcc"],
];
const HEALTH_LINK = 5;
/** Certificates of other systems that are no HCERT, by how they begin: of these the page tells the kind and no more. */
const OTHERS = [
  [/^ey[\w-]+\.[\w-]+\.[\w-]+$/, "smart-health-card"],
  [/^\{\s*"verifiableCredential"\s*:/, "smart-health-card"],
  [/^\{\s*"data"\s*:/, "icao-vds"],
  [/^B64:[\w+/=]{20,}$/, "divoc"],
];

/** Without white space around it; a pattern for its end would look at each run of spaces again and again. */
function trimmed(text) {
  let [start, end] = [0, text.length];
  while (EDGES.includes(text[start])) start += 1;
  while (end > start && EDGES.includes(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

/**
 * Read a code's text and check its signature; nothing is decided.
 * @param {string} text @param {import("./certificates.js").KeyRing} ring @param {?Map} [lists] of readLists
 * @returns {Promise<{kind: string, valid: ?boolean, key: ?object, issuer: ?string, issuedAt: ?number,
 *   expiresAt: ?number, own: ?object, facts: object, content: ?object, revoked: ?boolean}>} times in milliseconds since
 *   1970; `content` is that of an EU certificate, as JSON, and `revoked` null where its lists are not whole
 */
export async function readPass(text, ring, lists = null) {
  if (text.length > MAX_TEXT) throw limitExceeded("The text is longer than any pass.");
  const shown = trimmed(text);
  if (!shown.startsWith(PREFIX)) return readOther(shown);
  const [container, ...disclosures] = shown.split("~");
  if (container.length > MAX_CONTAINER) throw limitExceeded("The code is longer than any certificate.");
  const message = cose.parse(await inflate(base45.decode(container.slice(PREFIX.length))));
  const claims = readClaims(message.payload);
  const { valid, key } = await cose.verify(message, ring);
  const isOwn = claims.contents.has(levelPass.CLAIM);
  if (!isOwn && disclosures.length) throw badInput("Only a pass of Hutong carries disclosed facts.");
  const own = isOwn ? levelPass.parse(claims) : null;
  const kind = isOwn ? "hutong" : foreignKind(claims);
  const content = kind === EU_DCC ? cbor.toJson(unwrapped(claims.contents.get(FOREIGN[0][0]))) : null;
  return {
    kind,
    valid,
    key,
    issuer: claims.issuer,
    issuedAt: claims.issuedAt,
    expiresAt: claims.expiresAt,
    validFrom: claims.validFrom,
    own,
    facts: isOwn ? await levelPass.readFacts(own, disclosures) : {},
    content,
    revoked: content && valid && lists ? await isListed(lists, message, key.keyId, claims.issuer, content) : false,
  };
}

/** The kind of a text that is no HCERT; throws when it is none that is known. */
function readOther(shown) {
  const text = cardOf(shown) ?? shown;
  const [, kind] = OTHERS.find(([form]) => form.test(text)) ?? [];
  if (kind === undefined) throw badInput("The text is no pass that is known here.");
  return { kind, valid: null, key: null, issuer: null, issuedAt: null, expiresAt: null, own: null, facts: {} };
}

/** The signed text of a SMART Health Card's code, in which each sign is two digits; null for any other text. */
function cardOf(shown) {
  const digits = /^shc:\/(\d+)$/i.exec(shown)?.[1] ?? "";
  if (!digits || digits.length % 2) return null;
  return digits.replace(/\d\d/g, (pair) => String.fromCharCode(Number(pair) + 45));
}

/** By the entry of claim -260 (HCERT 1.1, 3.2.7.1); older certificates of the WHO have none. */
function foreignKind({ contents, body }) {
  const entry = FOREIGN.find(([number]) => unwrapped(contents.get(number)) instanceof Map);
  if (entry) return entry[1];
  const links = contents.get(HEALTH_LINK);
  if (Array.isArray(links) || links instanceof Map) return "health-link";
  const isOfWho = (body.has("name") && body.has("birthDate")) || body.has("vaccine") || body.has("test");
  return isOfWho ? "who-ddcc" : "hcert";
}

/** The item that a byte string encodes, where it does: issuers of schema 1.0.0 put an entry into one. */
function unwrapped(content) {
  if (!(content instanceof Uint8Array)) return content;
  try {
    return cbor.decode(content, "the entry", cbor.MAX_BYTES);
  } catch {
    return content;
  }
}

/** Claims of a CWT (RFC 8392); times that are none are null. */
export function readClaims(payload, most = cbor.MAX_BYTES) {
  const body = cbor.decode(payload, "the claims", most);
  if (!(body instanceof Map)) throw badInput("The certificate holds no claims.");
  const contents = body.get(HCERT);
  const issuer = body.get(ISSUER);
  return {
    body,
    issuer: typeof issuer === "string" ? issuer : null,
    issuedAt: toTime(body.get(TIMES.issuedAt)),
    expiresAt: toTime(body.get(TIMES.expiresAt)),
    validFrom: beginOf(body),
    contents: contents instanceof Map ? contents : new Map(),
  };
}

/** The later of issue and not-before; null where the first is not told or one is no time. */
function beginOf(body) {
  const issued = toTime(body.get(TIMES.issuedAt));
  const stated = body.has(TIMES.notBefore) ? body.get(TIMES.notBefore) : null;
  const begin = stated === null ? issued : toTime(stated);
  return issued === null || begin === null ? null : Math.max(issued, begin);
}

/** Milliseconds since 1970 of a NumericDate (RFC 8392, 2), or null; some write a tag, which it should not have. */
function toTime(value) {
  if (!(value instanceof cbor.Tag)) return cbor.momentOfNumber(value);
  if (value.number === 0) return cbor.momentOfText(value.value);
  return value.number === 1 ? cbor.momentOfNumber(value.value) : null;
}
