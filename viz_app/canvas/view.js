// Where the image lies on the stage: one scale and one offset, both in screen pixels.
const FINEST = 48; // screen pixels for one image pixel

class View {
  constructor() { this.zoom = 1; this.x = this.y = 0; this.image = [1, 1]; this.stage = [1, 1]; }

  get base() { return Math.min(this.stage[0] / this.image[0], this.stage[1] / this.image[1]); }

  get scale() { return this.base * this.zoom; }

  resize(image, stage) {
    const same = image.join() === this.image.join() && stage.join() === this.stage.join();
    if (same) return;
    [this.image, this.stage] = [image, stage];
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.#hold();
  }

  // Zoom by a factor; the point (x, y) of the stage stays where it is.
  by(factor, x, y) {
    const zoom = Math.min(Math.max(this.zoom * factor, 1), Math.max(1, FINEST / this.base));
    const ratio = zoom / this.zoom;
    this.zoom = zoom;
    this.x = x - (x - this.x) * ratio;
    this.y = y - (y - this.y) * ratio;
    this.#hold();
  }

  pan(dx, dy) {
    this.x += dx;
    this.y += dy;
    this.#hold();
  }

  // What is looked at, whatever the size of the stage: the zoom, and the share of the image in its middle.
  get place() {
    const [x, y] = this.toImage(this.stage[0] / 2, this.stage[1] / 2);
    return [this.zoom, x / this.image[0], y / this.image[1]];
  }

  lookAt([zoom, x, y]) {
    this.zoom = zoom;
    this.x = this.stage[0] / 2 - x * this.image[0] * this.scale;
    this.y = this.stage[1] / 2 - y * this.image[1] * this.scale;
    this.#hold();
  }

  toImage(x, y) { return [(x - this.x) / this.scale, (y - this.y) / this.scale]; }

  // The image never leaves the stage: centred where it is smaller, without a gap where it is larger.
  #hold() {
    const inside = (offset, side, room) =>
      side <= room ? (room - side) / 2 : Math.min(0, Math.max(room - side, offset));
    this.x = inside(this.x, this.image[0] * this.scale, this.stage[0]);
    this.y = inside(this.y, this.image[1] * this.scale, this.stage[1]);
  }
}
