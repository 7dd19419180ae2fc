// The boxes by group and place: which lie under a point, which comes next, what each is in words.
class Boxes {
  constructor(header) {
    this.groups = header.groups;
    this.pointed = header.pointed; // the selected box, even if its group came as one picture
  }

  at({ group, place }) {
    const { boxes, count } = this.groups[group];
    return place < count ? boxes.subarray(4 * place, 4 * place + 4) : Float32Array.from(this.pointed ?? []);
  }

  // Every box that holds a point of the image, the smallest first; of equals, the one drawn later.
  under(x, y, slack, hidden = []) {
    const found = [];
    this.groups.forEach(({ name, picks, boxes: b, count }, group) => {
      if (!picks || hidden.includes(name)) return;
      for (let place = 0, n = 0; place < count; place++, n += 4) {
        if (x < b[n] - slack || x > b[n + 2] + slack || y < b[n + 1] - slack || y > b[n + 3] + slack) continue;
        found.push({ group, place, area: (b[n + 2] - b[n]) * (b[n + 3] - b[n + 1]) });
      }
    });
    return found.sort((a, b) => a.area - b.area || b.group - a.group || b.place - a.place);
  }

  // The box `by` places after this one in the order of drawing, over all groups, around the end.
  step(box, by) {
    const counts = this.groups.map(({ picks, count }) => (picks ? count : 0));
    const all = counts.reduce((sum, count) => sum + count, 0);
    if (!all) return null;
    const before = (group) => counts.slice(0, group).reduce((sum, count) => sum + count, 0);
    const known = box && box.place < counts[box.group];
    const now = known ? before(box.group) + box.place : by > 0 ? -1 : all;
    let place = (now + by + all) % all;
    let group = 0;
    while (place >= counts[group]) place -= counts[group++];
    return { group, place };
  }

  label({ group, place }) { return this.groups[group].labels[place]; }

  tip({ group, place }) { return this.groups[group].hover[place]; }

  words(box) { return this.tip(box) ?? this.label(box) ?? `${this.groups[box.group].name} ${box.place + 1}`; }
}

const sameBox = (a, b) => a?.group === b?.group && a?.place === b?.place;
