/** The format validator of CertLogic 1.3.3: whether a JSON value is an expression, before any evaluation. */

import { TIME_UNITS } from "./datetimes.js";
import { badInput, limitExceeded } from "./errors.js";

const MAX_DEPTH = 64;
const MAX_NODES = 20_000;
export const COMPARISONS = ["<", ">", "<=", ">="];
export const TIME_COMPARISONS = ["after", "before", "not-after", "not-before"];
const INFIX = ["===", "and", ...COMPARISONS, "in", "+", ...TIME_COMPARISONS];
const PATH = /^[^.]+(\.[^.]+)*$/;

export const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Everything that keeps a JSON value from being an expression, as `{expr, message}`; empty means it is one. */
export function validateFormat(expression) {
  const validator = new Validator();
  validator.check(expression, 0);
  return validator.issues;
}

/** Throws bad-input naming the first issue, limit-exceeded for what is too large or too deep. */
export function requireValid(expression) {
  const [issue] = validateFormat(expression);
  if (issue) throw badInput(`The rule is not valid CertLogic: ${issue.message}.`);
}

/** The paths that a valid expression reads from its data; a reduction's function reads its own context. */
export function dataAccesses(expression) {
  if (Array.isArray(expression)) return expression.flatMap(dataAccesses);
  if (!isObject(expression)) return [];
  const [[operator, operands]] = Object.entries(expression);
  if (operator === "var") return [operands];
  if (operator === "reduce") return [operands[0], operands[2]].flatMap(dataAccesses);
  return dataAccesses(operands);
}

class Validator {
  constructor() {
    this.issues = [];
    this.nodes = 0;
  }

  add(expr, message) {
    this.issues.push({ expr, message });
  }

  check(expression, depth) {
    this.nodes += 1;
    if (this.nodes > MAX_NODES || depth > MAX_DEPTH) throw limitExceeded("The rule is too large or nested too deep.");
    if (typeof expression === "string" || typeof expression === "boolean") return;
    if (typeof expression === "number") this.number(expression);
    else if (Array.isArray(expression)) this.all(expression, depth);
    else if (isObject(expression)) this.operation(expression, depth);
    else this.add(expression, "invalid CertLogic expression");
  }

  all(operands, depth) {
    for (const operand of operands) this.check(operand, depth + 1);
  }

  number(expression) {
    const most = Number.MAX_SAFE_INTEGER;
    if (!Number.isInteger(expression)) this.add(expression, `${expression} is a non-integer number`);
    else if (Math.abs(expression) > most) this.add(expression, `an integer must lie between -${most} and ${most}`);
  }

  operation(expression, depth) {
    const entries = Object.entries(expression);
    if (entries.length !== 1) {
      this.add(expression, `expression object must have exactly one key, but it has ${entries.length}`);
      return;
    }
    const [[operator, operands]] = entries;
    if (operator === "var") this.variable(expression, operands);
    else if (!Array.isArray(operands)) this.add(expression, 'operation not of the form { "<operator>": [ <values...> ] }');
    else if (Object.hasOwn(FORMS, operator)) FORMS[operator](this, expression, operands, depth);
    else if (INFIX.includes(operator)) this.infix(expression, operator, operands, depth);
    else this.add(expression, `unrecognised operator: "${short(operator)}"`);
  }

  variable(expression, path) {
    if (typeof path !== "string") this.add(expression, 'not of the form { "var": "<path>" }');
    else if (path !== "" && !PATH.test(path)) {
      this.add(expression, `data access path doesn't have a valid format: ${path.slice(0, 80)}`);
    }
  }

  infix(expression, operator, operands, depth) {
    const count = operands.length;
    let [most, fits, wanted] = [2, count === 2, `an operation with operator "${operator}" must have 2 operands`];
    if (operator === "and") {
      [most, fits, wanted] = [count, count >= 2, 'an "and" operation must have at least 2 operands'];
    } else if (COMPARISONS.includes(operator) || TIME_COMPARISONS.includes(operator)) {
      wanted = `an operation with operator "${operator}" must have 2 or 3 operands`;
      [most, fits] = [3, count === 2 || count === 3];
    }
    if (!fits) this.add(expression, `${wanted}, but it has ${count}`);
    this.all(operands.slice(0, most), depth);
  }

  exactly(expression, operands, count, form) {
    if (operands.length !== count) {
      this.add(expression, `${form} must have exactly ${count} values/operands, but it has ${operands.length}`);
    }
  }

  literalInteger(expression, value, name, operator) {
    if (!Number.isInteger(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) {
      this.add(expression, `"${name}" argument (#2) of "${operator}" must be an integer, but it is: ${short(value)}`);
    }
  }
}

const FORMS = {
  if(validator, expression, operands, depth) {
    validator.exactly(expression, operands, 3, 'an "if"-operation');
    validator.all(operands.slice(0, 3), depth);
  },
  "!"(validator, expression, operands, depth) {
    const form = "a !-operation (logical not/negation) must have exactly 1 operand";
    if (operands.length !== 1) validator.add(expression, `${form}, but it has ${operands.length}`);
    else validator.all(operands, depth);
  },
  dccDateOfBirth(validator, expression, operands, depth) {
    const form = 'a "dccDateOfBirth"-operation must have exactly 1 value/operand';
    if (operands.length !== 1) validator.add(expression, `${form}, but it has ${operands.length}`);
    validator.all(operands.slice(0, 1), depth);
  },
  reduce(validator, expression, operands, depth) {
    validator.exactly(expression, operands, 3, 'a "reduce"-operation');
    validator.all(operands.slice(0, 3), depth);
  },
  plusTime(validator, expression, operands, depth) {
    validator.exactly(expression, operands, 3, 'a "plusTime"-operation');
    validator.all(operands.slice(0, 1), depth);
    if (operands.length > 1) validator.literalInteger(expression, operands[1], "amount", "plusTime");
    if (operands.length > 2 && !TIME_UNITS.includes(operands[2])) {
      const form = '"unit" argument (#3) of "plusTime" must be a string equal to one of';
      validator.add(expression, `${form} ${TIME_UNITS.join(", ")}, but it is: ${short(operands[2])}`);
    }
  },
  extractFromUVCI(validator, expression, operands, depth) {
    validator.exactly(expression, operands, 2, 'an "extractFromUVCI"-operation');
    validator.all(operands.slice(0, 1), depth);
    if (operands.length > 1) validator.literalInteger(expression, operands[1], "index", "extractFromUVCI");
  },
};

/** A value as a message may repeat it. */
function short(value) {
  if (typeof value === "string") return value.slice(0, 40);
  return typeof value === "object" && value !== null ? "a structure" : String(value);
}
