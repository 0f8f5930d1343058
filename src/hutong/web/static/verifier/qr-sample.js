/** From three finder patterns to modules: size, alignment pattern, perspective, sampling. */

import { alignmentCentres, MAX_VERSION, sizeOf } from "./qr-tables.js";

const TO_FINDER = 3.5;
/** How far the version may be from the one measured. */
const CHANGES = [0, 1, -1, 2, -2];

/** Every plausible reading of a triple as modules, the likeliest first. @yields {{modules: Uint8Array, size: number}} */
export function* readings(picture, { corner, right, below }) {
  const unit = (unitAlong(picture, corner, right) + unitAlong(picture, corner, below)) / 2;
  const modulesApart = (Math.hypot(right.x - corner.x, right.y - corner.y) + Math.hypot(below.x - corner.x, below.y - corner.y)) / 2 / unit;
  const guess = Math.round((modulesApart + 7 - 17) / 4);
  for (const change of CHANGES) {
    const version = guess + change;
    if (version < 1 || version > MAX_VERSION) continue;
    const size = sizeOf(version);
    const flat = parallelogram(corner, right, below, size);
    const anchor = version === 1 ? null : findAlignment(picture, flat, alignmentCentres(version).at(-1) + 0.5);
    if (anchor !== null) yield sample(picture, quadrilateral(corner, right, below, anchor, size), size);
    yield sample(picture, flat, size);
  }
}

/** Size of a module along the line from one finder pattern to another, from the dark-light-dark around each centre. */
function unitAlong(picture, one, other) {
  const lengths = [blackWhiteBlack(picture, one, other), blackWhiteBlack(picture, other, one)].filter((size) => size > 0);
  return lengths.length ? lengths.reduce((sum, size) => sum + size, 0) / lengths.length / 7 : (one.unit + other.unit) / 2;
}

function blackWhiteBlack(picture, from, to) {
  const far = Math.hypot(to.x - from.x, to.y - from.y);
  const [dx, dy] = [(to.x - from.x) / far, (to.y - from.y) / far];
  const forwards = edge(picture, from, dx, dy, far);
  const backwards = edge(picture, from, -dx, -dy, far);
  return forwards && backwards ? forwards + backwards : 0;
}

/** Steps from the centre until the third change of colour: out of the core, the ring of light, the ring of dark. */
function edge(picture, { x, y }, dx, dy, most) {
  let wanted = 1;
  let changes = 0;
  for (let step = 0; step < most; step += 0.5) {
    const colour = picture.at(x + dx * step, y + dy * step);
    if (colour === wanted) continue;
    changes += 1;
    if (changes === 3) return step;
    if (colour === -1) return 0;
    wanted ^= 1;
  }
  return 0;
}

/** Map from modules to pixels that keeps parallels: all that three points give. */
function parallelogram(corner, right, below, size) {
  const span = size - 2 * TO_FINDER;
  const [ax, ay] = [(right.x - corner.x) / span, (right.y - corner.y) / span];
  const [bx, by] = [(below.x - corner.x) / span, (below.y - corner.y) / span];
  return (u, v) => [
    corner.x + ax * (u - TO_FINDER) + bx * (v - TO_FINDER),
    corner.y + ay * (u - TO_FINDER) + by * (v - TO_FINDER),
  ];
}

