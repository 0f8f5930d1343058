/**
 * The evaluator of CertLogic 1.3.3: an expression is checked once, compiled into closures, then run on data.
 *
 * A value is a JSON value, a BigInt (an integer of a pass beyond 2^53) or a DateTime. Where the specification leaves
 * behaviour open, the operation is an error, exactly where the node's own evaluator has one.
 */

import { COMPARISONS, TIME_COMPARISONS, isObject, requireValid } from "./certlogic-format.js";
import { DateTime, dccDateOfBirth, plusTime } from "./datetimes.js";
import { badInput, limitExceeded } from "./errors.js";

export const DEFAULT_BUDGET = 100_000;
const MAX_RESULT_PARTS = 100_000;
const MAX_RESULT_DEPTH = 200;

const COMPARE = {
  "<": (one, other) => one < other,
  ">": (one, other) => one > other,
  "<=": (one, other) => one <= other,
  ">=": (one, other) => one >= other,
};
Object.assign(COMPARE, {
  before: COMPARE["<"],
  after: COMPARE[">"],
  "not-after": COMPARE["<="],
  "not-before": COMPARE[">="],
});

/** The value of an expression over JSON data; throws bad-input or limit-exceeded. */
export function evaluate(expression, data, budget = DEFAULT_BUDGET) {
  return compileRule(expression, budget)(data);
}

/** Check an expression once; the returned function evaluates it on data. */
export function compileRule(expression, budget = DEFAULT_BUDGET) {
  requireValid(expression);
  const compiler = new Compiler();
  const run = compiler.node(expression);
  return (data) => {
    const allowed = new Budget(budget);
    allowed.spend(compiler.operations);
    const value = run(data, allowed);
    if (compiler.reduces) requireBounded(value);
    return value;
  };
}

class Budget {
  constructor(steps) {
    this.left = steps;
  }

  spend(steps) {
    this.left -= steps;
    if (this.left < 0) throw limitExceeded("The rule needs more steps than an evaluation may take.");
  }
}

/** Turns a valid expression into closures; counts operations, which bounds the cost without reductions. */
class Compiler {
  constructor() {
    this.operations = 0;
    this.reduces = false;
  }

  node(expression) {
    this.operations += 1;
    if (Array.isArray(expression)) return this.array(expression);
    if (!isObject(expression)) return () => expression;
    const [[operator, operands]] = Object.entries(expression);
    if (operator === "var") return variable(operands);
    if (COMPARISONS.includes(operator)) return this.compare(operator, operands, isInteger, "integers");
    if (TIME_COMPARISONS.includes(operator)) return this.compare(operator, operands, isDateTime, "date-times");
    return MAKERS[operator](this, operands);
  }

  array(items) {
    if (items.every((item) => typeof item === "string")) return () => items;
    const nodes = items.map((item) => this.node(item));
    return (data, budget) => nodes.map((node) => node(data, budget));
  }

  compare(operator, operands, fits, wanted) {
    const holds = COMPARE[operator];
    const [left, right, third] = operands.map((operand) => this.node(operand));
    const refuse = () => badInput(`The operands of a "${operator}" operation are not all ${wanted}.`);
    return (data, budget) => {
      const one = left(data, budget);
      const other = right(data, budget);
      if (!fits(one) || !fits(other)) throw refuse();
      if (third === undefined) return holds(one, other);
      const last = third(data, budget);
      if (!fits(last)) throw refuse();
      return holds(one, other) && holds(other, last);
    };
  }
}

const MAKERS = {
  if(compiler, operands) {
    const [guard, then, otherwise] = operands.map((operand) => compiler.node(operand));
    return (data, budget) => (truth(guard(data, budget)) ? then : otherwise)(data, budget);
  },
  and(compiler, operands) {
    const nodes = operands.map((operand) => compiler.node(operand));
    return (data, budget) => {
      let value = null;
      for (const node of nodes) {
        value = node(data, budget);
        if (!truth(value)) break;
      }
      return value;
    };
  },
  "!"(compiler, [operand]) {
    const node = compiler.node(operand);
    return (data, budget) => !truth(node(data, budget));
  },
  "==="(compiler, operands) {
    const [left, right] = operands.map((operand) => compiler.node(operand));
    return (data, budget) => strictlyEqual(left(data, budget), right(data, budget), budget);
  },
  in(compiler, operands) {
    const [member, items] = operands.map((operand) => compiler.node(operand));
    return (data, budget) => {
      const one = member(data, budget);
      return contains(items(data, budget), one, budget);
    };
  },
  "+"(compiler, operands) {
    const [left, right] = operands.map((operand) => compiler.node(operand));
    return (data, budget) => {
      const one = left(data, budget);
      const other = right(data, budget);
      if (!isInteger(one) || !isInteger(other)) throw badInput('The operands of a "+" operation are not both integers.');
      const total = BigInt(one) + BigInt(other);
      if (total > Number.MAX_SAFE_INTEGER || total < Number.MIN_SAFE_INTEGER) {
        throw badInput("A sum of the rule is out of the range of integers.");
      }
      return Number(total);
    };
  },
  plusTime(compiler, [operand, amount, unit]) {
    const node = compiler.node(operand);
    return (data, budget) => {
      const text = node(data, budget);
      if (typeof text !== "string") throw badInput('The date operand of a "plusTime" operation is no text.');
      return plusTime(text, amount, unit);
    };
  },
  dccDateOfBirth(compiler, [operand]) {
    const node = compiler.node(operand);
    return (data, budget) => {
      const text = node(data, budget);
      if (typeof text !== "string") throw badInput('The operand of a "dccDateOfBirth" operation is no text.');
      return dccDateOfBirth(text);
    };
  },
  extractFromUVCI(compiler, [operand, index]) {
    const node = compiler.node(operand);
    return (data, budget) => extractFromUci(node(data, budget), index);
  },
  reduce(compiler, operands) {
    compiler.reduces = true;
    const itemsOf = compiler.node(operands[0]);
    const initial = compiler.node(operands[2]);
    const before = compiler.operations;
    const step = compiler.node(operands[1]);
    const cost = compiler.operations - before;
    return (data, budget) => {
      const items = itemsOf(data, budget);
      let value = initial(data, budget);
      if (items === null) return value;
      if (!Array.isArray(items)) throw badInput('The operand of a "reduce" operation is no array.');
      for (const current of items) {
        budget.spend(cost);
        value = step({ accumulator: value, current }, budget);
      }
      return value;
    };
  },
};

