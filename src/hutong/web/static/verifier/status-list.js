/** Status lists: one bit a pass, signed by the issuer as a CWT with claim 65533; a bit that is set means revoked. */

import { decodeBase64 } from "./bytes.js";
import * as cose from "./cose.js";
import { badInput, limitExceeded, tampered } from "./errors.js";
import { readClaims } from "./hcert.js";
import { inflate } from "./inflate.js";

const STATUS_LIST = 65533;
const MAX_BITS = 2 ** 27;
const MAX_MESSAGE_BYTES = 2 ** 24;
const refused = () => badInput("The message is not a status list.");

/**
 * Verify and inflate a list.
 * @param {string} text base64 of the COSE message @param {import("./certificates.js").KeyRing} ring
 * @param {number} [most] positions that there is room for; a larger list is not inflated
 */
export async function readStatusList(text, ring, most = MAX_BITS) {
  const message = cose.parse(decodeBase64(text, "a status list"), MAX_MESSAGE_BYTES);
  const { valid } = await cose.verify(message, ring);
  if (valid !== true) throw tampered("The status list is not signed by a known key.");
  const claims = readClaims(message.payload, MAX_MESSAGE_BYTES);
  const entry = claims.body.get(STATUS_LIST);
  const number = claims.body.get("number");
  const listNumber = claims.body.get("list");
  if (!(entry instanceof Map) || entry.get("bits") !== 1) throw refused();
  if (!Number.isInteger(number) || !Number.isInteger(listNumber)) throw refused();
  if (claims.issuer === null || claims.issuedAt === null || claims.expiresAt === null) throw refused();
  const size = entry.get("size");
  const packed = entry.get("lst");
  if (!Number.isInteger(size) || size <= 0 || size > MAX_BITS || !(packed instanceof Uint8Array)) throw refused();
  if (size > most) throw limitExceeded("The status lists are too large together.");
  const bits = await inflate(packed, Math.ceil(size / 8));
  if (bits.length !== Math.ceil(size / 8)) throw refused();
  return { issuer: claims.issuer, listNumber, number, issuedAt: claims.issuedAt, expiresAt: claims.expiresAt, size, bits };
}

/** Whether the pass at `position` (below the list's size) is revoked. */
export const isRevoked = (list, position) => Boolean((list.bits[position >> 3] >> (position & 7)) & 1);
