"use strict";
// The spikes of a stream's first windows: columns are windows, rows are input lines and neurons.
window.startExcerpt = async ({ facts, unpack, rgb, root }) => {
  const excerpt = facts.excerpt;
  if (!excerpt) return;
  const bits = await unpack(excerpt.bits), windows = excerpt.times.length;
  const rows = excerpt.layers.reduce((sum, layer) => sum + layer.rows, 0), stride = Math.ceil(rows / 8);
  const GAP = 8, FOOT = 40, MOST = 200;
  const fires = (window, row) => (bits[window * stride + (row >> 3)] >> (row & 7)) & 1;

  function layout(width) {
    const label = Math.min(130, Math.max(64, width * 0.16)), room = Math.max(40, width - label - 8);
    const column = Math.max(1, Math.min(14, Math.floor(room / windows)));
    const shown = Math.min(windows, Math.floor(room / column));
    let y = 0, first = 0;
    const layers = excerpt.layers.map((layer) => {
      const dot = Math.max(1, Math.min(12, column, Math.floor(MOST / Math.max(1, layer.rows))));
      const squeeze = Math.max(1, Math.ceil((layer.rows * dot) / MOST)), high = Math.max(16, Math.ceil(layer.rows / squeeze) * dot);
      const made = { ...layer, y, first, dot, squeeze, high };
      y += high + GAP;
      first += layer.rows;
      return made;
    });
    return { label, column, shown, layers, width: shown * column, height: y - GAP };
  }

  function paint(paper) {
    const place = document.getElementById("raster"), shape = layout(place.clientWidth), style = getComputedStyle(root);
    const color = (name, light) => rgb(paper ? light : style.getPropertyValue(name).trim());
    const [on, off] = [color("--spike", "#174a7c"), color("--q0", "#e9eef4")];
    const canvas = document.createElement("canvas");
    canvas.width = shape.width;
    canvas.height = shape.height;
    const pen = canvas.getContext("2d");
    let seen = 0;
    for (const layer of shape.layers)
      for (let window = 0; window < shape.shown; window++)
        for (let row = 0; row < layer.rows; row += layer.squeeze) {
          let fired = 0;
          const many = Math.min(layer.squeeze, layer.rows - row);
          for (let k = 0; k < many; k++) fired += fires(window, layer.first + row + k);
          seen += fired;
          const share = Math.sqrt(fired / many);
          pen.fillStyle = `rgb(${off.map((from, c) => Math.round(from + (on[c] - from) * share)).join(",")})`;
          const edge = shape.column > 4 && layer.dot > 3 ? 1 : 0;
          pen.fillRect(window * shape.column, layer.y + (row / layer.squeeze) * layer.dot, shape.column - edge, layer.dot - edge);
        }
    canvas.style.left = `${shape.label + 8}px`;
    place.style.height = `${shape.height + FOOT}px`;
    place.replaceChildren(canvas, ...labels(shape));
    place.dataset.spikes = seen;
    canvas.addEventListener("pointermove", (event) => hover(event, shape));
    canvas.addEventListener("pointerleave", () => { document.getElementById("raster-hover").textContent = "\u00a0"; });
  }

  function labels(shape) {
    const out = [];
    const add = (name, text, box) => {
      const label = document.createElement("span");
      label.className = name;
      label.textContent = label.title = text;
      Object.assign(label.style, box);
      out.push(label);
    };
    for (const [k, layer] of shape.layers.entries()) {  // a name that does not fit stands in the table and under the pointer
      const name = layer.name === "input lines" ? "inputs" : layer.name;
      add("layer", name.length * 7 < shape.label ? name : `${k}.`, { left: 0, width: `${shape.label}px`, top: `${layer.y + layer.high / 2 - 7}px` });
    }
    const text = (k) => `${Number(excerpt.times[k].toPrecision(5))} s`;
    const left = shape.label + 8, end = shape.shown - 1;
    add("tick", text(0), { left: `${left}px`, width: "auto", top: `${shape.height + 3}px` });
    if (end && shape.width > 150)
      add("tick", text(end), { left: "auto", right: `calc(100% - ${left + shape.width}px)`, width: "auto", top: `${shape.height + 3}px` });
    add("axis", "window, by the time of its last row", { left: `${left}px`, width: "auto", "white-space": "nowrap", top: `${shape.height + 20}px` });
    return out;
  }

  function hover(event, shape) {
    const box = event.target.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const window = Math.floor(x / shape.column), layer = shape.layers.find((each) => y >= each.y && y < each.y + each.high);
    const told = document.getElementById("raster-hover");
    const row = layer ? Math.floor((y - layer.y) / layer.dot) * layer.squeeze : 0;
    if (!layer || row >= layer.rows || window >= shape.shown) { told.textContent = "\u00a0"; return; }
    const last = Math.min(layer.rows, row + layer.squeeze) - 1, name = facts.classes[excerpt.chosen[window]] ?? excerpt.chosen[window];
    let fired = 0;
    for (let k = row; k <= last; k++) fired += fires(window, layer.first + k);
    const what = layer.name === "input lines" ? "input line" : `${layer.name}, neuron`;
    const which = last > row ? `${row} to ${last}: ${fired} fire` : `${row}: ${fired ? "fires" : "silent"}`;
    told.textContent = `window at ${excerpt.times[window]} s, decided ${name}; ${what} ${which}`;
  }

  paint();
  addEventListener("resize", () => paint());
  addEventListener("beforeprint", () => paint(true));
  addEventListener("afterprint", () => paint());
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint());
};
