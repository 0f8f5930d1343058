/**
 * Verification: what a pass is worth here and now: accepted, refused or unknown, and why.
 *
 * What is certain comes first (forged, over, revoked); what cannot be known is unknown, never accepted. The order and
 * the reasons are those of the node's own verifier, so that gate and node never disagree.
 */

import { crosswalkOf } from "./bundle.js";
import { VerifierError } from "./errors.js";
import { judgeCertificate, kindsOf } from "./eu-rules.js";
import { EU_DCC, readPass } from "./hcert.js";
import { judge, unknown } from "./recognition.js";
import { isRevoked } from "./status-list.js";
import { REASONS } from "./words.js";

const CLOCK_SKEW_MS = 300_000;

/**
 * Decide about a pass. Never throws for what a pass holds.
 * @param {string} text what the code holds @param {?object} trust of readBundle; null when there is none
 * @param {string} scene @param {number} at milliseconds since 1970
 * @returns {Promise<object>} answer and reasons; what the pass says, which counts only when `isSigned`
 */
export async function verifyPass(text, trust, scene, at) {
  const base = { scene, at, scale: "unknown", kind: "unknown", isSigned: false };
  Object.assign(base, { level: null, issuer: null, issuedAt: null, expiresAt: null, facts: {} });
  if (trust === null) return answer(base, "unknown", "no-list");
  let read = null;
  try {
    read = await readPass(text, trust.ring, trust.revocations?.lists);
  } catch (error) {
    if (!(error instanceof VerifierError)) throw error;
    return answer(base, "unknown", "not-understood");
  }
  const { kind, issuer, issuedAt, expiresAt, own, valid } = read;
  const known = { ...base, kind, issuer, issuedAt, expiresAt, level: own?.level ?? null, isSigned: valid === true };
  if (known.isSigned) known.facts = read.facts;
  if (read.revoked) return answer(known, "refused", "revoked");
  const certain = kind === EU_DCC ? certificateAnswer(read, trust, scene, at) : null;
  if (certain) return { ...known, ...certain };
  const refused = whyRefused(read, trust, at);
  if (refused === "emergency-ended") {
    return { ...known, answer: "refused", reasons: [{ id: refused, texts: ended(endOf(own, trust)) }] };
  }
  if (refused) return answer(known, "refused", refused);
  const missing = whatIsMissing(read, trust, at);
  if (missing) return answer(known, "unknown", missing);
  const party = trust.issuers.get(own.issuer);
  const major = Number(own.version.split(".")[0]);
  const crosswalk = crosswalkOf(party, own.rulebook, major, at);
  const verdict = judge({ ...own, facts: read.facts }, crosswalk, trust.acceptance, scene, at);
  const meaning = crosswalk?.levels.find(({ code }) => code === own.level)?.meaning ?? null;
  return { ...known, ...verdict, meaning, issuerName: party.name };
}

/** The answer to an EU certificate that is on no list; null where nothing but rules that are not here could say. */
function certificateAnswer(read, trust, scene, at) {
  const party = trust.issuers.get(read.key?.issuer);
  const refused = party && whyCertificateRefused(read, party, at);
  if (refused) return answer({}, "refused", refused);
  if (read.valid === false || trust.euRules === null) return null;
  if (read.key === null) return unknown("no-key");
  const missing = outdated(trust, party, at) ?? unlisted(read, trust, at);
  if (missing) return unknown(missing);
  if (read.validFrom === null || read.expiresAt === null) return unknown("no-times");
  return { ...judgeCertificate(read, trust.euRules, party.country, scene, at), issuerName: party.name };
}

/** Why it is not known whether an EU certificate is revoked, or what that would be worth. */
function unlisted({ revoked }, { revocations, acceptance }, at) {
  if (revoked === null) return "no-status-list";
  if (at > revocations?.goodUntil) return "status-list-too-old";
  return acceptance.holds(at) ? null : "rules-not-in-force";
}

/** Why an EU certificate that a key of this party signed is certainly not valid; it cannot outlive its key. */
function whyCertificateRefused({ key, issuedAt, expiresAt, validFrom, content }, party, at) {
  if (party.lost.byId.has(key.keyId)) return "key-compromised";
  if (at >= Math.min(expiresAt ?? Infinity, key.notAfter)) return "certificate-expired";
  const begin = validFrom ?? issuedAt;
  if (begin !== null && at + CLOCK_SKEW_MS < begin) return "not-yet-valid";
  if (issuedAt !== null && issuedAt < key.notBefore) return "key-not-begun";
  if (issuedAt !== null && issuedAt > key.notAfter) return "key-ended";
  return key.usage !== null && !kindsOf(content).every((one) => key.usage.includes(one)) ? "key-not-for-kind" : null;
}

const answer = (base, what, id) => ({ ...base, answer: what, reasons: [{ id, texts: null }] });

/** When the emergency that the pass rests on ended, as its issuer says; undefined while it is in force. */
const endOf = ({ issuer, rulebook, version }, trust) =>
  trust.issuers.get(issuer)?.ends.find(({ versions }) => versions.has(`${rulebook}@${version}`))?.endedAt;

/** The sentence about the end of an emergency, with its day. */
function ended(at) {
  const day = new Date(at).toISOString().slice(0, 10);
  const sentences = Object.entries(REASONS["emergency-ended"]);
  return Object.fromEntries(sentences.map(([language, text]) => [language, text.replace("{day}", day)]));
}

/** Why the pass is certainly not valid, whatever else may be unknown. */
function whyRefused({ valid, key, own }, trust, at) {
  if (valid === false) return "signature-invalid";
  if (own === null || key === null) return null;
  if (trust.issuers.get(key.issuer)?.lost.byId.has(key.keyId)) return "key-compromised";
  if (key.issuer !== own.issuer) return "issuer-mismatch";
  if (at >= own.expiresAt) return "expired"; // RFC 8392, 3.1.4
  if (at + CLOCK_SKEW_MS < own.issuedAt) return "not-yet-valid";
  if (own.issuedAt > key.notAfter) return "key-ended";
  if (at >= endOf(own, trust)) return "emergency-ended";
  // A bit that was set is never cleared, so even a list that is too old refuses for certain.
  const list = trust.issuers.get(own.issuer)?.statusLists.get(own.statusList);
  return list && own.statusPosition < list.size && isRevoked(list, own.statusPosition) ? "revoked" : null;
}

/** What a verifier would have to know and does not. */
function whatIsMissing({ valid, own }, trust, at) {
  if (own === null) return "kind-not-recognised"; // whoever's key signed it
  if (valid === null) return "no-key";
  const party = trust.issuers.get(own.issuer);
  const list = party.statusLists.get(own.statusList);
  const old = outdated(trust, party, at);
  if (old) return old;
  if (list === undefined || own.statusPosition >= list.size) return "no-status-list";
  return at >= list.expiresAt ? "status-list-too-old" : null;
}

/** Why nothing follows from what the bundle says of a party. */
function outdated(trust, party, at) {
  if (at > trust.issuedAt + trust.maxAgeMs) return "list-too-old";
  if (at + CLOCK_SKEW_MS < trust.issuedAt) return "clock-wrong";
  return at >= party.validUntil ? "issuer-ended" : null;
}
