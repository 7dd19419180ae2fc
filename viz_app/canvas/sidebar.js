// The sidebar's sliders of the same thresholds: Streamlit tells of them on release, the picture follows at once.
class Sidebar {
  constructor(changed) {
    this.place = document.querySelector("[data-testid=stSidebar]");
    this.watch = new MutationObserver(changed);
    if (this.place) this.watch.observe(this.place, { attributes: true, attributeFilter: ["value"], subtree: true });
  }

  // What the slider of this label stands at; null where there is none.
  value(label) {
    const slider = label && this.place?.querySelector(`input[type=range][aria-label="${CSS.escape(label)}"]`);
    return slider ? Number(slider.value) : null;
  }

  stop() { this.watch.disconnect(); }
}
