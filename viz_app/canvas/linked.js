// Pictures of one group look at the same place: what is moved or zoomed in one is so in all of them.
const MOVED = "boxscope-moved";

class Linked {
  constructor(canvas) {
    this.canvas = canvas;
    this.follow = ({ detail: { from, group, place } }) => {
      if (from !== canvas && group === this.group) canvas.turn(() => canvas.view.lookAt(place));
    };
    window.addEventListener(MOVED, this.follow);
  }

  get group() { return this.canvas.header?.linked ?? null; }

  tell() {
    const { canvas, group } = this;
    if (group === null) return;
    window.dispatchEvent(new CustomEvent(MOVED, { detail: { from: canvas, group, place: canvas.view.place } }));
  }

  stop() { window.removeEventListener(MOVED, this.follow); }
}
