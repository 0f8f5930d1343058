/** Finding a QR code in a picture of dark and light: its three finder patterns, and the triples that may be one code. */

const MOST_CENTRES = 24;
const MOST_TRIPLES = 8;

/** @param {Uint8Array} dark 1 is dark, row by row */
export class Picture {
  constructor(dark, width, height) {
    Object.assign(this, { dark, width, height });
  }

  /** 1 for dark, 0 for light, -1 outside. */
  at(x, y) {
    const [column, row] = [Math.floor(x), Math.floor(y)];
    return column < 0 || row < 0 || column >= this.width || row >= this.height ? -1 : this.dark[row * this.width + column];
  }
}

/** Centres that look like finder patterns, with how often they were crossed. @returns {{x, y, unit, seen}[]} */
export function findCentres(picture) {
  const centres = [];
  const { dark, width, height } = picture;
  for (let y = 0; y < height; y += 1) {
    const runs = [0, 0, 0, 0, 0];
    let colour = 0;
    const start = y * width;
    for (let x = 0; x <= width; x += 1) {
      if (x < width && dark[start + x] === colour) {
        runs[4] += 1;
        continue;
      }
      // A dark run ends here: do the last five runs stand as 1:1:3:1:1?
      if (colour === 1 && isFinder(runs)) consider(picture, centres, x - runs[4] - runs[3] - runs[2] / 2, y);
      runs.shift();
      runs.push(1);
      colour ^= 1;
    }
  }
  return centres.sort((one, other) => other.seen - one.seen).slice(0, MOST_CENTRES);
}

function isFinder(runs, slack = 0.6) {
  const total = runs[0] + runs[1] + runs[2] + runs[3] + runs[4];
  if (total < 7 || !runs[0] || !runs[1] || !runs[3]) return false;
  const unit = total / 7;
  const most = unit * slack + 0.5;
  return (
    Math.abs(runs[2] - 3 * unit) < 3 * most &&
    Math.abs(runs[0] - unit) < most &&
    Math.abs(runs[1] - unit) < most &&
    Math.abs(runs[3] - unit) < most &&
    Math.abs(runs[4] - unit) < most
  );
}

function consider(picture, centres, x, y) {
  const down = across(picture, x, y + 0.5, 0, 1);
  if (down === null) return;
  const along = across(picture, x, y + 0.5 + down.shift, 1, 0);
  if (along === null) return;
  const diagonal = across(picture, x + along.shift, y + 0.5 + down.shift, 1, 1, 0.9);
  if (diagonal === null || Math.max(down.unit, along.unit) > 2 * Math.min(down.unit, along.unit)) return;
  const found = { x: x + along.shift, y: y + 0.5 + down.shift, unit: (down.unit + along.unit) / 2, seen: 1 };
  const same = centres.find((one) => Math.hypot(one.x - found.x, one.y - found.y) < 2.5 * one.unit);
  if (same === undefined) {
    centres.push(found);
    return;
  }
  for (const field of ["x", "y", "unit"]) same[field] += (found[field] - same[field]) / (same.seen + 1);
  same.seen += 1;
}

/** Cross a pattern through a point in a direction: how far off its middle the point is, and its unit; null if none. */
function across(picture, x, y, dx, dy, slack = 0.6) {
  const runs = [0, 0, 0, 0, 0];
  const walk = (sign, places, from) => {
    let step = from;
    let wanted = 1;
    for (const place of places) {
      while (picture.at(x + sign * step * dx, y + sign * step * dy) === wanted) {
        runs[place] += 1;
        step += 1;
      }
      wanted ^= 1;
    }
  };
  walk(-1, [2, 1, 0], 0);
  const before = runs[2];
  walk(1, [2, 3, 4], 1);
  if (!isFinder(runs, slack)) return null;
  return { shift: (runs[2] - before - (before - 1)) / 2, unit: runs.reduce((sum, run) => sum + run, 0) / 7 };
}

/** Triples that may be the corners of one code, the likeliest first. @returns {{corner, right, below}[]} */
export function findTriples(centres) {
  const found = [];
  for (let i = 0; i < centres.length; i += 1) {
    for (let j = i + 1; j < centres.length; j += 1) {
      for (let k = j + 1; k < centres.length; k += 1) {
        const triple = toTriple([centres[i], centres[j], centres[k]]);
        if (triple !== null) found.push(triple);
      }
    }
  }
  return found.sort((one, other) => one.cost - other.cost).slice(0, MOST_TRIPLES);
}

function toTriple(points) {
  const units = points.map((point) => point.unit);
  if (Math.max(...units) > 1.8 * Math.min(...units)) return null;
  const far = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);
  // The corner lies opposite the longest side.
  const [[corner, one, other, longest]] = [0, 1, 2]
    .map((i) => [points[i], points[(i + 1) % 3], points[(i + 2) % 3], far(points[(i + 1) % 3], points[(i + 2) % 3])])
    .sort((first, second) => second[3] - first[3]);
  const [sideOne, sideOther] = [far(corner, one), far(corner, other)];
  const [shorter, longer] = [Math.min(sideOne, sideOther), Math.max(sideOne, sideOther)];
  if (shorter < 8 * Math.min(...units) || longer > 2 * shorter) return null;
  const skew = Math.abs(longest / Math.hypot(sideOne, sideOther) - 1);
  if (skew > 0.35) return null;
  const turn = (one.x - corner.x) * (other.y - corner.y) - (one.y - corner.y) * (other.x - corner.x);
  const [right, below] = turn > 0 ? [one, other] : [other, one];
  const seen = points.reduce((sum, point) => sum + Math.min(point.seen, 3 * point.unit), 0) / (units[0] + units[1] + units[2]);
  return { corner, right, below, cost: skew * 2 + (longer / shorter - 1) + (Math.max(...units) / Math.min(...units) - 1) - seen / 4 };
}
