// The component: one object per canvas keeps what is shown, so that a rerun redraws and rebuilds nothing.
const SELECTED = "#E69F00";
const HALO = "rgba(255,255,255,0.85)";
const NEAR = 4; // screen pixels: less is a click, and not a drag
const MOST_PICKED = 100;

class Canvas {
  constructor(root) {
    this.root = root;
    this.find = (name) => root.querySelector(`.${name}`);
    this.stage = this.find("stage");
    this.surface = root.querySelector("canvas");
    this.pen = this.surface.getContext("2d");
    this.view = new View();
    this.chosen = this.hovered = this.kept = this.dragged = this.lastPick = null;
    this.frames = 0;
    this.#listen();
    this.sizes = new ResizeObserver(() => this.#measure());
    this.sizes.observe(this.stage);
  }

  show(data, send) {
    this.send = send;
    if (this.data === data) return;
    this.data = data;
    const { header, part } = unpack(data);
    const another = this.header?.picture !== header.picture;
    [this.header, this.part] = [header, part];
    for (const group of header.groups) group.path = pathOf(group.boxes);
    this.#images(another);
    const [height, width] = header.size;
    this.stage.style.aspectRatio = `${width} / ${height}`;
    this.stage.style.width = `min(100%, ${(85 * width) / height}vh)`;
    this.chosen = header.selected && { group: header.selected[0], place: header.selected[1] };
    this.hovered = this.kept = null;
    if (another) [this.lastPick, this.drawing] = [null, header.draw];
    this.find("words").textContent = header.words;
    this.find("tip").hidden = true;
    this.#knobs();
    this.#measure();
    if (another) this.view.fit();
    this.#tools();
    this.draw();
  }

  stop() {
    this.sizes.disconnect();
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
    if (!this.header) return;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const ratio = window.devicePixelRatio || 1;
    this.surface.width = Math.round(width * ratio);
    this.surface.height = Math.round(height * ratio);
    this.view.resize([this.header.size[1], this.header.size[0]], [width, height]);
    this.draw();
  }

  draw() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    this.waiting = 0;
    this.frames += 1;
    const { view, pen, header } = this;
    const ratio = this.surface.width / Math.max(this.stage.clientWidth, 1);
    for (const image of this.root.querySelectorAll("img")) {
      image.style.transform = `translate(${view.x}px, ${view.y}px)`;
      image.style.width = `${header.size[1] * view.scale}px`;
      image.style.height = `${header.size[0] * view.scale}px`;
    }
    this.find("image").classList.toggle("pixels", view.scale > 4);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.surface.width, this.surface.height);
    pen.setTransform(ratio * view.scale, 0, 0, ratio * view.scale, ratio * view.x, ratio * view.y);
    const dim = this.chosen ? 0.6 : 1;
    for (const group of this.#shown()) {
      stroke(pen, group.path, { ...group, alpha: group.opacity * dim }, view.scale);
    }
    for (const [box, width] of [[this.hovered, 3], [this.chosen, 4]]) {
      if (!box) continue;
      const { dash } = header.groups[box.group];
      stroke(pen, pathOf(this.#box(box)), { color: SELECTED, width, halo: HALO, dash }, view.scale);
    }
    if (this.dragged) stroke(pen, pathOf(this.dragged), { color: SELECTED, width: 2, halo: HALO }, view.scale);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.#tags();
  }

  // Groups as drawn now: while a slider moves, what the preview keeps stands in for some of them.
  #shown() {
    const groups = this.header.groups;
    if (!this.kept) return groups;
    const { replaces, color } = this.header.preview;
    const boxes = new Float32Array(this.kept.flatMap((n) => [...this.part.shown.subarray(4 * n, 4 * n + 4)]));
    const preview = { path: pathOf(boxes), color, width: 2, dash: "solid", opacity: 1 };
    return [...groups.filter((group) => !replaces.includes(group.name)), preview];
  }

  #tags() {
    const bounds = { width: this.stage.clientWidth, height: this.stage.clientHeight };
    const taken = [];
    const { view, header } = this;
    const put = (text, color, box) =>
      tag(this.pen, text, color, box[0] * view.scale + view.x, box[1] * view.scale + view.y, bounds, taken);
    if (this.chosen) {
      const text = header.groups[this.chosen.group].labels[this.chosen.place];
      if (text) put(text, SELECTED, this.#box(this.chosen));
    }
    if (this.kept) {
      const { categories, color } = header.preview;
      for (const n of this.kept.slice(0, 60)) {
        const text = `${categories[this.part.labels[n]]} ${this.part.scores[n].toFixed(2)}`;
        put(text, color, this.part.shown.subarray(4 * n, 4 * n + 4));
      }
    }
    for (const group of header.groups) {
      if (this.kept && header.preview.replaces.includes(group.name)) continue;
      group.labels.forEach((text, n) => put(text, group.color, group.boxes.subarray(4 * n, 4 * n + 4)));
    }
  }

