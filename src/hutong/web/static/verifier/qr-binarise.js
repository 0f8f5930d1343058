/** Pictures as dark and light: grey values, then one threshold for all or one for each neighbourhood. */

/** Grey values, one byte a pixel, of RGBA bytes; what is transparent counts as white paper. */
export function toGrey({ data, width, height }) {
  const grey = new Uint8Array(width * height);
  for (let i = 0, at = 0; i < grey.length; i += 1, at += 4) {
    const alpha = data[at + 3];
    const value = (data[at] * 77 + data[at + 1] * 150 + data[at + 2] * 29) >> 8;
    grey[i] = alpha === 255 ? value : 255 - (((255 - value) * alpha) >> 8);
  }
  return grey;
}

/** Dark is 1. The threshold that parts the two classes of values best (Otsu). */
export function byHistogram(grey) {
  const counts = new Uint32Array(256);
  for (const value of grey) counts[value] += 1;
  const sum = counts.reduce((total, count, value) => total + count * value, 0);
  let [below, sumBelow, best, threshold] = [0, 0, -1, 127];
  for (let value = 0; value < 256; value += 1) {
    below += counts[value];
    sumBelow += counts[value] * value;
    const above = grey.length - below;
    if (!below || !above) continue;
    const gap = sumBelow / below - (sum - sumBelow) / above;
    if (below * above * gap * gap > best) [best, threshold] = [below * above * gap * gap, value];
  }
  return Uint8Array.from(grey, (value) => (value <= threshold ? 1 : 0));
}

/** Dark is 1. Darker than the mean of the neighbourhood of a share of the picture's width: for shadows and glare. */
export function byNeighbourhood(grey, width, height, share) {
  const sums = integral(grey, width, height);
  const reach = Math.max(4, Math.round((width * share) / 2));
  const dark = new Uint8Array(grey.length);
  const row = width + 1;
  for (let y = 0; y < height; y += 1) {
    const top = Math.max(0, y - reach);
    const bottom = Math.min(height, y + reach + 1);
    for (let x = 0; x < width; x += 1) {
      const left = Math.max(0, x - reach);
      const right = Math.min(width, x + reach + 1);
      const sum = sums[bottom * row + right] - sums[top * row + right] - sums[bottom * row + left] + sums[top * row + left];
      dark[y * width + x] = grey[y * width + x] * (bottom - top) * (right - left) < sum * 0.9 ? 1 : 0;
    }
  }
  return dark;
}

/** Each pixel the mean of those at most two away: against the noise of a camera in the dark. */
export function smooth(grey, width, height) {
  const sums = integral(grey, width, height);
  const row = width + 1;
  const smoothed = new Uint8Array(grey.length);
  for (let y = 0; y < height; y += 1) {
    const [top, bottom] = [Math.max(0, y - 2), Math.min(height, y + 3)];
    for (let x = 0; x < width; x += 1) {
      const [left, right] = [Math.max(0, x - 2), Math.min(width, x + 3)];
      const sum = sums[bottom * row + right] - sums[top * row + right] - sums[bottom * row + left] + sums[top * row + left];
      smoothed[y * width + x] = sum / ((bottom - top) * (right - left));
    }
  }
  return smoothed;
}

function integral(grey, width, height) {
  const row = width + 1;
  const sums = new Uint32Array(row * (height + 1));
  for (let y = 0; y < height; y += 1) {
    let sum = 0;
    for (let x = 0; x < width; x += 1) {
      sum += grey[y * width + x];
      sums[(y + 1) * row + x + 1] = sums[y * row + x + 1] + sum;
    }
  }
  return sums;
}