/** The last alignment pattern near where the parallelogram expects it; null when nothing there looks like one. */
function findAlignment(picture, map, centre) {
  const [x0, y0] = map(centre, centre);
  const [x1, y1] = map(centre + 1, centre);
  const [x2, y2] = map(centre, centre + 1);
  const [ax, ay, bx, by] = [x1 - x0, y1 - y0, x2 - x0, y2 - y0];
  const unit = Math.max(1, (Math.hypot(ax, ay) + Math.hypot(bx, by)) / 2);
  const step = Math.max(1, unit / 4);
  let best = { score: 20, away: Infinity, points: [] };
  const reach = Math.max(4, Math.min(8, centre / 5)) * unit;
  for (let dy = -reach; dy <= reach; dy += step) {
    for (let dx = -reach; dx <= reach; dx += step) {
      const score = alignmentScore(picture, x0 + dx, y0 + dy, [ax, ay, bx, by], 25 - best.score);
      if (score < best.score) continue;
      const away = Math.hypot(dx, dy);
      if (score > best.score) best = { score, away, points: [] };
      best.points.push([dx, dy, away]);
      best.away = Math.min(best.away, away);
    }
  }
  // Of equally good places, the mean of those around the nearest.
  const nearest = best.points.find((point) => point[2] === best.away);
  if (nearest === undefined) return null;
  const around = best.points.filter((point) => Math.hypot(point[0] - nearest[0], point[1] - nearest[1]) < 1.5 * unit);
  const mean = (i) => around.reduce((sum, point) => sum + point[i], 0) / around.length;
  return { x: x0 + mean(0), y: y0 + mean(1), module: centre };
}

/** How many of the 25 modules are as in an alignment pattern; 0 as soon as more than `most` are not. */
function alignmentScore(picture, x, y, [ax, ay, bx, by], most) {
  let wrong = 0;
  for (let v = -2; v <= 2; v += 1) {
    for (let u = -2; u <= 2; u += 1) {
      const ring = Math.max(Math.abs(u), Math.abs(v));
      if (picture.at(x + u * ax + v * bx, y + u * ay + v * by) === (ring === 1 ? 0 : 1)) continue;
      wrong += 1;
      if (wrong > most) return 0;
    }
  }
  return 25 - wrong;
}

/** Perspective map through the three finder patterns and the alignment pattern. */
function quadrilateral(corner, right, below, anchor, size) {
  const [near, far] = [TO_FINDER, size - TO_FINDER];
  const toModules = fromSquare([near, near], [far, near], [anchor.module, anchor.module], [near, far]);
  const toPixels = fromSquare([corner.x, corner.y], [right.x, right.y], [anchor.x, anchor.y], [below.x, below.y]);
  const matrix = product(toPixels, adjugate(toModules));
  return (u, v) => {
    const [x, y, w] = [0, 1, 2].map((row) => matrix[row][0] * u + matrix[row][1] * v + matrix[row][2]);
    return [x / w, y / w];
  };
}

/** Matrix that takes the unit square to four corners, in turning order (Heckbert 1989, 2.2.3). */
function fromSquare([x0, y0], [x1, y1], [x2, y2], [x3, y3]) {
  const [sx, sy] = [x0 - x1 + x2 - x3, y0 - y1 + y2 - y3];
  const [dx1, dx2, dy1, dy2] = [x1 - x2, x3 - x2, y1 - y2, y3 - y2];
  const size = dx1 * dy2 - dx2 * dy1;
  const g = (sx * dy2 - dx2 * sy) / size;
  const h = (dx1 * sy - sx * dy1) / size;
  return [
    [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
    [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
    [g, h, 1],
  ];
}

function adjugate([[a, b, c], [d, e, f], [g, h, i]]) {
  return [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ];
}

const product = (one, other) =>
  one.map((row) => [0, 1, 2].map((column) => row.reduce((sum, value, k) => sum + value * other[k][column], 0)));

/** A module is dark when most of five places around its middle are. */
function sample(picture, map, size) {
  const modules = new Uint8Array(size * size);
  const places = [
    [0.5, 0.5],
    [0.3, 0.5],
    [0.7, 0.5],
    [0.5, 0.3],
    [0.5, 0.7],
  ];
  for (let row = 0; row < size; row += 1) {
    for (let column = 0; column < size; column += 1) {
      let dark = 0;
      for (const [u, v] of places) dark += picture.at(...map(column + u, row + v)) === 1 ? 1 : 0;
      modules[row * size + column] = dark >= 3 ? 1 : 0;
    }
  }
  return { modules, size };
}
