// The report's own script: canvases without Streamlit, ladders that open from the picture, a gallery that filters.
const packetOf = (name) =>
  Uint8Array.from(atob(document.getElementById(`packet-${name}`).textContent), (letter) => letter.charCodeAt(0));

// Draw the packet of that name in a place; a place that holds a canvas already shows another picture.
function show(host, name) {
  if (!host.shadowRoot) {
    host.attachShadow({ mode: "open" }).innerHTML = `${CANVAS_MARKUP}<style>${CANVAS_STYLE}</style>`;
  }
  const told = (event, value) => { if (event === "pick") picked(host, value); };
  mountCanvas({ data: packetOf(name), parentElement: host.shadowRoot, setTriggerValue: told });
  host.dataset.shown = name;
  return host.shadowRoot.querySelector(".canvas").canvas;
}

// A click on a box opens what is said of it.
function picked(host, { boxes, current }) {
  const targets = JSON.parse(host.dataset.targets || "{}");
  const target = current === null ? null : document.getElementById(targets[boxes[current].join(".")] ?? "");
  if (!target) return;
  target.open = true;
  target.scrollIntoView({ block: "nearest" });
}

const boxOf = (text) => {
  const [group, place] = text.split(".").map(Number);
  return { group, place };
};

for (const host of document.querySelectorAll(".report-canvas[data-packet]")) {
  // Far below, pictures wait until somebody comes near.
  new IntersectionObserver(([seen], watch) => {
    if (!seen.isIntersecting) return;
    watch.disconnect();
    const canvas = show(host, host.dataset.packet);
    const opened = document.querySelector("details[open][data-box]");
    if (opened) canvas.choose(boxOf(opened.dataset.box));
  }, { rootMargin: "600px" }).observe(host);
}

for (const details of document.querySelectorAll("details[data-box]")) {
  details.addEventListener("toggle", () => {
    const host = document.querySelector(".report-canvas");
    const canvas = host?.shadowRoot?.querySelector(".canvas")?.canvas;
    if (details.open && canvas) canvas.choose(boxOf(details.dataset.box));
  });
}

for (const gallery of document.querySelectorAll("[data-gallery]")) wire(gallery);

function wire(gallery) {
  const cards = [...gallery.querySelectorAll("button[data-image]")];
  const viewer = gallery.querySelector(".viewer");
  const host = viewer.querySelector(".report-canvas");

  const open = (card) => {
    for (const other of cards) other.setAttribute("aria-pressed", String(other === card));
    viewer.querySelector(".about").textContent = card.dataset.about;
    viewer.querySelector(".reason").textContent = card.dataset.reason;
    show(host, card.dataset.image).choose(boxOf(card.dataset.box));
  };
  for (const card of cards) card.onclick = () => open(card);

  const chosen = { rung: "", category: "" };
  const filter = () => {
    let left = 0;
    for (const card of cards) {
      card.hidden = Object.entries(chosen).some(([name, value]) => value && card.dataset[name] !== value);
      left += !card.hidden;
    }
    gallery.querySelector(".shown").textContent = `${left} of ${cards.length}`;
    const first = cards.find((card) => !card.hidden);
    if (first && cards.every((card) => card.hidden || card.getAttribute("aria-pressed") !== "true")) open(first);
  };
  const category = gallery.querySelector("select");
  if (category) category.onchange = () => { chosen.category = category.value; filter(); };
  const narrow = (rung) => {
    chosen.rung = chosen.rung === rung ? "" : rung;
    for (const chip of document.querySelectorAll("[data-narrow]")) {
      chip.setAttribute("aria-pressed", String(chip.dataset.narrow === chosen.rung));
    }
    filter();
  };
  for (const chip of document.querySelectorAll("[data-narrow]")) {
    chip.onclick = () => {
      narrow(chip.dataset.narrow);
      if (!gallery.contains(chip)) gallery.scrollIntoView({ behavior: "smooth" });
    };
  }
  if (cards.length) open(cards[0]);
}
