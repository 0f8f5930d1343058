/**
 * The trust bundle: one signed document with the parties, their keys, crosswalks and status lists, and the acceptance
 * rules of its signer. It is numbered, says when the next one is due, and past its greatest age nothing follows from it.
 */

import { decodeBase64url, decodeUtf8, encodeUtf8 } from "./bytes.js";
import { KeyRing, readCertificate } from "./certificates.js";
import { isObject } from "./certlogic-format.js";
import { instantOf } from "./datetimes.js";
import { badInput, limitExceeded, tampered, unavailable } from "./errors.js";
import { parseAcceptance, parseCrosswalk } from "./recognition.js";
import { readStatusList } from "./status-list.js";

const MAX_DOCUMENT_CHARACTERS = 6 * 2 ** 20;
const MAX_PARTIES = 2000;
const MAX_ITEMS = 50;
const MAX_AGE_HOURS = 168;
const MS_AN_HOUR = 3_600_000;

/**
 * Verify and parse a bundle.
 * @param {string} signed compact JWS @param {{kty: string, crv: string, x: string}} issuerKey of the node that is trusted
 */
export async function readBundle(signed, issuerKey) {
  const document = await verifyDocument(signed, issuerKey, "pass-bundle");
  if (!Array.isArray(document.parties)) throw badInput("The trust bundle is not well formed.");
  if (document.parties.length > MAX_PARTIES) throw limitExceeded("The trust bundle names too many parties.");
  try {
    return await parse(document);
  } catch (error) {
    if (error instanceof TypeError) throw badInput("The trust bundle is not well formed.");
    throw error;
  }
}

async function parse(document) {
  const issuers = new Map();
  for (const entry of document.parties) {
    const ofParty = (table) => (Object.hasOwn(table, entry.id) ? table[entry.id] : []);
    issuers.set(entry.id, await readIssuer(entry, ofParty(document.crosswalks), ofParty(document.status_lists)));
  }
  if (typeof document.issuer !== "string" || !Number.isInteger(document.number)) {
    throw badInput("The trust bundle is not well formed.");
  }
  const hours = Number(document.max_age_hours);
  if (!(hours > 0)) throw badInput("The trust bundle does not say how old it may get.");
  return {
    issuer: document.issuer,
    number: document.number,
    issuedAt: instantOf(document.issued_at),
    nextUpdate: instantOf(document.next_update),
    maxAgeMs: Math.min(hours, MAX_AGE_HOURS) * MS_AN_HOUR,
    issuers,
    acceptance: document.acceptance === null ? null : parseAcceptance(document.acceptance),
    ring: new KeyRing([...issuers.values()].flatMap((issuer) => [...issuer.ring.keys, ...issuer.lost.keys])),
  };
}

async function readIssuer(entry, crosswalks, lists) {
  if (crosswalks.length > MAX_ITEMS || lists.length > MAX_ITEMS) throw limitExceeded("A party has too many documents.");
  const ringOf = async (texts) => new KeyRing(await Promise.all(texts.map((text) => readCertificate(text, entry.id))));
  const ring = await ringOf(entry.passes);
  // Keys that somebody else may have: they refuse passes, and sign no status list.
  const lost = await ringOf(entry.compromised ?? []);
  const statusLists = await Promise.all(lists.map((list) => readStatusList(list, ring)));
  if (statusLists.some((list) => list.issuer !== entry.id)) throw badInput("A status list is another party's.");
  const documents = await Promise.all(crosswalks.map((walk) => verifyDocument(walk, entry.signing, "crosswalk")));
  return {
    name: isObject(entry.name) ? entry.name : {},
    validUntil: instantOf(entry.valid_until),
    ring,
    lost,
    crosswalks: documents.map(understood).filter((crosswalk) => crosswalk !== null),
    statusLists: new Map(statusLists.map((list) => [list.listNumber, list])),
  };
}

/** A crosswalk in a form that this edition of the page does not know is none, and its passes are unknown here. */
function understood(document) {
  try {
    return parseCrosswalk(document);
  } catch (error) {
    if (error.code === "bad-input") return null;
    throw error;
  }
}

/** The crosswalk for a rulebook: one in force if there is one, else another one for it, else null. */
export function crosswalkOf(issuer, rulebook, major, at) {
  const fitting = issuer.crosswalks.filter((one) => one.rulebook === rulebook && one.major === major);
  return fitting.findLast((one) => one.holds(at)) ?? fitting.at(-1) ?? null;
}

/** The payload of a compact JWS of this kind, if the key (a public Ed25519 JWK) signed it. */
export async function verifyDocument(signed, key, kind) {
  if (typeof signed !== "string" || signed.length > MAX_DOCUMENT_CHARACTERS) throw limitExceeded(`The ${kind} is too large.`);
  const parts = signed.trim().split(".");
  if (parts.length !== 3) throw badInput(`This is not a signed ${kind}.`);
  const header = parseObject(decodeBase64url(parts[0], `the header of the ${kind}`));
  // The algorithm is ours to name, never the document's; a critical extension would have to be understood.
  if (header.typ !== `hutong-${kind}+jws` || header.alg !== "Ed25519" || "crit" in header || "b64" in header) {
    throw badInput(`This is not a signed ${kind}.`);
  }
  const signature = decodeBase64url(parts[2], `the signature of the ${kind}`);
  const isSigned = await crypto.subtle.verify(
    "Ed25519",
    await importKey(key),
    signature,
    encodeUtf8(`${parts[0]}.${parts[1]}`),
  );
  if (!isSigned) throw tampered(`The signature of the ${kind} does not fit.`);
  return parseObject(decodeBase64url(parts[1], `the ${kind}`));
}

async function importKey({ kty, crv, x }) {
  if (kty !== "OKP" || crv !== "Ed25519") throw badInput("A signing key is not an Ed25519 key.");
  try {
    return await crypto.subtle.importKey("jwk", { kty, crv, x }, "Ed25519", false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") throw unavailable("This browser cannot check Ed25519 signatures.");
    throw badInput("A signing key cannot be read.");
  }
}

function parseObject(bytes) {
  let value = null;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch {
    throw badInput("A signed document does not hold JSON.");
  }
  if (!isObject(value)) throw badInput("A signed document does not hold a JSON object.");
  return value;
}
