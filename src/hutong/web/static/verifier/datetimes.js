/**
 * Date-times of CertLogic 1.3.3: instants of millisecond precision, in UTC on the proleptic Gregorian calendar; an
 * overflowing day rolls into the next month.
 */

import { badInput } from "./errors.js";

export const TIME_UNITS = ["year", "month", "day", "hour"];
const MS_A_DAY = 86_400_000;
const MS_AN_HOUR = 3_600_000;
const MAX_MS = 8_640_000_000_000_000;
const PARTIAL = /^([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?$/;
const FULL = new RegExp(
  "^([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\\.([0-9]+))?" +
    "(?:Z|([+-])(?:([0-9]{1,2}):([0-9]{2})|([0-9]{1,2}?)([0-9]{2})|([0-9]{1,2})))?$",
);
const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
const notADate = () => badInput("A date of the rule's data is not an allowed date or date-time.");

/** An instant, in milliseconds since 1970. */
export class DateTime {
  constructor(ms) {
    this.ms = ms;
  }

  valueOf() {
    return this.ms;
  }

  /** ISO 8601 in UTC with milliseconds, also as a suite's JSON expects it. */
  toJSON() {
    return new Date(this.ms).toISOString();
  }
}

/** Read a date or date-time and add to it (operation plusTime). */
export function plusTime(text, amount, unit) {
  const ms = parse(text);
  if (unit === "hour") return instant(ms + amount * MS_AN_HOUR);
  if (unit === "day") return instant(ms + amount * MS_A_DAY);
  const days = Math.floor(ms / MS_A_DAY);
  let { year, month, day } = civil(days);
  if (unit === "year") {
    year += amount;
  } else {
    const months = month - 1 + amount;
    year += Math.floor(months / 12);
    month = months - Math.floor(months / 12) * 12 + 1;
  }
  return instant((daysSince1970(year, month, 1) + day - 1) * MS_A_DAY + (ms - days * MS_A_DAY));
}

/** The last day that a (partial) date of birth may mean (operation dccDateOfBirth). */
export function dccDateOfBirth(text) {
  const match = PARTIAL.exec(text);
  if (!match) throw notADate();
  return instant(dateDays(match) * MS_A_DAY);
}

/** Milliseconds since 1970 of a date-time with offset, as documents write it; throws for any other text. */
export function instantOf(text) {
  if (typeof text !== "string" || !/T.*(Z|[+-]\d\d:\d\d)$/.test(text)) throw badInput("A time has no offset.");
  return parse(text.replace(/(T\d\d:\d\d)(?=[Z+-])/, "$1:00"));
}

function parse(text) {
  const partial = PARTIAL.exec(text);
  if (partial) return dateDays(partial) * MS_A_DAY;
  const match = FULL.exec(text);
  if (!match) throw notADate();
  const [hours, minutes, seconds] = [4, 5, 6].map((group) => Number(match[group]));
  const offsetHours = Number(match[9] || match[11] || match[13] || 0);
  const offsetMinutes = Number(match[10] || match[12] || 0);
  if (hours > 23 || minutes > 59 || seconds > 59 || offsetHours > 23 || offsetMinutes > 59) throw notADate();
  const ms = Number((match[7] || "0").padEnd(3, "0").slice(0, 3)); // further decimals are cut off, not rounded
  const local = dateDays(match) * MS_A_DAY + (hours * 3600 + minutes * 60 + seconds) * 1000 + ms;
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000;
  return match[8] === "-" ? local + offset : local - offset;
}

function dateDays([, yearText, monthText, dayText]) {
  const year = Number(yearText);
  const month = monthText === undefined ? 12 : Number(monthText);
  if (month < 1 || month > 12) throw notADate();
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const last = leap ? 29 : DAYS[month - 1];
  const day = dayText === undefined ? last : Number(dayText);
  if (day < 1 || day > last) throw notADate();
  return daysSince1970(year, month, day);
}

/** Years begin in March here, so that a leap day is a year's last. */
function daysSince1970(civilYear, month, day) {
  const year = civilYear - (month <= 2 ? 1 : 0);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return year * 365 + Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400) + dayOfYear - 719_468;
}

function civil(days) {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const div = (one, other) => Math.floor(one / other);
  const yearOfEra = div(dayOfEra - div(dayOfEra, 1460) + div(dayOfEra, 36_524) - div(dayOfEra, 146_096), 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + div(yearOfEra, 4) - div(yearOfEra, 100));
  const march = div(5 * dayOfYear + 2, 153);
  const month = march < 10 ? march + 3 : march - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day: dayOfYear - div(153 * march + 2, 5) + 1 };
}

function instant(ms) {
  if (!(ms >= -MAX_MS && ms <= MAX_MS)) throw badInput("A date-time of the rule is out of range.");
  return new DateTime(ms);
}
