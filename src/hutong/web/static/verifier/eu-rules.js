/**
 * What an EU Digital COVID Certificate is worth here: by a country's business rules, in the form of the EU's gateway.
 *
 * Of the rules that are in force and about the certificate's type, the newest version of each counts: the acceptance
 * rules of the country that is entered, and the invalidation rules of the country that issued it. All must give true.
 */

import { compileRule } from "./certlogic.js";
import { dataAccesses, isObject } from "./certlogic-format.js";
import { instantOf } from "./datetimes.js";
import { badInput } from "./errors.js";
import { moment, SCENES, unknown, weigh } from "./recognition.js";

const FIELDS = ["country", "scenes", "rules", "value_sets"];
const RULE_FIELDS = [
  ...["Identifier", "Type", "Country", "Version", "SchemaVersion", "Engine", "EngineVersion", "CertificateType"],
  ...["Description", "ValidFrom", "ValidTo", "AffectedFields", "Logic"],
];
const EXTERNAL_FIELDS = ["validationClock", "valueSets", "countryCode", "issuerCountryCode", "exp", "iat"];
const ENGINE_VERSION = [1, 3, 3];
const GROUPS = ["v", "t", "r"];
const ABOUT = { General: GROUPS, Vaccination: ["v"], Test: ["t"], Recovery: ["r"] };
const MAX_RULES = 500;
const MAX_SETS = 30;
const MAX_CODES = 5000;
const MAX_CODE = 80;
const IDENTIFIER = /^[A-Z0-9-]{1,40}$/;
const COUNTRY = /^[A-Z]{2}$/;
const VERSION = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/;

/** The groups of entries that a certificate holds. */
export const kindsOf = (content) => GROUPS.filter((group) => isHeld(content[group]));

const isHeld = (value) => (typeof value === "object" && value !== null ? Object.keys(value).length > 0 : Boolean(value));

/**
 * What a certificate is worth at a scene; its signature and its times were checked before.
 * @param {{content: object, issuedAt: number, expiresAt: number}} read @param {object} rules of readEuRules
 * @param {string} issuerCountry of the party whose key signed it @returns {object} as of recognition.judge
 */
export function judgeCertificate({ content, issuedAt, expiresAt }, rules, issuerCountry, scene, at) {
  if (!rules.scenes.includes(scene)) return unknown("no-rule-for-scene");
  const groups = kindsOf(content);
  // Rules look at the first entry alone.
  const [entries] = groups.map((group) => content[group]);
  if (groups.length !== 1 || !Array.isArray(entries) || entries.length !== 1 || !isObject(entries[0])) {
    return unknown("not-one-entry");
  }
  const chosen = newest(rules, groups[0], issuerCountry, at);
  if (!chosen.some(({ type }) => type === "Acceptance")) return unknown("no-rule-for-certificate");
  const external = {
    validationClock: moment(at),
    valueSets: rules.valueSets,
    countryCode: rules.country,
    issuerCountryCode: issuerCountry,
    exp: moment(expiresAt),
    iat: moment(issuedAt),
  };
  return weigh(chosen, { payload: content, external });
}

function newest({ rules, country }, group, issuerCountry, at) {
  const found = new Map();
  for (const rule of rules) {
    const counts = rule.country === (rule.type === "Acceptance" ? country : issuerCountry);
    if (!counts || !rule.groups.includes(group) || !rule.isInForce(at)) continue;
    const name = `${rule.type} ${rule.id}`;
    if (!found.has(name) || isOlder(found.get(name).version, rule.version)) found.set(name, rule);
  }
  return [...found.values()];
}

/** The rules of the bundle's signer; null where it has none, or of a form that this edition of the page does not know. */
export function readEuRules(document) {
  try {
    return document === undefined || document === null ? null : read(document);
  } catch (error) {
    if (error.code === "bad-input") return null;
    throw error;
  }
}

function read(document) {
  requireKnown(document, FIELDS);
  const { scenes, rules, country, value_sets: valueSets = {} } = document;
  if (!isListOf(scenes, SCENES.length, (one) => SCENES.includes(one)) || !scenes.length) throw malformed();
  if (!isListOf(rules, MAX_RULES, isObject) || !rules.length || !isObject(valueSets)) throw malformed();
  const isCode = (code) => typeof code === "string" && code.length <= MAX_CODE;
  const sets = Object.values(valueSets);
  if (sets.length > MAX_SETS || !sets.every((codes) => isListOf(codes, MAX_CODES, isCode))) throw malformed();
  return { scenes, country: matching(country, COUNTRY)[0], rules: rules.map(parseRule), valueSets };
}

const isListOf = (value, most, fits) => Array.isArray(value) && value.length <= most && value.every(fits);

const malformed = () => badInput("Rules for EU certificates are not well formed.");

function requireKnown(document, fields) {
  if (!isObject(document) || Object.keys(document).some((field) => !fields.includes(field))) throw malformed();
}

function matching(value, form) {
  const match = typeof value === "string" && form.exec(value);
  if (!match) throw malformed();
  return match;
}

const versionOf = (text) => matching(text, VERSION).slice(1).map(Number);

function isOlder(one, other) {
  const place = one.findIndex((part, index) => part !== other[index]);
  return place >= 0 && one[place] < other[place];
}

function parseRule(item) {
  const { Type: type, CertificateType: about, Description: said } = item;
  if (!["Acceptance", "Invalidation"].includes(type) || typeof about !== "string" || !Object.hasOwn(ABOUT, about)) {
    throw malformed();
  }
  const described = Array.isArray(said) ? said.filter(isObject) : [];
  if (described.some(({ desc }) => typeof desc !== "string")) throw malformed();
  return {
    id: matching(item.Identifier, IDENTIFIER)[0],
    texts: Object.fromEntries(described.map(({ lang, desc }) => [lang, desc])),
    type,
    country: matching(item.Country, COUNTRY)[0],
    groups: ABOUT[about],
    version: versionOf(item.Version),
    isInForce: forceOf(item),
    holds: compileLogic(item),
  };
}

/** Both ends belong to the period, as in the EU's verifiers. */
function forceOf({ ValidFrom: from, ValidTo: to }) {
  const [start, end] = [instantOf(from), instantOf(to)];
  if (start >= end) throw malformed();
  return (at) => start <= at && at <= end;
}

/** A rule that this edition of the page does not understand fails when it is asked. */
function compileLogic(item) {
  try {
    const { SchemaVersion: schemaText, Engine: engine = "CERTLOGIC", EngineVersion: engineVersion = "0.0.0" } = item;
    requireKnown(item, RULE_FIELDS);
    if (engine !== "CERTLOGIC") throw badInput("A rule is for another engine.");
    const wanted = matching(engineVersion, /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})$/).slice(1).map(Number);
    if (isOlder(ENGINE_VERSION, wanted)) throw badInput("A rule is for a newer version of CertLogic.");
    const schema = versionOf(schemaText);
    const run = compileRule(item.Logic);
    if (!dataAccesses(item.Logic).every(isReadable)) throw badInput("A rule reads what a verifier does not have.");
    return (context) => {
      const stated = versionOf(context.payload.ver);
      if (stated[0] !== schema[0] || isOlder(stated, schema)) throw badInput("The certificate is of another schema.");
      const value = run(context);
      if (typeof value !== "boolean") throw badInput("A rule gives neither true nor false.");
      return value;
    };
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function isReadable(path) {
  const [root, field] = path.split(".");
  return root === "payload" || (root === "external" && EXTERNAL_FIELDS.includes(field));
}
