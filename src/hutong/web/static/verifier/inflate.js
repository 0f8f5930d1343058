/** Inflating with a hard limit: a bomb ends at the limit, whatever it promises. */

import { badInput, limitExceeded } from "./errors.js";

export const MAX_INFLATED_BYTES = 65_536;

/**
 * One whole zlib stream (RFC 1950); cut off, damaged or followed by other bytes, it is refused.
 * @param {Uint8Array} bytes @param {number} [most] bytes of output allowed @returns {Promise<Uint8Array>}
 */
export async function inflate(bytes, most = MAX_INFLATED_BYTES) {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const chunks = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > most) {
        reader.cancel().catch(() => {});
        throw limitExceeded(`The code inflates to more than ${most} bytes.`);
      }
      chunks.push(value);
    }
  } catch (error) {
    if (error instanceof TypeError) throw badInput("The compressed part cannot be read.");
    throw error;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
