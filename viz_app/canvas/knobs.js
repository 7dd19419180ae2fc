// The two sliders below the picture, and those of the sidebar that mean the same: while one moves, the box filter
// runs here over the candidates sent along.
const MOST_TAGS = 60;

class Knobs {
  constructor(root, moved, released) {
    this.find = (name) => root.querySelector(`.${name}`);
    this.kept = null; // the candidates that stand in for the groups, while a threshold differs
    this.sidebar = new Sidebar(() => { if (this.#follow()) moved(); });
    for (const name of ["score", "nms"]) {
      this.find(name).oninput = () => { this.sliding = true; this.#run(); moved(); };
      this.find(name).onchange = () => { this.sliding = false; released(this.asked()); };
    }
  }

  // A packet may arrive while a slider is held: then the slider stays, and its answer follows the packet.
  show(preview, part) {
    [this.preview, this.part] = [preview, part];
    this.find("knobs").hidden = !preview;
    if (preview && this.sliding) this.#run();
    else this.reset(), this.#follow();
  }

  // Whether the sidebar's sliders changed what is to be drawn. Below the lowest candidate only the replay knows.
  #follow() {
    if (!this.preview || this.sliding) return false;
    const asked = ["score", "nms"].map((name) => [name, this.sidebar.value(this.preview.sliders[name])]);
    const moved = asked.filter(([name, value]) => value !== null && this.#differs(name, value));
    if (moved.some(([name, value]) => value < Number(this.find(name).min))) return false;
    const before = this.kept;
    if (before || moved.length) this.reset();
    for (const [name, value] of moved) this.find(name).value = value;
    if (moved.length) this.#run();
    return Boolean(before || moved.length);
  }

  #differs(name, value) { return Math.abs(value - this.preview[name]) >= 0.5 * Number(this.find(name).step); }

  reset() {
    this.kept = null;
    this.sliding = false;
    this.find("count").textContent = "";
    if (!this.preview) return;
    this.find("score").min = Math.ceil(this.preview.floor * 200) / 200;
    for (const name of ["score", "nms"]) this.find(name).value = this.preview[name];
    this.#say(this.preview);
  }

  // A slider that was not touched keeps the exact threshold it stands for.
  asked() {
    const asked = (name) => {
      const value = Number(this.find(name).value);
      return this.#differs(name, value) ? value : this.preview[name];
    };
    return { score: asked("score"), nms: asked("nms") };
  }

  get replaced() { return this.kept ? this.preview.replaces : []; }

  get boxes() { return Float32Array.from(this.kept.flatMap((n) => Array.from(this.#box(n)))); }

  // [text, box] of the strongest.
  get tags() {
    const { labels, scores } = this.part;
    const text = (n) => `${this.preview.categories[labels[n]]} ${scores[n].toFixed(2)}`;
    return (this.kept ?? []).slice(0, MOST_TAGS).map((n) => [text(n), this.#box(n)]);
  }

  #box(n) { return this.part.shown.subarray(4 * n, 4 * n + 4); }

  #run() {
    const { score, nms } = this.asked();
    this.#say({ score, nms });
    this.kept = keptBy(this.preview, this.part, score, nms);
    this.find("count").textContent = `${this.kept.length} detection${this.kept.length === 1 ? "" : "s"}`;
  }

  #say({ score, nms }) {
    this.find("score-value").textContent = score.toFixed(3);
    this.find("nms-value").textContent = nms.toFixed(2);
  }
}
