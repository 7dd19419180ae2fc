// Pointer, wheel and keys of one canvas.
const NEAR = 4; // screen pixels: less is a click, and not a drag
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
const KEYS = { "+": "in", "=": "in", "-": "out", 0: "fit" };

function listen(canvas) {
  const { surface, stage, view } = canvas;
  const pointers = new Map();
  let drag = null;
  const at = (event) => {
    const bounds = surface.getBoundingClientRect();
    return [event.clientX - bounds.left, event.clientY - bounds.top];
  };

  surface.onpointerdown = (event) => {
    if (event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, at(event));
    if (pointers.size === 1) drag = { start: at(event), moved: false, draws: canvas.drawing };
    else Object.assign(drag, { moved: true, draws: false });
  };
  surface.onpointermove = (event) => {
    const now = at(event);
    if (!drag || !pointers.has(event.pointerId)) return canvas.hover(...now);
    const before = pointers.get(event.pointerId);
    pointers.set(event.pointerId, now);
    if (!drag.moved && distance(now, drag.start) <= NEAR) return;
    if (!drag.moved) canvas.unhover();
    drag.moved = true;
    if (pointers.size > 1) pinch(event.pointerId, before, now);
    else if (drag.draws) canvas.draft = canvas.cut(drag.start, now);
    else canvas.move(() => view.pan(now[0] - before[0], now[1] - before[1]));
    canvas.draw();
  };
  surface.onpointerup = (event) => {
    if (!pointers.delete(event.pointerId) || pointers.size) return;
    stage.focus({ preventScroll: true });
    if (!drag.moved) canvas.pick(...view.toImage(...at(event)));
    else if (drag.draws && canvas.draft) canvas.send("drawn", Array.from(canvas.draft));
    drag = null;
  };
  surface.onpointercancel = (event) => {
    pointers.delete(event.pointerId);
    drag = pointers.size ? drag : null;
  };
  surface.onpointerleave = () => canvas.unhover();
  surface.ondblclick = () => canvas.do("fit");

  const pinch = (id, before, now) => {
    const other = [...pointers].find(([key]) => key !== id)[1];
    const middle = (point) => [(point[0] + other[0]) / 2, (point[1] + other[1]) / 2];
    const [from, to] = [middle(before), middle(now)];
    const ratio = distance(now, other) / Math.max(distance(before, other), 1);
    canvas.move(() => {
      view.pan(to[0] - from[0], to[1] - from[1]);
      view.by(ratio, ...to);
    });
  };

  // The wheel belongs to the page until the picture is in use.
  stage.onwheel = (event) => {
    if (!event.ctrlKey && !event.metaKey && !stage.matches(":focus")) return;
    event.preventDefault();
    canvas.move(() => view.by(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), ...at(event)));
    canvas.hover(...at(event));
  };
  stage.onkeydown = (event) => {
    if (event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in STEPS) canvas.step(STEPS[event.key]);
    else if (event.key in KEYS) canvas.do(KEYS[event.key]);
    else if (event.key === "Enter") canvas.report();
    else if (event.key === "Escape") canvas.clear();
    else return;
    event.preventDefault();
  };
  canvas.find("tools").onclick = (event) => canvas.do(event.target.closest("button")?.dataset.do);
}

function distance(a, b) { return Math.hypot(a[0] - b[0], a[1] - b[1]); }
