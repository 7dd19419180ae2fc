// The packet that packet.py packs: a header, and its parts as typed arrays.
function unpack(data) {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  let start = 4 + length;
  const part = {};
  for (const name of ["image", "overlay", "raster", "boxes", "shown", "candidates", "scores", "labels"]) {
    if (!(name in header.parts)) continue;
    const end = start + header.parts[name];
    // A copy starts at a multiple of four, as typed arrays must.
    const own = bytes.slice(start, end);
    part[name] = ["image", "overlay", "raster"].includes(name) ? own : new Float32Array(own.buffer);
    start = Math.ceil(end / 4) * 4;
  }
  let first = 0;
  for (const group of header.groups) {
    group.boxes = part.boxes.subarray(4 * first, 4 * (first + group.count));
    first += group.count;
  }
  return { header, part };
}
