// The two sliders below the picture: while one moves, the box filter runs here over the candidates sent along.
const MOST_TAGS = 60;

class Knobs {
  constructor(root, moved, released) {
    this.find = (name) => root.querySelector(`.${name}`);
    this.kept = null; // the candidates that stand in for the groups, while a threshold differs
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
    else this.reset();
  }

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
      return Math.abs(value - this.preview[name]) < 0.5 * Number(this.find(name).step) ? this.preview[name] : value;
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