  #box({ group, place }) {
    return this.header.groups[group].boxes.subarray(4 * place, 4 * place + 4);
  }

  // Every box under a point of the image, the smallest first; of equals, the one drawn later.
  under(x, y) {
    const slack = 2 / this.view.scale;
    const found = [];
    this.header.groups.forEach((group, number) => {
      if (!group.picks || (this.kept && this.header.preview.replaces.includes(group.name))) return;
      const b = group.boxes;
      for (let n = 0, at = 0; n < group.count; n++, at += 4) {
        if (x < b[at] - slack || x > b[at + 2] + slack || y < b[at + 1] - slack || y > b[at + 3] + slack) continue;
        found.push({ group: number, place: n, area: (b[at + 2] - b[at]) * (b[at + 3] - b[at + 1]) });
      }
    });
    return found.sort((a, b) => a.area - b.area || b.group - a.group || b.place - a.place);
  }

  pick(x, y) {
    const boxes = this.under(x, y).slice(0, MOST_PICKED);
    const names = boxes.map((box) => `${box.group}.${box.place}`).join();
    const last = this.lastPick;
    const again = last && last.names === names && boxes.length > 0
      && Math.hypot(last.x - x, last.y - y) * this.view.scale <= NEAR;
    const current = again ? (last.current + 1) % boxes.length : 0;
    this.lastPick = { names, current, x, y };
    this.#choose(boxes[current] ?? null);
    this.#tell(x, y, boxes, current);
  }

  #tell(x, y, boxes, current) {
    const pairs = boxes.map((box) => [box.group, box.place]);
    this.send("pick", { x, y, boxes: pairs, current: boxes.length ? current : null });
  }

  #choose(box) {
    this.chosen = box;
    this.find("said").textContent = box ? this.#words(box) : "Nothing is selected.";
    this.draw();
  }

  #words({ group, place }) {
    const { name, hover, labels } = this.header.groups[group];
    return hover[place] ?? labels[place] ?? `${name} ${place + 1}`;
  }

  // The next or the previous box in the order of drawing; what it is goes to the page when the keys rest.
  #step(by) {
    const all = this.header.groups.flatMap((group, number) =>
      group.picks ? Array.from({ length: group.count }, (_, place) => ({ group: number, place })) : []);
    if (!all.length) return;
    const same = (box) => box.group === this.chosen?.group && box.place === this.chosen?.place;
    const now = all.findIndex(same);
    const next = now < 0 ? (by > 0 ? 0 : all.length - 1) : (now + by + all.length) % all.length;
    this.#choose(all[next]);
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.#report(), 250);
  }

  #report() {
    if (!this.chosen) return;
    const b = this.#box(this.chosen);
    this.#tell((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, [this.chosen], 0);
  }

  #hover(event, [x, y]) {
    const [px, py] = this.view.toImage(x, y);
    const box = this.under(px, py)[0] ?? null;
    const key = box && `${box.group}.${box.place}`;
    if (key !== this.hoverKey) {
      this.hoverKey = key;
      this.hovered = box;
      this.draw();
    }
    const tip = this.find("tip");
    const text = box ? this.header.groups[box.group].hover[box.place] : undefined;
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const right = x + 14 + tip.offsetWidth > this.stage.clientWidth;
    const low = y + 14 + tip.offsetHeight > this.stage.clientHeight;
    tip.style.left = `${Math.max(0, right ? x - 10 - tip.offsetWidth : x + 14)}px`;
    tip.style.top = `${Math.max(0, low ? y - 10 - tip.offsetHeight : y + 14)}px`;
  }

  #listen() {
    const at = (event) => {
      const bounds = this.surface.getBoundingClientRect();
      return [event.clientX - bounds.left, event.clientY - bounds.top];
    };
    const { surface, stage } = this;
    surface.onpointerdown = (event) => {
      if (event.button !== 0) return;
      surface.setPointerCapture(event.pointerId);
      const [x, y] = at(event);
      this.drag = { x, y, from: this.view.toImage(x, y), moved: false, draws: this.drawing || event.shiftKey };
    };
    surface.onpointermove = (event) => {
      const [x, y] = at(event);
      if (!this.drag) return this.#hover(event, [x, y]);
      const { drag } = this;
      const far = Math.hypot(x - drag.x, y - drag.y) > NEAR;
      if (!drag.moved && !far) return;
      drag.moved = true;
      if (drag.draws) this.dragged = this.#cut(drag.from, this.view.toImage(x, y));
      else this.view.pan(event.movementX, event.movementY);
      this.draw();
    };
    surface.onpointerup = (event) => {
      const { drag } = this;
      this.drag = null;
      if (!drag) return;
      stage.focus({ preventScroll: true });
      if (!drag.moved) this.pick(...this.view.toImage(...at(event)));
      else if (this.dragged) this.send("drawn", [...this.dragged]);
    };
    surface.onpointerleave = () => {
      this.hovered = this.hoverKey = null;
      this.find("tip").hidden = true;
      this.draw();
    };
    surface.ondblclick = () => this.#do("fit");
    // The wheel belongs to the page until the picture is in use.
    stage.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey && !stage.matches(":focus")) return;
      event.preventDefault();
      this.view.by(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...at(event));
      this.draw();
    }, { passive: false });
    stage.onkeydown = (event) => this.#key(event);
    this.find("tools").onclick = (event) => this.#do(event.target.closest("button")?.dataset.do);
  }

  // A box within the image from two of its corners.
  #cut([x1, y1], [x2, y2]) {
    const [height, width] = this.header.size;
    const held = (value, most) => Math.min(Math.max(value, 0), most);
    return [
      held(Math.min(x1, x2), width), held(Math.min(y1, y2), height),
      held(Math.max(x1, x2), width), held(Math.max(y1, y2), height),
    ];
  }

  #key(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const does = { "+": "in", "=": "in", "-": "out", 0: "fit" };
    if (event.target !== this.stage || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) this.#step(steps[event.key]);
    else if (event.key in does) this.#do(does[event.key]);
    else if (event.key === "Enter") this.#report();
    else if (event.key === "Escape") this.#clear();
    else return;
    event.preventDefault();
  }

  #clear() {
    clearTimeout(this.resting);
    this.dragged = this.lastPick = null;
    this.#choose(null);
    this.#tell(-1, -1, [], 0);
  }

  #do(what) {
    const [width, height] = this.view.stage;
    if (what === "in") this.view.by(1.5, width / 2, height / 2);
    else if (what === "out") this.view.by(1 / 1.5, width / 2, height / 2);
    else if (what === "fit") this.view.fit();
    else if (what === "draw") this.drawing = !this.drawing;
    else return;
    this.#tools();
    this.draw();
  }

  #tools() {
    const button = this.find("tools").querySelector("[data-do=draw]");
    button.setAttribute("aria-pressed", String(Boolean(this.drawing)));
    this.stage.classList.toggle("drawing", Boolean(this.drawing));
  }

  #knobs() {
    const { preview } = this.header;
    this.find("knobs").hidden = !preview;
    if (!preview) return;
    for (const name of ["score", "nms"]) {
      const input = this.find(name);
      if (name === "score") input.min = Math.ceil(preview.floor * 200) / 200;
      input.value = preview[name];
      this.find(`${name}-value`).textContent = preview[name].toFixed(name === "score" ? 3 : 2);
      input.oninput = () => this.#slide();
      input.onchange = () => this.send("thresholds", this.#asked());
    }
    this.find("count").textContent = "";
  }

  // A slider that was not touched keeps the exact threshold it stands for.
  #asked() {
    const asked = (name) => {
      const value = Number(this.find(name).value);
      return Math.abs(value - this.header.preview[name]) < 1e-9 ? this.header.preview[name] : value;
    };
    return { score: asked("score"), nms: asked("nms") };
  }

  #slide() {
    const { score, nms } = this.#asked();
    this.find("score-value").textContent = score.toFixed(3);
    this.find("nms-value").textContent = nms.toFixed(2);
    this.kept = keptBy(this.header.preview, this.part, score, nms);
    this.chosen = this.hovered = null;
    this.find("count").textContent = `${this.kept.length} detection${this.kept.length === 1 ? "" : "s"}`;
    this.draw();
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".canvas");
  root.canvas ??= new Canvas(root);
  root.canvas.show(component.data, component.setTriggerValue);
  return () => {
    root.canvas?.stop();
    delete root.canvas;
  };
}
