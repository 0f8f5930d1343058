/** Signed documents: compact JWS (RFC 7515) with Ed25519, each of a kind that its header names. */

import { decodeBase64url, decodeUtf8, encodeUtf8 } from "./bytes.js";
import { isObject } from "./certlogic-format.js";
import { badInput, limitExceeded, tampered, unavailable } from "./errors.js";

const MAX_DOCUMENT_CHARACTERS = 6 * 2 ** 20;

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

/** The JSON object that bytes hold. */
export function parseObject(bytes) {
  let value = null;
  try {
    value = JSON.parse(decodeUtf8(bytes));
  } catch {
    throw badInput("A signed document does not hold JSON.");
  }
  if (!isObject(value)) throw badInput("A signed document does not hold a JSON object.");
  return value;
}
