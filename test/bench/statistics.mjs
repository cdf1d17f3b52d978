// Median of paired ratios with a bootstrap interval over blocks, then pairs (fixed seed: the same data give the same interval).

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** `blocks` is a list of lists of ratios. */
export function interval(blocks, draws = 1_000) {
  const random = mulberry32(20_261_124);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const medians = [];
  for (let draw = 0; draw < draws; draw++) {
    const sample = [];
    for (let block = 0; block < blocks.length; block++) {
      const chosen = pick(blocks);
      for (let pair = 0; pair < chosen.length; pair++) sample.push(pick(chosen));
    }
    medians.push(median(sample));
  }
  medians.sort((a, b) => a - b);
  return [medians[Math.floor(draws * 0.025)], medians[Math.floor(draws * 0.975)]];
}

function mulberry32(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
