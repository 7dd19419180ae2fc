// Painting: every group is one path, so that thousands of boxes are one stroke.
const DASHES = { solid: [], dash: [7, 5], dot: [2, 3] };
const TAG_FONT = '11px system-ui, "Segoe UI", Roboto, "Helvetica Neue", sans-serif';

function pathOf(boxes) {
  const path = new Path2D();
  for (let n = 0; n < boxes.length; n += 4) {
    path.rect(boxes[n], boxes[n + 1], boxes[n + 2] - boxes[n], boxes[n + 3] - boxes[n + 1]);
  }
  return path;
}

function stroke(pen, path, style, scale) {
  pen.globalAlpha = style.alpha ?? 1;
  pen.lineJoin = "miter";
  if (style.halo) {
    pen.setLineDash([]);
    pen.strokeStyle = style.halo;
    pen.lineWidth = (style.width + 1.5) / scale;
    pen.stroke(path);
  }
  pen.setLineDash(DASHES[style.dash ?? "solid"].map((part) => part / scale));
  pen.strokeStyle = style.color;
  pen.lineWidth = style.width / scale;
  pen.stroke(path);
  pen.setLineDash([]);
  pen.globalAlpha = 1;
}

// A coloured tag at the upper left corner of a box, inside at the top edge; tags that would cover one another
// are left out (`taken` holds those that stand).
function tag(pen, text, color, x, y, bounds, taken) {
  pen.font = TAG_FONT;
  const width = pen.measureText(text).width + 8;
  const left = Math.min(Math.max(x - 1, 0), Math.max(bounds.width - width, 0));
  const top = y - 16 < 0 ? Math.max(y, 0) : y - 16;
  const free = !taken.some((t) => left < t[2] && left + width > t[0] && top < t[3] && top + 16 > t[1]);
  if (!free || y > bounds.height || x > bounds.width || y < -4 || x + width < 0) return;
  taken.push([left, top, left + width, top + 16]);
  pen.fillStyle = color;
  pen.fillRect(left, top, width, 16);
  pen.fillStyle = inkOn(color);
  pen.textBaseline = "middle";
  pen.fillText(text, left + 4, top + 8.5);
}

function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 150 ? "#111111" : "#ffffff";
}
