// The component: one object per canvas keeps what is shown, so that a rerun redraws and rebuilds nothing.
const SELECTED = "#E69F00";
const RIM = { color: "#ffffff", alpha: 0.85 };
const DARK_RIM = { color: "#000000", alpha: 0.7 };
const DIMMED = 0.6;
const MOST_PICKED = 100;
const REST = 150; // ms without a movement, after which everything is drawn in full

class Canvas {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`.${name}`);
    [this.stage, this.surface] = [this.find("stage"), root.querySelector("canvas")];
    this.painter = new Painter(this.surface);
    this.view = new View();
    this.knobs = new Knobs(root, () => this.#previewed(), (asked) => this.send("thresholds", asked));
    this.chosen = this.hovered = this.draft = this.lastPick = null;
    listen(this);
    this.linked = new Linked(this);
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(this.stage);
  }

  show(data, send) {
    this.send = send;
    if (this.data && sameBytes(this.data, data)) {
      // Nothing became of a threshold that was released.
      if (this.knobs.kept && !this.knobs.sliding) this.knobs.show(this.header.preview, this.part), this.draw();
      return;
    }
    this.data = data;
    const { header, part } = unpack(data);
    const before = this.header;
    const another = before?.picture !== header.picture || before.size.join() !== header.size.join();
    [this.header, this.part, this.boxes] = [header, part, new Boxes(header)];
    this.#images(another);
    const [height, width] = header.size;
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.width = `min(100%, ${(85 * width) / height}vh)`;
    this.#follow(before, another);
    this.hovered = this.draft = null;
    if (another || before.draw !== header.draw) this.drawing = header.draw;
    this.find("words").textContent = header.words;
    this.find("tip").hidden = true;
    this.knobs.show(header.preview, part);
    this.#measure();
    if (another) this.view.fit();
    this.#tools();
    this.draw();
  }

  // What the page says is selected; where it says nothing new, the box that was clicked stays chosen.
  #follow(before, another) {
    const [now, then] = [this.header, before].map((header) => `${header?.selected} ${header?.drawn}`);
    if (!another && now === then) return;
    const [group, place] = this.header.selected ?? [];
    this.chosen = this.header.selected && { group, place };
    if (another) this.lastPick = null;
  }

  stop() {
    this.sizes.disconnect();
    this.knobs.sidebar.stop();
    this.linked.stop();
    for (const image of this.root.querySelectorAll("img")) URL.revokeObjectURL(image.src);
  }

  #images(another) {
    const kinds = { image: "image/jpeg", overlay: "image/png", raster: "image/png" };
    for (const [name, type] of Object.entries(kinds)) {
      const image = this.find(name);
      if (name === "image" && !another) continue;
      if (image.src) URL.revokeObjectURL(image.src);
      image.hidden = !(name in this.part);
      if (image.hidden) image.removeAttribute("src");
      else image.src = URL.createObjectURL(new Blob([this.part[name]], { type }));
    }
  }

  #measure() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!this.header || !width) return;
    this.painter.resize(width, height);
    this.view.resize([this.header.size[1], this.header.size[0]], [width, height]);
    this.#paint(); // at once: a canvas is empty after it has got a size
  }

  // Change the view, here and on the pictures that are linked to this one.
  move(change) {
    this.turn(change);
    this.linked.tell();
  }

  // Change the view; whatever takes long is drawn when it rests.
  turn(change) {
    change();
    this.moving = true;
    clearTimeout(this.rest);
    this.rest = setTimeout(() => { this.moving = false; this.draw(); }, REST);
    this.draw();
  }

  draw() { this.waiting ||= requestAnimationFrame(() => this.#paint()); }

  #paint() {
    cancelAnimationFrame(this.waiting);
    this.waiting = 0;
    this.frames = (this.frames ?? 0) + 1; // for whoever waits for new pixels
    const { view, painter, header, knobs, boxes } = this;
    this.#place();
    painter.begin(view);
    const dim = this.chosen ? DIMMED : 1;
    for (const group of header.groups) {
      if (knobs.replaced.includes(group.name)) continue;
      painter.strokes(group.boxes, { ...group, alpha: group.opacity * dim }, this.moving);
    }
    if (knobs.kept) painter.strokes(knobs.boxes, { color: header.preview.color, width: 2 });
    const { hovered, chosen, draft } = this;
    if (hovered && !sameBox(hovered, chosen)) {
      const { color, width, dash } = header.groups[hovered.group];
      const halo = inkOn(color) === "#ffffff" ? RIM : DARK_RIM;
      painter.strokes(boxes.at(hovered), { color, dash, width: width + 1, halo });
    }
    if (chosen) painter.strokes(boxes.at(chosen), { color: SELECTED, width: 3, halo: RIM });
    if (draft) painter.strokes(draft, { color: SELECTED, width: 2, halo: RIM });
    this.#tags();
  }

  // The pictures beneath the lines.
  #place() {
    const { view } = this;
    const [height, width] = this.header.size;
    for (const image of this.root.querySelectorAll("img")) {
      image.style.transform = `translate(${view.x}px, ${view.y}px)`;
      image.style.width = `${width * view.scale}px`;
      image.style.height = `${height * view.scale}px`;
    }
    this.find("image").classList.toggle("pixels", view.scale > 4);
    this.stage.classList.toggle("zoomed", view.zoom > 1);
  }

  // The chosen box and the one under the pointer come first: their tags always have room.
  #tags() {
    const { painter, boxes, knobs, header, chosen, hovered } = this;
    if (chosen) painter.tag(boxes.label(chosen), SELECTED, boxes.at(chosen));
    if (hovered && !sameBox(hovered, chosen)) {
      painter.tag(boxes.label(hovered), header.groups[hovered.group].color, boxes.at(hovered));
    }
    for (const [text, box] of knobs.tags) painter.tag(text, header.preview.color, box);
    // What is drawn on top says its name first.
    header.groups.map((group, place) => [group, place]).reverse().forEach(([{ name, color, labels }, group]) => {
      if (knobs.replaced.includes(name)) return;
      labels.forEach((text, place) => {
        const box = { group, place };
        if (!sameBox(box, chosen) && !sameBox(box, hovered)) painter.tag(text, color, boxes.at(box));
      });
    });
  }

  under(x, y) { return this.boxes.under(x, y, 2 / this.view.scale, this.knobs.replaced); }

  // A click: the smallest box there; at the same place again, the next one.
  pick(x, y) {
    const found = this.under(x, y).slice(0, MOST_PICKED);
    const names = found.map(({ group, place }) => `${group}.${place}`).join();
    const last = this.lastPick;
    const again = last?.names === names && distance([last.x, last.y], [x, y]) * this.view.scale <= NEAR;
    const current = again && found.length ? (last.current + 1) % found.length : 0;
    this.lastPick = { names, current, x, y };
    this.choose(found[current] ?? null);
    this.#tell(x, y, found, current);
  }

  #tell(x, y, found, current) {
    const pairs = found.map(({ group, place }) => [group, place]);
    this.send("pick", { x, y, boxes: pairs, current: pairs.length ? current : null });
  }

  choose(box) {
    this.chosen = box;
    this.find("said").textContent = box ? this.boxes.words(box) : "Nothing is selected.";
    this.draw();
  }

  // The next or the previous box; the page hears of it when the keys rest.
  step(by) {
    const next = this.boxes.step(this.chosen, by);
    if (!next) return;
    this.choose(next);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.report(), 250);
  }

  report() {
    clearTimeout(this.resting);
    if (!this.chosen) return;
    const [x1, y1, x2, y2] = this.boxes.at(this.chosen);
    this.#tell((x1 + x2) / 2, (y1 + y2) / 2, [this.chosen], 0);
  }

  clear() {
    clearTimeout(this.resting);
    this.draft = this.lastPick = null;
    this.choose(null);
    this.#tell(-1, -1, [], 0); // outside the picture: no click
  }

  hover(x, y) {
    const box = this.under(...this.view.toImage(x, y))[0] ?? null;
    if (!sameBox(box, this.hovered)) {
      this.hovered = box;
      this.draw();
    }
    const tip = this.find("tip");
    const text = box && this.boxes.tip(box);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const left = x + 14 + tip.offsetWidth > width ? x - 10 - tip.offsetWidth : x + 14;
    const top = y + 14 + tip.offsetHeight > height ? y - 10 - tip.offsetHeight : y + 14;
    tip.style.left = `${Math.max(0, left)}px`;
    tip.style.top = `${Math.max(0, top)}px`;
  }

  unhover() {
    this.hovered = null;
    this.find("tip").hidden = true;
    this.draw();
  }

  // A box within the image from two points of the stage.
  cut(start, end) {
    const [height, width] = this.header.size;
    const [[x1, y1], [x2, y2]] = [start, end].map((point) => this.view.toImage(...point));
    const held = (value, most) => Math.min(Math.max(value, 0), most);
    return [
      held(Math.min(x1, x2), width), held(Math.min(y1, y2), height),
      held(Math.max(x1, x2), width), held(Math.max(y1, y2), height),
    ];
  }

  do(what) {
    if (what === "in") this.view.by(1.5, ...this.#middle());
    else if (what === "out") this.view.by(1 / 1.5, ...this.#middle());
    else if (what === "fit") this.view.fit();
    else if (what === "draw") this.drawing = !this.drawing;
    else return;
    if (what !== "draw") this.linked.tell();
    this.#tools();
    this.unhover(); // something else lies under the pointer now
  }

  // What buttons and keys zoom around: the chosen box, or the middle of what shows.
  #middle() {
    const { view, chosen } = this;
    if (!chosen) return view.stage.map((side) => side / 2);
    const [x1, y1, x2, y2] = this.boxes.at(chosen);
    return [((x1 + x2) / 2) * view.scale + view.x, ((y1 + y2) / 2) * view.scale + view.y];
  }

  #tools() {
    const button = this.find("tools").querySelector("[data-do=draw]");
    button.hidden = !this.header.draw;
    button.setAttribute("aria-pressed", String(Boolean(this.drawing)));
    this.stage.classList.toggle("drawing", Boolean(this.drawing));
  }

  #previewed() {
    this.chosen = this.hovered = null;
    this.draw();
  }
}

function sameBytes(a, b) {
  if (a.length !== b.length) return false;
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) return false;
  return true;
}

export default function (component) {
  const root = component.parentElement.querySelector(".canvas");
  root.canvas ??= new Canvas(root);
  root.canvas.show(component.data, component.setTriggerValue);
  // Streamlit may clean up after a call that a later one has overtaken.
  const call = (root.call = (root.call ?? 0) + 1);
  return () => {
    if (root.call !== call) return;
    root.canvas?.stop();
    delete root.canvas;
  };
}
