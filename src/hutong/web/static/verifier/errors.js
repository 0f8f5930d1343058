/** The errors that reading and deciding may end in; anything else is a defect. Codes are those of the node. */

export class VerifierError extends Error {
  /** @param {"bad-input"|"limit-exceeded"|"tampered"|"unavailable"} code @param {string} what */
  constructor(code, what) {
    super(what);
    this.name = "VerifierError";
    this.code = code;
  }
}

/** What was given cannot be used as it is. */
export const badInput = (what) => new VerifierError("bad-input", what);

/** A limit of size, depth, steps or count was met. */
export const limitExceeded = (what) => new VerifierError("limit-exceeded", what);

/** A signature does not fit. */
export const tampered = (what) => new VerifierError("tampered", what);

/** The platform or the network does not serve. */
export const unavailable = (what) => new VerifierError("unavailable", what);
