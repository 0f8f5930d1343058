/**
 * COSE_Sign1 (RFC 9052, 4.2): untagged, with tag 18, or inside the CWT tag 61.
 *
 * The protected header decides; the unprotected one is read only for what the protected one leaves open.
 */

import { concat, encodeUtf8 } from "./bytes.js";
import * as cbor from "./cbor.js";
import { KEY_ID_BYTES, keyIdOf } from "./certificates.js";
import { badInput } from "./errors.js";

const ALGORITHM = 1;
const CRITICAL = 2;
const KEY_ID = 4;
const CHAIN = 33;
const THUMBPRINT = 34;
const SHA_256 = -16;
const ALGORITHMS = new Map([
  [-7, "ES256"],
  [-37, "PS256"],
]);
const CONTEXT = concat(Uint8Array.of(0x84, 0x6a), encodeUtf8("Signature1"));
const refused = () => badInput("The signed message is not COSE_Sign1.");

/** @returns {{payload: Uint8Array, signature: Uint8Array, signed: Uint8Array, algorithm: ?string, keyId: ?Uint8Array,
 *   thumbprint: *, chain: *}} */
export function parse(message, most = cbor.MAX_BYTES) {
  let item = cbor.decode(message, "the signed message", most);
  for (let i = 0; i < 2; i += 1) {
    if (item instanceof cbor.Tag && (item.number === 18 || item.number === 61)) item = item.value;
  }
  if (!Array.isArray(item) || item.length !== 4) throw refused();
  const [raw, unprotected, payload, signature] = item;
  if (![raw, payload, signature].every((part) => part instanceof Uint8Array)) throw refused();
  const header = raw.length ? cbor.decode(raw, "the protected header", 1024) : new Map();
  if (!(header instanceof Map) || !(unprotected instanceof Map) || header.has(CRITICAL)) throw refused();
  const signedHeader = header.size ? raw : new Uint8Array(); // an empty map is signed as an empty string (RFC 9052, 3)
  const keyIds = [header, unprotected].filter((one) => one.has(KEY_ID)).map((one) => one.get(KEY_ID));
  const find = (label) => (header.has(label) ? header.get(label) : unprotected.get(label));
  return {
    payload,
    signature,
    signed: concat(
      CONTEXT,
      bytesHead(signedHeader.length),
      signedHeader,
      Uint8Array.of(0x40),
      bytesHead(payload.length),
      payload,
    ),
    algorithm: ALGORITHMS.get(find(ALGORITHM)) ?? null,
    keyId: toKeyId(keyIds.find((id) => !isEmpty(id))),
    thumbprint: find(THUMBPRINT),
    chain: find(CHAIN),
  };
}

function bytesHead(size) {
  if (size < 24) return Uint8Array.of(0x40 | size);
  if (size < 256) return Uint8Array.of(0x58, size);
  if (size < 65_536) return Uint8Array.of(0x59, size >> 8, size & 0xff);
  return Uint8Array.of(0x5a, size >>> 24, (size >> 16) & 0xff, (size >> 8) & 0xff, size & 0xff);
}

/** An empty key id names no key. */
const isEmpty = (id) => (typeof id === "string" || id instanceof Uint8Array) && id.length === 0;

/** Some issuers write the key id as text, although it is a byte string. */
function toKeyId(keyId) {
  if (typeof keyId === "string") return encodeUtf8(keyId);
  return keyId instanceof Uint8Array ? keyId : null;
}

/** Without a key id: that of the certificate which the headers of RFC 9360 hold or name. It only says which key is meant. */
async function certificateId({ thumbprint, chain }) {
  if (Array.isArray(thumbprint) && thumbprint.length === 2 && thumbprint[0] === SHA_256) {
    return thumbprint[1] instanceof Uint8Array ? thumbprint[1].subarray(0, KEY_ID_BYTES) : null;
  }
  const leaf = Array.isArray(chain) && chain.length ? chain[0] : chain;
  return leaf instanceof Uint8Array ? keyIdOf(leaf) : null;
}

/**
 * Check the signature.
 * @returns {Promise<{valid: ?boolean, key: ?object}>} true with its key; false when a key has the message's id and the
 *   signature or algorithm does not fit; null when no key has its id.
 */
export async function verify(message, ring) {
  const keyId = message.keyId ?? (await certificateId(message));
  const candidates = ring.candidates(keyId);
  if (!candidates.length) return { valid: null, key: null };
  if (message.algorithm !== null) {
    for (const key of candidates) {
      if (await key.verifies(message.algorithm, message.signature, message.signed)) return { valid: true, key };
    }
  }
  return { valid: keyId === null ? null : false, key: null };
}
