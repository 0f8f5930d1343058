/** The HCERT container, `HC1:` + base45(zlib(COSE_Sign1(CWT))), and what it may hold. */

import * as base45 from "./base45.js";
import * as cbor from "./cbor.js";
import * as cose from "./cose.js";
import { badInput, limitExceeded } from "./errors.js";
import { inflate } from "./inflate.js";
import * as levelPass from "./level-pass.js";

const PREFIX = "HC1:";
const MAX_TEXT = 262_144;
const MAX_CONTAINER = 65_536;
const ISSUER = 1;
const TIMES = { expiresAt: 4, notBefore: 5, issuedAt: 6 };
const HCERT = -260;
const FOREIGN = [
  [1, "eu-dcc"],
  [-6, "who-dvc"],
];
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const FIRST_MS = -62_135_596_800_000;

/**
 * Read a code's text and check its signature; nothing is decided.
 * @param {string} text @param {import("./certificates.js").KeyRing} ring
 * @returns {Promise<{kind: string, valid: ?boolean, key: ?object, issuer: ?string, issuedAt: ?number,
 *   expiresAt: ?number, own: ?object, facts: object}>} times in milliseconds since 1970
 */
export async function readPass(text, ring) {
  if (text.length > MAX_TEXT) throw limitExceeded("The text is longer than any pass.");
  const shown = text.replace(/^[ \t\r\n\uFEFF]+|[ \t\r\n\uFEFF]+$/g, "");
  if (!shown.startsWith(PREFIX)) throw badInput("The text is no pass that is known here.");
  const [container, ...disclosures] = shown.split("~");
  if (container.length > MAX_CONTAINER) throw limitExceeded("The code is longer than any certificate.");
  const message = cose.parse(await inflate(base45.decode(container.slice(PREFIX.length))));
  const claims = readClaims(message.payload);
  const { valid, key } = await cose.verify(message, ring);
  const isOwn = claims.contents.has(levelPass.CLAIM);
  if (!isOwn && disclosures.length) throw badInput("Only a pass of Hutong carries disclosed facts.");
  const own = isOwn ? levelPass.parse(claims) : null;
  return {
    kind: isOwn ? "hutong" : (FOREIGN.find(([entry]) => claims.contents.get(entry) instanceof Map)?.[1] ?? "hcert"),
    valid,
    key,
    issuer: claims.issuer,
    issuedAt: claims.issuedAt,
    expiresAt: claims.expiresAt,
    own,
    facts: isOwn ? await levelPass.readFacts(own, disclosures) : {},
  };
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
    contents: contents instanceof Map ? contents : new Map(),
  };
}

/** Milliseconds since 1970 of a NumericDate (RFC 8392, 2), or null. */
function toTime(value) {
  if (value instanceof cbor.Tag && value.number === 1) return toTime(value.value);
  const seconds = value instanceof cbor.Float ? value.number : value;
  const ms = typeof seconds === "number" ? seconds * 1000 : NaN;
  return ms >= FIRST_MS && ms <= LAST_MS ? ms : null;
}
