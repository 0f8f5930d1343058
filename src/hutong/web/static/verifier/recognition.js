/** Recognition: what a pass is worth at a scene here. No rule, no crosswalk, no meaning: none of these is a yes. */

import { compileRule, truth } from "./certlogic.js";
import { dataAccesses, isObject } from "./certlogic-format.js";
import { instantOf } from "./datetimes.js";
import { badInput } from "./errors.js";
import { UNDER_REVIEW } from "./level-pass.js";

export const SCENES = [
  "community",
  "workplace",
  "school",
  "transport",
  "checkpoint",
  "border",
  "medical",
  "closed-setting",
  "public-place",
];
const SCALE = ["low", "medium", "high"];
const REASONS = ["clinical", "contact", "area", "symptom", "entry", "nothing-found", "administrative"];
const UNKNOWN = "unknown";
const PASS_FIELDS = ["level", "scale", "reasons", "issuer", "rulebook", "version", "issued_at", "expires_at", "facts"];
const READABLE = { pass: PASS_FIELDS, external: ["validationClock", "scene"] };

/** From `start` (included) to `end` (excluded), in milliseconds. */
function period(document) {
  const [start, end] = [instantOf(document.valid_from), instantOf(document.valid_to)];
  if (start >= end) throw badInput("A document ends before it begins.");
  return (at) => start <= at && at < end;
}

/** A crosswalk of the bundle: how the levels of one list read on the common scale. */
export function parseCrosswalk(document) {
  if (!isObject(document) || !Array.isArray(document.levels) || !Number.isInteger(document.major)) {
    throw badInput("A crosswalk is not well formed.");
  }
  const levels = document.levels.map(({ code, scale, reasons, meaning }) => {
    if (typeof code !== "string") throw badInput("A level of a crosswalk is not well formed.");
    const isKnown = SCALE.includes(scale) && Array.isArray(reasons) && reasons.every((one) => REASONS.includes(one));
    return { code, scale: isKnown ? scale : UNKNOWN, reasons, meaning: isObject(meaning) ? meaning : {} };
  });
  return { rulebook: document.rulebook, major: document.major, holds: period(document), levels };
}

/** The acceptance rules of the bundle's signer, each compiled once. */
export function parseAcceptance(document) {
  if (!isObject(document) || !isObject(document.scenes)) throw badInput("The acceptance rules are not well formed.");
  const scenes = new Map();
  for (const scene of SCENES.filter((one) => Object.hasOwn(document.scenes, one))) {
    const rules = document.scenes[scene];
    if (!Array.isArray(rules)) throw badInput("A scene is not well formed.");
    scenes.set(scene, rules.map(parseRule));
  }
  return { holds: period(document), scenes };
}

function parseRule(item) {
  if (!isObject(item) || typeof item.id !== "string" || !isObject(item.text)) throw badInput("A rule is not well formed.");
  return { id: item.id, texts: item.text, holds: compileCondition(item), condition: item.condition };
}

/** Whether a condition has this text. */
function names(condition, wanted) {
  if (typeof condition !== "object" || condition === null) return condition === wanted;
  return Object.values(condition).some((operand) => names(operand, wanted));
}

/** A rule that this edition of the page does not understand fails when it is asked: one answer, not the whole bundle. */
function compileCondition({ condition, ...others }) {
  try {
    const strange = Object.keys(others).find((field) => field !== "id" && field !== "text");
    if (strange) throw badInput("A rule has a field that is not known here.");
    const run = compileRule(condition);
    for (const path of dataAccesses(condition)) {
      const [root, field] = path.split(".");
      if (!Object.hasOwn(READABLE, root) || !READABLE[root].includes(field)) {
        throw badInput("A rule reads what a verifier does not have.");
      }
    }
    return (context) => truth(run(context));
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * Exactly one answer, with the ids of the rules that gave it and their texts (null: a sentence of the page's own).
 * @param {{level: string, rulebook: string, version: string}} shown what the pass says, times in milliseconds
 * @returns {{answer: "accepted"|"refused"|"unknown", reasons: {id: string, texts: ?object}[], scale: string}}
 */
export function judge(shown, crosswalk, acceptance, scene, at) {
  const found = place(shown, crosswalk, at);
  if (found.why) return unknown(found.why);
  const { level } = found;
  if (acceptance === null) return unknown("no-rules", level.scale);
  if (!acceptance.holds(at)) return unknown("rules-not-in-force", level.scale);
  const rules = acceptance.scenes.get(scene) ?? [];
  if (!rules.length) return unknown("no-rule-for-scene", level.scale);
  if (level.scale === UNDER_REVIEW && !rules.some((rule) => names(rule.condition, UNDER_REVIEW))) {
    return unknown(UNDER_REVIEW, level.scale);
  }
  return weigh(rules, contextOf(shown, level, scene, at), level.scale);
}

/** The pass's level on the common scale, or why it has none. */
function place(shown, crosswalk, at) {
  if (crosswalk === null) return { why: "no-crosswalk" };
  if (!crosswalk.holds(at)) return { why: "crosswalk-not-in-force" };
  const major = Number(shown.version.split(".")[0]);
  if (shown.rulebook !== crosswalk.rulebook || major !== crosswalk.major) return { why: "other-rulebook" };
  if (shown.level === UNDER_REVIEW) return { level: { scale: UNDER_REVIEW, reasons: [] } };
  const level = crosswalk.levels.find(({ code }) => code === shown.level);
  return level === undefined || level.scale === UNKNOWN ? { why: "level-not-understood" } : { level };
}

/** Refused if any rule does not hold, else unknown if any cannot be applied, else accepted. */
export function weigh(rules, context, scale = UNKNOWN) {
  const met = [];
  const broken = [];
  const stuck = [];
  for (const rule of rules) {
    const reason = { id: rule.id, texts: rule.texts };
    try {
      (rule.holds(context) ? met : broken).push(reason);
    } catch (error) {
      if (error.code !== "bad-input" && error.code !== "limit-exceeded") throw error;
      stuck.push(reason);
    }
  }
  if (broken.length) return { answer: "refused", reasons: broken, scale };
  if (stuck.length) return { answer: "unknown", reasons: [{ id: "rule-not-understood", texts: null }, ...stuck], scale };
  return { answer: "accepted", reasons: met, scale };
}

export const unknown = (id, scale = UNKNOWN) => ({ answer: "unknown", reasons: [{ id, texts: null }], scale });

function contextOf(shown, level, scene, at) {
  const pass = {
    level: shown.level,
    issuer: shown.issuer,
    rulebook: shown.rulebook,
    version: shown.version,
    issued_at: moment(shown.issuedAt),
    expires_at: moment(shown.expiresAt),
    facts: shown.facts,
    scale: level.scale,
    reasons: level.reasons,
  };
  return { pass, external: { validationClock: moment(at), scene } };
}

/** A time as text, in the node's own spelling, since a rule may compare texts. */
export const moment = (ms) => new Date(ms).toISOString().replace("Z", "+00:00");
