/**
 * The trust bundle on this device: the last good one is kept, a newer one is fetched when there is a network. Fetching
 * it is the only thing that this page ever asks of anybody, and the request says nothing of any pass.
 */

import { readBundle } from "./bundle.js";
import { completeBundle } from "./envelope.js";
import { VerifierError } from "./errors.js";

const STORE = "hutong-verifier-trust";
const SLOT = "/verifier-trust";

export class TrustKeeper {
  /** @param {string} address of the bundle @param {object} key public JWK of the node */
  constructor(address, key) {
    this.address = address;
    this.key = key;
    this.bundle = null;
    this.signed = null;
    this.problem = globalThis.crypto?.subtle ? null : "no-signatures";
  }

  /** Use what was kept by an earlier visit. */
  async restore() {
    if (this.problem === "no-signatures") return;
    const kept = await globalThis.caches?.open(STORE).then((store) => store.match(SLOT));
    if (kept) await this.use(await kept.text(), { keep: false });
  }

  /** Ask the node for a newer one; without a network all stays as it is. */
  async refresh() {
    if (this.problem === "no-signatures") return;
    const text = (await this.fetchRest()) ?? (await fetchText(this.address));
    if (text !== null) await this.use(text, { keep: true });
  }

  /** A newer one of which only the status lists were fetched that have changed; null when that can't be had. */
  async fetchRest() {
    if (this.bundle === null) return null;
    const since = new Date(this.bundle.issuedAt).toISOString();
    const rest = await fetchText(`${this.address}?lists_since=${since}`);
    try {
      return rest === null ? null : await completeBundle(signedPart(rest), this.signed);
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      return null;
    }
  }

  /** Take a bundle over if it is signed by the node and no older than the one in use. */
  async use(text, { keep }) {
    const signed = signedPart(text);
    if (signed === this.signed) return;
    try {
      const bundle = await readBundle(signed, this.key);
      const current = this.bundle;
      if (current && (bundle.number < current.number || bundle.issuedAt < current.issuedAt)) return;
      [this.bundle, this.signed, this.problem] = [bundle, signed, null];
      if (keep) await globalThis.caches?.open(STORE).then((store) => store.put(SLOT, new Response(signed)));
    } catch (error) {
      if (!(error instanceof VerifierError)) throw error;
      // One bad answer of the network does not take away what is good on the device.
      if (this.bundle === null) this.problem = error.code === "unavailable" ? "no-signatures" : "list-not-trusted";
    }
  }

  /** "fresh", "due", "old" or "none" at a time in milliseconds. */
  state(at) {
    if (this.bundle === null) return "none";
    if (at > this.bundle.issuedAt + this.bundle.maxAgeMs) return "old";
    return at > this.bundle.nextUpdate ? "due" : "fresh";
  }
}

/** What an address answers; null without a network, and for an error. */
async function fetchText(address) {
  try {
    const response = await fetch(address, { cache: "no-cache", credentials: "omit" });
    return response.ok ? await response.text() : null;
  } catch {
    return null;
  }
}

/** A node serves the signed text itself, or an object with the text under `signed`. */
function signedPart(text) {
  const trimmed = text.trim();
  if (!trimmed.startsWith("{") && !trimmed.startsWith('"')) return trimmed;
  try {
    const value = JSON.parse(trimmed);
    return typeof value === "string" ? value : String(value.signed);
  } catch {
    return trimmed;
  }
}
