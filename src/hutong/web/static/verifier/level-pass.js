/**
 * Hutong's own pass: claim -72, an array of level, rulebook, version, pass id, status index, holder commitment and,
 * if any, digests of facts that the holder may disclose. An index of 2³² or more stands in the 5 bytes after the pass id.
 */

import { decodeBase64url, hex, sha256 } from "./bytes.js";
import * as cbor from "./cbor.js";
import { badInput, limitExceeded } from "./errors.js";

export const CLAIM = -72;
/** Reserved by every node: an appeal was not decided in time. Its name would not fit, so it is written as null. */
export const UNDER_REVIEW = "under-review";
const LIST_BITS = 24;
const SHORT_INDEXES = 2 ** 32;
const INDEX_BYTES = 5;
const MAX_FACTS = 32;
const COMMITMENT_BYTES = 12;
const DIGEST_BYTES = 16;
const SALT_BYTES = 16;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,31}$/;
const VERSION = /^(0|[1-9]\d{0,4})\.(0|[1-9]\d{0,3})\.(0|[1-9]\d{0,3})$/;
const refused = (why) => badInput(`The pass is not well formed: ${why}.`);
const isBytes = (value, least, most = least) => value instanceof Uint8Array && value.length >= least && value.length <= most;

const isSimple = (value) =>
  value instanceof cbor.Float || ["string", "number", "bigint", "boolean"].includes(typeof value);

/** The entries with pass id and status index apart, where they are one byte string. */
function withIndex(entries) {
  const [level, rulebook, version, joined, ...rest] = entries;
  if (entries.length < 5 || entries.length > 6 || !(joined instanceof Uint8Array && rest[0] instanceof Uint8Array)) {
    return entries;
  }
  const index = joined.slice(-INDEX_BYTES).reduce((sum, byte) => sum * 256 + byte, 0);
  if (index < SHORT_INDEXES) throw refused("its status index");
  return [level, rulebook, version, joined.slice(0, -INDEX_BYTES), index, ...rest];
}

/** The pass that the claims hold; throws bad-input for a field of another form. */
export function parse(claims) {
  const found = claims.contents.get(CLAIM);
  if (!Array.isArray(found)) throw refused("claim -72");
  const entries = withIndex(found);
  if (entries.length !== 6 && entries.length !== 7) throw refused("claim -72");
  const [written, rulebook, parts, passId, statusIndex, commitment] = entries;
  const level = written === null ? UNDER_REVIEW : written;
  const digests = entries.length === 7 ? entries[6] : [];
  const { issuer, issuedAt, expiresAt, validFrom } = claims;
  if (issuedAt === null || expiresAt === null || expiresAt <= issuedAt || validFrom !== issuedAt) throw refused("its times");
  if (![issuer, level, rulebook].every((name) => typeof name === "string" && NAME.test(name))) throw refused("its names");
  if (!Array.isArray(parts) || !parts.every(Number.isInteger)) throw refused("its version");
  const version = parts.slice(0, 4).join(".");
  if (!VERSION.test(version)) throw refused("its version");
  if (!isBytes(passId, 8, 16) || !isBytes(commitment, COMMITMENT_BYTES)) throw refused("its id or commitment");
  if (!Number.isInteger(statusIndex) || statusIndex < 0 || statusIndex >= 2 ** 40) throw refused("its status index");
  if (!Array.isArray(digests) || digests.length > MAX_FACTS || !digests.every((digest) => isBytes(digest, DIGEST_BYTES))) {
    throw refused("its digests");
  }
  return {
    issuer,
    issuedAt,
    expiresAt,
    level,
    rulebook,
    version,
    digests,
    statusList: Math.floor(statusIndex / 2 ** LIST_BITS),
    statusPosition: statusIndex % 2 ** LIST_BITS,
  };
}

/** The facts that the disclosures open, by name; throws for one that the pass holds no digest of. */
export async function readFacts(own, disclosures) {
  if (disclosures.length > MAX_FACTS) throw limitExceeded("More than 32 facts are disclosed.");
  const digests = new Set(own.digests.map(hex));
  const facts = new Map();
  for (const disclosure of disclosures) {
    const encoded = decodeBase64url(disclosure, "a disclosed fact");
    const item = cbor.decode(encoded, "a disclosed fact", 1024);
    if (!Array.isArray(item) || item.length !== 3 || !isBytes(item[0], SALT_BYTES, 1024)) throw refused("a fact");
    const [, name, value] = item;
    if (typeof name !== "string" || facts.has(name)) throw refused("the name of a fact");
    if (value !== null && !isSimple(value)) throw refused("the value of a fact");
    if (!digests.has(hex((await sha256(encoded)).subarray(0, DIGEST_BYTES)))) throw refused("a fact of another pass");
    facts.set(name, value);
  }
  return cbor.toJson(facts);
}
