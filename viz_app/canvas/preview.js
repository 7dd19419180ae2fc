// The last steps of the box filter, in the arithmetic of torchvision's operators on a CPU: float32 throughout,
// classes moved apart by an offset up to 1,000 boxes (`batched_nms` does so), one class after the other beyond.
const f = Math.fround;

function keptBy(preview, part, score, nms) {
  const { scores, labels, candidates } = part;
  const floor = f(score);
  const alive = [];
  for (let n = 0; n < preview.count; n++) if (scores[n] > floor) alive.push(n);
  const kept = 4 * alive.length > 4000 ? apart(alive, candidates, scores, labels, nms)
    : shifted(alive, candidates, scores, labels, nms);
  return kept.slice(0, preview.limit);
}

function byScore(scores) {
  return (a, b) => scores[b] - scores[a]; // sort is stable, as torchvision's is
}

function shifted(alive, boxes, scores, labels, nms) {
  let most = -Infinity;
  for (const n of alive) for (let k = 0; k < 4; k++) most = Math.max(most, boxes[4 * n + k]);
  const step = f(most + 1);
  const moved = new Float32Array(4 * alive.length);
  alive.forEach((n, row) => {
    const offset = f(labels[n] * step);
    for (let k = 0; k < 4; k++) moved[4 * row + k] = boxes[4 * n + k] + offset;
  });
  const rows = alive.map((_, row) => row);
  const own = alive.map((n) => scores[n]);
  return greedy(rows, moved, own, nms).map((row) => alive[row]);
}

function apart(alive, boxes, scores, labels, nms) {
  const classes = [...new Set(alive.map((n) => labels[n]))];
  const kept = classes.flatMap((label) => greedy(alive.filter((n) => labels[n] === label), boxes, scores, nms));
  return kept.sort((a, b) => a - b).sort(byScore(scores));
}

// Greedy NMS: a box is suppressed by a better one that it overlaps by more than the threshold.
function greedy(rows, boxes, scores, nms) {
  const order = [...rows].sort(byScore(scores));
  const area = (r) => f(f(boxes[4 * r + 2] - boxes[4 * r]) * f(boxes[4 * r + 3] - boxes[4 * r + 1]));
  const areas = new Float32Array(order.map(area));
  const gone = new Uint8Array(order.length);
  const kept = [];
  for (let i = 0; i < order.length; i++) {
    if (gone[i]) continue;
    const a = 4 * order[i];
    kept.push(order[i]);
    for (let j = i + 1; j < order.length; j++) {
      if (gone[j]) continue;
      const b = 4 * order[j];
      const w = f(Math.min(boxes[a + 2], boxes[b + 2]) - Math.max(boxes[a], boxes[b]));
      const h = f(Math.min(boxes[a + 3], boxes[b + 3]) - Math.max(boxes[a + 1], boxes[b + 1]));
      const inter = f(Math.max(0, w) * Math.max(0, h));
      if (f(inter / f(f(areas[i] + areas[j]) - inter)) > nms) gone[j] = 1;
    }
  }
  return kept;
}
