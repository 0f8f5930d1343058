/**
 * The trust bundle: one signed document with the parties, their keys, crosswalks and status lists, and the acceptance
 * rules of its signer. It is numbered, says when the next one is due, and past its greatest age nothing follows from it.
 */

import { KeyRing, readBareKey, readCertificate } from "./certificates.js";
import { isObject } from "./certlogic-format.js";
import { instantOf } from "./datetimes.js";
import { splitBundle } from "./envelope.js";
import { badInput, limitExceeded } from "./errors.js";
import { readLists } from "./eu-revocations.js";
import { readEuRules } from "./eu-rules.js";
import { parseAcceptance, parseCrosswalk } from "./recognition.js";
import { verifyDocument } from "./signed-document.js";
import { readStatusList } from "./status-list.js";

const MAX_PARTIES = 2000;
const MAX_ITEMS = 50;
const MAX_LISTS = 1024;
const MAX_POSITIONS = 2 ** 31;
const MAX_AGE_HOURS = 168;
const MAX_NUMBER = 2 ** 31 - 1;
const EARLIEST_MS = Date.UTC(2000, 0, 1);
const LATEST_MS = Date.UTC(2200, 0, 1);
const MS_AN_HOUR = 3_600_000;
const malformed = () => badInput("The trust bundle is not well formed.");

/**
 * Verify and parse a bundle.
 * @param {string} text of the bundle @param {{kty: string, crv: string, x: string}} issuerKey of the node that is trusted
 */
export async function readBundle(text, issuerKey) {
  const { signed, lists } = await splitBundle(text);
  const document = await verifyDocument(signed, issuerKey, "pass-bundle");
  if (!Array.isArray(document.parties)) throw malformed();
  if (document.parties.length > MAX_PARTIES) throw limitExceeded("The trust bundle names too many parties.");
  try {
    return await parse(document, lists);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) throw malformed();
    throw error;
  }
}

async function parse(document, lists) {
  const issuers = new Map();
  let room = MAX_POSITIONS;
  for (const entry of document.parties) {
    if (issuers.has(entry.id)) throw badInput("The trust bundle names a party twice.");
    const ofParty = (table) => (Object.hasOwn(table, entry.id) ? table[entry.id] : []);
    const named = ofParty(document.status_lists).map((name) => lists.get(name));
    if (named.includes(undefined)) throw badInput("A status list of the trust bundle is lacking.");
    const issuer = await readIssuer(entry, ofParty(document.crosswalks), named, ofParty(document.ended ?? {}), room);
    for (const { size } of issuer.statusLists.values()) room -= size;
    issuers.set(entry.id, issuer);
  }
  if (typeof document.issuer !== "string") throw malformed();
  return {
    issuer: document.issuer,
    number: whole(document.number, 0, MAX_NUMBER),
    issuedAt: editionTime(document.issued_at),
    nextUpdate: editionTime(document.next_update),
    maxAgeMs: whole(document.max_age_hours, 1, MAX_AGE_HOURS) * MS_AN_HOUR,
    issuers,
    acceptance: document.acceptance === null ? null : parseAcceptance(document.acceptance),
    euRules: readEuRules(document.acceptance?.eu_dcc),
    revocations: readRevocations(document.dcc_revocations, lists),
    ring: new KeyRing([...issuers.values()].flatMap((issuer) => [...issuer.ring.keys, ...issuer.lost.keys])),
  };
}

/** Revocation lists of EU certificates, and until when an answer may rest on them; null where there are none. */
function readRevocations(section, attached) {
  if (section === undefined || section === null) return null;
  const { as_of: asOf, max_age_hours: hours, lists } = section;
  const goodUntil = instantOf(asOf) + whole(hours, 1, MAX_AGE_HOURS) * MS_AN_HOUR;
  return { lists: readLists(lists.map((name) => attached.get(name))), goodUntil };
}

function whole(value, least, most) {
  if (!Number.isInteger(value) || value < least || value > most) throw badInput("The trust bundle misstates a number.");
  return value;
}

function editionTime(text) {
  const ms = instantOf(text);
  if (ms < EARLIEST_MS || ms >= LATEST_MS) throw badInput("The trust bundle misstates its time.");
  return ms;
}

async function readIssuer(entry, crosswalks, lists, ended, room) {
  if (Math.max(crosswalks.length, ended.length) > MAX_ITEMS || lists.length > MAX_LISTS) throw limitExceeded("A party has too many documents.");
  const keysOf = (texts) => Promise.all(texts.map((text) => readCertificate(text, entry.id)));
  const bare = (entry.bare_keys ?? []).map((key) => readBareKey(key, entry.id));
  const ring = new KeyRing([...(await keysOf(entry.passes)), ...bare]);
  // Keys that somebody else may have: they refuse passes, and sign no status list.
  const lost = new KeyRing(await keysOf(entry.compromised ?? []));
  const statusLists = await readStatusLists(lists, ring, entry.id, room);
  const documents = await Promise.all(crosswalks.map((walk) => verifyDocument(walk, entry.signing, "crosswalk")));
  const ends = await Promise.all(ended.map((end) => verifyDocument(end, entry.signing, "emergency-ended")));
  return {
    name: isObject(entry.name) ? entry.name : {},
    country: String(entry.territory).split("-")[0],
    validUntil: instantOf(entry.valid_until),
    ring,
    lost,
    crosswalks: documents.map(understood).filter((crosswalk) => crosswalk !== null),
    ends: ends.map(({ ended_at: at, versions }) => ({ endedAt: instantOf(at), versions: new Set(versions) })),
    statusLists,
  };
}

/** A party's lists by number, one after another: what would need more than `room` positions is not inflated. */
async function readStatusLists(texts, ring, party, room) {
  const twice = () => badInput("The trust bundle names a status list twice.");
  if (new Set(texts).size < texts.length) throw twice();
  const found = new Map();
  for (const text of texts) {
    const list = await readStatusList(text, ring, room);
    if (list.issuer !== party) throw badInput("A status list is another party's.");
    if (found.has(list.listNumber)) throw twice();
    room -= list.size;
    found.set(list.listNumber, list);
  }
  return found;
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
