/** What is shown: an answer as word, shape and colour with its reasons, and the state of the trust list. */

import { ADVICE, ANSWERS, FACTS, KINDS, LABELS, LEVELS, REASONS, TRUST, VALUES } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const TONES = { accepted: "low", refused: "high", unknown: "unknown", fresh: "low", due: "medium", old: "high", none: "unknown" };
/** The shapes of the whole site; in an answer with a tick, a cross or a question mark cut out. */
const SHAPES = {
  low: "M5 .4a4.6 4.6 0 1 1 0 9.2 4.6 4.6 0 1 1 0-9.2z",
  medium: "M5 .4 10 9.6H0z",
  high: "M.6.6h8.8v8.8H.6z",
  unknown:
    "M2 3.2C2 1.4 3.2.3 5 .3s3.1 1 3.1 2.6c0 1.3-.8 1.9-1.5 2.5-.6.4-.9.7-.9 1.3v.2H4.2v-.5c0-1.1.6-1.7 1.3-2.2.6-.4.9-.7.9-1.2" +
    " 0-.6-.5-1-1.3-1S3.7 2.4 3.7 3.2zM4.1 8h1.7v1.7H4.1z",
};
const CUTS = { accepted: "M2.6 5.2 4.3 6.9 7.5 3.4", refused: "M3 3l4 4M7 3 3 7" };
const AGES = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];

/** Sentences, times and ages in one language; English where there is none. */
export class Words {
  constructor(tag) {
    this.tag = tag;
    this.code = tag.split("-")[0];
    this.ages = new Intl.RelativeTimeFormat(tag, { numeric: "always" });
    // The day before the month, as on the node's other pages.
    this.moments = new Intl.DateTimeFormat(tag === "en" ? "en-GB" : tag, { dateStyle: "long", timeStyle: "short" });
  }

  of(texts) {
    return texts?.[this.code] ?? texts?.en ?? "";
  }

  moment(ms) {
    return this.moments.format(ms);
  }

  made(ms) {
    const [unit, size] = AGES.find((age) => Math.abs(ms) >= age[1]) ?? [];
    if (unit === undefined) return this.of(LABELS.justNow);
    return this.of(LABELS.made).replace("{age}", this.ages.format(-Math.floor(ms / size), unit));
  }
}

function make(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className !== undefined) made.className = className;
  return made;
}

function drawing(tone, cut) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 10 10");
  svg.setAttribute("aria-hidden", "true");
  for (const [d, name] of [[SHAPES[tone], "shape"], ...(cut ? [[cut, "cut"]] : [])]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    path.setAttribute("class", name);
    svg.append(path);
  }
  return svg;
}

/** Fill the answer's place. */
export function showAnswer(place, answer, { words, scene, bundle }) {
  const tone = TONES[answer.answer];
  place.className = `answer is-${tone}`;
  place.dataset.answer = answer.answer;
  const heading = make("h2");
  heading.append(drawing(tone, CUTS[answer.answer]), make("span", words.of(ANSWERS[answer.answer])));
  const reasons = make("ul", undefined, "why");
  for (const { id, texts } of answer.reasons) {
    const item = make("li", words.of(texts ?? REASONS[id]));
    item.dataset.rule = id;
    item.append(" ", make("code", id));
    reasons.append(item);
  }
  const facts = make("dl");
  for (const [label, text] of factsOf(answer, words, scene, bundle)) {
    if (text) facts.append(make("dt", words.of(LABELS[label])), make("dd", text));
  }
  for (const [name, value] of Object.entries(answer.facts ?? {})) {
    facts.append(make("dt", words.of(FACTS[name]) || name), make("dd", shown(value, words)));
  }
  place.replaceChildren(heading, make("p", words.of(ADVICE[answer.answer]), "advice"), reasons, facts);
}

/** What a verifier needs besides the answer; never a name, though foreign certificates hold one. */
function factsOf(answer, words, scene, bundle) {
  const facts = [
    ["scene", scene],
    ["kind", words.of(KINDS[answer.kind])],
  ];
  if (answer.isSigned) {
    facts.push(["level", words.of(answer.meaning ?? LEVELS[answer.level]) || answer.level]);
    facts.push(["issuer", words.of(answer.issuerName) || answer.issuer]);
    facts.push(["expires", answer.expiresAt && words.moment(answer.expiresAt)]);
  } else {
    facts.push(["claimed", answer.issuer]); // anybody can write anything where no signature was checked
  }
  return [...facts, ["list", bundle && listText(bundle, words, answer.at)]];
}

/** The value of a fact that the holder discloses: its meaning is the issuer's. */
const shown = (value, words) => words.of(VALUES[value]) || String(value);

function listText({ number, issuedAt }, words, at) {
  return words.of(LABELS.number).replace("{number}", number).replace("{age}", words.made(at - issuedAt));
}

/** Fill the line about the trust list. */
export function showTrust(place, trust, words, at) {
  const state = trust.state(at);
  const mark = make("span", undefined, `tag is-${TONES[state]}`);
  mark.append(drawing(TONES[state]), words.of(TRUST[state]));
  place.dataset.trust = state;
  place.replaceChildren(make("span", words.of(LABELS.list), "soft"), mark);
  if (trust.bundle) {
    place.append(make("span", listText(trust.bundle, words, at)));
  } else if (trust.problem) {
    place.append(make("span", words.of(REASONS[trust.problem])));
  }
}
