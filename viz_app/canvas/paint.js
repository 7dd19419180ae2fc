// Painting on whole device pixels: lines stay crisp, and a rectangle of its own costs next to nothing, where
// one path of thousands of them costs a hundred times as much.
const DASHES = { solid: [], dash: [7, 5], dot: [2, 3] };
const FEW = 64; // boxes: up to here one path, in which lines that cross do not add up
const MOST_DASHED = 1000; // boxes: beyond, dashes are left out while the picture moves
const TAG_HEIGHT = 16;

class Painter {
  constructor(surface) {
    this.surface = surface;
    this.pen = surface.getContext("2d");
    this.widths = new Map();
  }

  resize(width, height) {
    this.ratio = window.devicePixelRatio || 1;
    [this.width, this.height] = [width, height];
    this.surface.width = Math.round(width * this.ratio);
    this.surface.height = Math.round(height * this.ratio);
    this.font = `11px ${getComputedStyle(this.surface).fontFamily}`;
  }

  begin(view) {
    this.view = view;
    this.taken = [];
    this.pen.setTransform(1, 0, 0, 1, 0, 0);
    this.pen.clearRect(0, 0, this.surface.width, this.surface.height);
  }

  // Outlines [x1, y1, x2, y2, ...] in the image frame; `moving` leaves out what takes long.
  strokes(boxes, { color, width, dash = "solid", halo, alpha = 1 }, moving = false) {
    const line = Math.max(1, Math.round(width * this.ratio));
    const rim = 2 * Math.max(1, Math.round(0.75 * this.ratio));
    if (halo) this.#rectangles(boxes, halo.color, line + rim, [], halo.alpha * alpha);
    const dashes = moving && boxes.length > 4 * MOST_DASHED ? [] : DASHES[dash];
    this.#rectangles(boxes, color, line, dashes.map((part) => part * this.ratio), alpha);
  }

  #rectangles(boxes, color, line, dashes, alpha) {
    const few = boxes.length <= 4 * FEW;
    // Lines that cross must not add up: many of them are drawn solid on a layer, and the layer is laid over.
    const layered = !few && alpha < 1;
    const pen = layered ? this.#layer() : this.pen;
    pen.strokeStyle = color;
    pen.lineWidth = line;
    pen.lineJoin = "miter";
    pen.setLineDash(dashes);
    pen.globalAlpha = layered ? 1 : alpha;
    const path = few ? new Path2D() : null;
    this.#each(boxes, line, path ? (...box) => path.rect(...box) : (x, y, w, h) => pen.strokeRect(x, y, w, h));
    if (path) pen.stroke(path);
    pen.globalAlpha = alpha;
    if (layered) this.pen.globalAlpha = alpha, this.pen.drawImage(this.behind, 0, 0);
    pen.globalAlpha = this.pen.globalAlpha = 1;
    pen.setLineDash([]);
  }

  // Calls back with every rectangle that shows, at whole device pixels (a line of odd width at half ones).
  #each(boxes, line, draw) {
    const { view, ratio, surface } = this;
    const [scale, dx, dy, half] = [ratio * view.scale, ratio * view.x, ratio * view.y, (line % 2) / 2];
    for (let n = 0; n < boxes.length; n += 4) {
      const x1 = Math.round(boxes[n] * scale + dx), y1 = Math.round(boxes[n + 1] * scale + dy);
      const x2 = Math.round(boxes[n + 2] * scale + dx), y2 = Math.round(boxes[n + 3] * scale + dy);
      if (x2 < -line || y2 < -line || x1 > surface.width + line || y1 > surface.height + line) continue;
      draw(x1 + half, y1 + half, Math.max(x2 - x1, 1), Math.max(y2 - y1, 1));
    }
  }

  #layer() {
    this.behind ??= document.createElement("canvas");
    // Setting the size clears it, too.
    [this.behind.width, this.behind.height] = [this.surface.width, this.surface.height];
    return this.behind.getContext("2d");
  }

  // A coloured tag at a box: above it, inside at the top edge of the picture, or below. One that would cover
  // another is left out; the pointer shows what it says.
  tag(text, color, box) {
    const { pen, view, ratio } = this;
    const [x1, y1, x2, y2] = Array.from(box, (value, n) => value * view.scale + (n % 2 ? view.y : view.x));
    if (!text || !(x2 > 0 && y2 > 0 && x1 < this.width && y1 < this.height)) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = this.font;
    const width = this.#width(text) + 8;
    const left = Math.round(Math.min(Math.max(x1 - 1, 0), Math.max(this.width - width, 0)));
    const tops = [y1 >= TAG_HEIGHT ? y1 - TAG_HEIGHT : Math.max(y1, 0), y2].map(Math.round);
    const free = (top) => top + TAG_HEIGHT <= this.height && !this.taken.some(
      (t) => left < t.right && left + width > t.left && top < t.top + TAG_HEIGHT && top + TAG_HEIGHT > t.top);
    const top = tops.find(free);
    if (top !== undefined) {
      this.taken.push({ left, right: left + width, top });
      pen.fillStyle = color;
      pen.fillRect(left, top, width, TAG_HEIGHT);
      pen.fillStyle = inkOn(color);
      pen.textBaseline = "middle";
      pen.fillText(text, left + 4, top + TAG_HEIGHT / 2 + 0.5);
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }

  #width(text) {
    const key = this.font + text;
    if (!this.widths.has(key)) this.widths.set(key, this.pen.measureText(text).width);
    return this.widths.get(key);
  }
}

function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 150 ? "#111111" : "#ffffff";
}
