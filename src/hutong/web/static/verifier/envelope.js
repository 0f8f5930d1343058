/** How a bundle travels: a compact JWS and, each behind a "~", the lists that it names by their hash. */

import { decodeBase64url, encodeUtf8, hex, sha256 } from "./bytes.js";
import { isObject } from "./certlogic-format.js";
import { badInput, limitExceeded } from "./errors.js";
import { parseObject } from "./signed-document.js";

const MAX_BUNDLE_CHARACTERS = 32 * 2 ** 20;
const MAX_ATTACHED = 4096;

/** @param {string} text of a bundle @returns {Promise<{signed: string, lists: Map<string, string>}>} lists by name */
export async function splitBundle(text) {
  if (typeof text !== "string" || text.length > MAX_BUNDLE_CHARACTERS) throw limitExceeded("The trust bundle is too large.");
  const [signed, ...attached] = text.trim().split("~");
  if (attached.length > MAX_ATTACHED) throw limitExceeded("The trust bundle holds too many status lists.");
  const names = await Promise.all(attached.map(nameOf));
  return { signed, lists: new Map(names.map((name, index) => [name, attached[index]])) };
}

/** The name of a list: SHA-256 of its JSON, hexadecimal. */
const nameOf = async (list) => hex(await sha256(encodeUtf8(JSON.stringify(list))));

/** What was sent without lists that are held, whole again; null where one is lacking still. */
export async function completeBundle(text, held) {
  const sent = await splitBundle(text);
  const known = new Map([...(await splitBundle(held)).lists, ...sent.lists]);
  const document = parseObject(decodeBase64url(sent.signed.split(".")[1] ?? "", "the pass-bundle"));
  const { status_lists: named, dcc_revocations: ofEu } = document;
  if (!isObject(named)) throw badInput("The trust bundle is not well formed.");
  const lists = [...Object.values(named), ofEu?.lists ?? []].flat().map((name) => known.get(name));
  return lists.includes(undefined) ? null : [sent.signed, ...lists].join("~");
}