const isDateTime = (value) => value instanceof DateTime;
const isInteger = (value) => typeof value === "bigint" || Number.isInteger(value);
const isNumber = (value) => typeof value === "bigint" || typeof value === "number";
const isPlain = (value) => isObject(value) && !isDateTime(value);

/** Whether a value is truthy; throws for one that is neither (a fraction, a date-time). */
export function truth(value) {
  if (typeof value === "boolean") return value;
  if (value === null) return false;
  if (typeof value === "string" || Array.isArray(value)) return value.length > 0;
  if (isPlain(value)) return Object.keys(value).length > 0;
  if (isInteger(value)) return Boolean(value);
  throw badInput("A condition of the rule got a value that is neither true nor false.");
}

/** Equality without coercion; arrays and objects are equal when all their parts are. */
function strictlyEqual(left, right, budget) {
  const pending = [[left, right]];
  while (pending.length) {
    const [one, other] = pending.pop();
    if (isNumber(one)) {
      // eslint-disable-next-line eqeqeq -- one integer may be a BigInt and the other a Number
      if (!isNumber(other) || one != other) return false;
    } else if (isDateTime(one)) {
      if (!isDateTime(other) || one.ms !== other.ms) return false;
    } else if (Array.isArray(one)) {
      if (!Array.isArray(other) || one.length !== other.length) return false;
      budget.spend(one.length);
      for (let i = 0; i < one.length; i += 1) pending.push([one[i], other[i]]);
    } else if (isPlain(one)) {
      const keys = Object.keys(one);
      if (!isPlain(other) || keys.length !== Object.keys(other).length) return false;
      if (!keys.every((key) => Object.hasOwn(other, key))) return false;
      budget.spend(keys.length);
      for (const key of keys) pending.push([one[key], other[key]]);
    } else if (one !== other) return false;
  }
  return true;
}

function contains(items, member, budget) {
  if (!Array.isArray(items)) throw badInput('The right operand of an "in" operation is not an array.');
  if (items.length > 64) budget.spend(items.length >> 4);
  return items.some((item) => strictlyEqual(member, item, budget));
}

/** What lies at a path (operation var); null where the path leads nowhere. */
function variable(path) {
  const fragments = path === "" ? [] : path.split(".");
  return (data) => {
    let value = data;
    for (const fragment of fragments) {
      if (isPlain(value)) value = Object.hasOwn(value, fragment) ? value[fragment] : null;
      else if (Array.isArray(value) && /^[0-9]{1,9}$/.test(fragment)) value = value[Number(fragment)] ?? null;
      else return null;
    }
    return value ?? null;
  };
}

/** Fragment `index` (from 0) of a unique certificate identifier (operation extractFromUVCI). */
function extractFromUci(text, index) {
  if (text === null) return null;
  if (typeof text !== "string") throw badInput('The operand of "extractFromUVCI" is neither text nor null.');
  const prefix = "URN:UVCI:";
  const fragments = (text.startsWith(prefix) ? text.slice(prefix.length) : text).split(/[/#:]/);
  return fragments[index] ?? null;
}

/** Refuse a result that could not be written down: a reduction can nest shared arrays without end. */
function requireBounded(value) {
  const pending = [[value, 0]];
  let parts = 0;
  while (pending.length) {
    const [item, depth] = pending.pop();
    if (!Array.isArray(item) && !isPlain(item)) continue;
    const inner = Object.values(item);
    parts += inner.length;
    if (parts > MAX_RESULT_PARTS || depth > MAX_RESULT_DEPTH) {
      throw limitExceeded("The rule's result is larger than a result may be.");
    }
    for (const part of inner) pending.push([part, depth + 1]);
  }
}
