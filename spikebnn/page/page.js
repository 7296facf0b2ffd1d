"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const root = document.documentElement;
  const views = {};

  // ---- what the pointer is on

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);

  function showTip(event, value) {
    if (value === null || value === undefined || value === "") { tip.hidden = true; return; }
    tip.replaceChildren();
    const rows = typeof value === "object" ? Object.entries(value) : [[" ", value]];
    for (const [name, text] of rows) {
      const line = document.createElement(name.trim() ? "div" : "b");
      line.textContent = name.trim() ? `${name}: ${text}` : String(text);
      tip.append(line);
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect(), gap = 14;
    const left = event.clientX + gap + box.width > innerWidth ? event.clientX - gap - box.width : event.clientX + gap;
    const top = event.clientY + gap + box.height > innerHeight ? event.clientY - gap - box.height : event.clientY + gap;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  }

  // ---- figures

  async function draw(name, spec) {
    const place = document.getElementById(`plot-${name}`);
    const label = place.getAttribute("aria-label");
    const { view } = await vegaEmbed(place, spec, {
      mode: "vega", renderer: "svg", actions: false, defaultStyle: false,
      tooltip: (_handler, event, _item, value) => showTip(event, value),
    });
    views[name] = view;
    const svg = place.querySelector("svg");
    svg.setAttribute("aria-hidden", "true");
    place.setAttribute("aria-label", label);
    fit(svg);
  }

  function fit(svg) {  // so that paper, which is narrower than a screen, shows all of it
    const [width, height] = ["width", "height"].map((side) => parseFloat(svg.getAttribute(side)));
    if (!svg.getAttribute("viewBox")) svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  }

  // ---- core map

  function coreMap() {
    const view = views.cores;
    if (!view) return;
    const whole = ["x", "y"].map((axis) => [axis, view.scale(axis).domain().slice()]);
    for (const choice of document.querySelectorAll("input[name=metric]"))
      choice.addEventListener("change", () => view.signal("metric", choice.value).runAsync());
    document.getElementById("chip")?.addEventListener("change", (event) => view.signal("chip", Number(event.target.value)).runAsync());
    for (const button of document.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => {
        for (const [axis, all] of whole) {
          const now = view.scale(axis).domain(), by = button.dataset.zoom === "in" ? 0.5 : 2;
          const middle = (now[0] + now[1]) / 2, half = ((now[1] - now[0]) / 2) * by;
          const past = Math.abs(2 * half) >= Math.abs(all[1] - all[0]);
          view.signal(`zoom_${axis}1`, button.dataset.zoom === "reset" || past ? all : [middle - half, middle + half]);
        }
        view.runAsync();
      });
  }

  // ---- spike raster

  const raster = facts.raster;
  let bits = null;

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  const GAP = 6, FOOT = 34, HIGHEST = 560;

  function layout(width) {  // columns are ticks; within a column a block's neurons fill rows of `wide` dots
    const last = Math.max(...raster.blocks.map((block) => block.start)) + raster.period;
    const first = Math.min(...raster.blocks.map((block) => block.start));
    const label = Math.min(130, Math.max(64, width * 0.16));
    const room = Math.max(40, width - label - 8), ticks = last - first;
    const column = Math.max(1, Math.floor(room / ticks)), inner = column > 6 ? column - 2 : column;
    const total = raster.blocks.reduce((sum, block) => sum + block.neurons, 0);
    let dot = 1;
    for (const size of [6, 5, 4, 3, 2]) {
      const wide = Math.floor(inner / size);
      if (wide && (Math.ceil(total / wide) + raster.blocks.length) * size <= HIGHEST) { dot = size; break; }
    }
    const wide = Math.max(1, Math.floor(inner / dot));
    const rows = raster.blocks.map((block) => Math.ceil(block.neurons / wide));
    const squeeze = Math.max(1, Math.ceil((rows.reduce((a, b) => a + b, 0) * dot) / HIGHEST));
    let y = 0, offset = 0;
    const blocks = raster.blocks.map((block, k) => {
      const high = Math.max(15, Math.ceil(rows[k] / squeeze) * dot);
      const made = { ...block, y, high, offset };
      y += high + GAP;
      offset += block.neurons;
      return made;
    });
    return { first, ticks, label, column, dot, wide, squeeze, blocks, width: column * ticks, height: y - GAP, neurons: offset };
  }

  function paint(paper) {
    const place = document.getElementById("raster");
    if (!place || !bits) return;
    const shape = layout(place.clientWidth), frame = Number(document.getElementById("frame").value);
    const style = getComputedStyle(root);
    const color = (name, light) => rgb(paper ? light : style.getPropertyValue(name).trim());
    const [on, off] = [color("--spike", "#174a7c"), color("--q0", "#e9eef4")];
    const canvas = document.createElement("canvas");
    canvas.width = shape.width;
    canvas.height = shape.height;
    const pen = canvas.getContext("2d"), image = pen.createImageData(shape.width, shape.height);
    const stride = Math.ceil(shape.neurons / 8), base = frame * raster.period * stride;
    let seen = 0;
    for (const block of shape.blocks)
      for (let p = 0; p < raster.period; p++) {
        const x0 = (block.start - shape.first + p) * shape.column;
        const heat = new Float32Array(shape.wide * Math.ceil(block.high / shape.dot)), many = new Float32Array(heat.length);
        for (let n = 0; n < block.neurons; n++) {
          const at = block.offset + n, fired = (bits[base + p * stride + (at >> 3)] >> (at & 7)) & 1;
          const row = Math.floor(Math.floor(n / shape.wide) / shape.squeeze), cell = row * shape.wide + (n % shape.wide);
          heat[cell] += fired;
          many[cell] += 1;
          seen += fired;
        }
        for (let cell = 0; cell < heat.length; cell++) {
          if (!many[cell]) continue;
          const share = heat[cell] / many[cell], x = x0 + (cell % shape.wide) * shape.dot, y = block.y + Math.floor(cell / shape.wide) * shape.dot;
          for (let dy = 0; dy < shape.dot && y + dy < shape.height; dy++)
            for (let dx = 0; dx < shape.dot; dx++) {
              const edge = shape.dot > 2 && (dx === shape.dot - 1 || dy === shape.dot - 1) ? 0 : share;
              const k = 4 * ((y + dy) * shape.width + x + dx);
              for (let c = 0; c < 3; c++) image.data[k + c] = off[c] + (on[c] - off[c]) * edge;
              image.data[k + 3] = 255;
            }
        }
      }
    pen.putImageData(image, 0, 0);
    canvas.style.left = `${shape.label + 8}px`;
    place.style.height = `${shape.height + FOOT}px`;
    place.replaceChildren(canvas, ...labels(shape));
    place.dataset.spikes = seen;
    canvas.addEventListener("pointermove", (event) => hover(event, shape, base, stride));
    canvas.addEventListener("pointerleave", () => { document.getElementById("raster-hover").textContent = "\u00a0"; });
  }

  function labels(shape) {
    const out = [];
    const add = (name, text, box) => {
      const label = document.createElement("span");
      label.className = name;
      label.textContent = text;
      label.title = text;
      Object.assign(label.style, box);
      out.push(label);
    };
    for (const [k, block] of shape.blocks.entries())  // a name that does not fit stands in the table and under the pointer
      add("layer", block.layer.length * 6.5 < shape.label ? block.layer : `${k + 1}.`, { left: 0, width: `${shape.label}px`, top: `${block.y + block.high / 2 - 7}px` });
    const every = Math.max(1, Math.ceil(26 / shape.column));
    for (let tick = 0; tick < shape.ticks; tick += every)
      add("tick", String(shape.first + tick), { left: `${shape.label + 8 + (tick + 0.5) * shape.column - 20}px`, width: "40px", top: `${shape.height + 3}px` });
    add("axis", "tick after the frame's presentation", { left: `${shape.label + 8}px`, width: `${shape.width}px`, top: `${shape.height + 18}px` });
    return out;
  }

  function hover(event, shape, base, stride) {
    const box = event.target.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const block = shape.blocks.find((each) => y >= each.y && y < each.y + each.high);
    const tick = Math.floor(x / shape.column), told = document.getElementById("raster-hover");
    const p = block ? tick + shape.first - block.start : -1;
    const row = block ? Math.floor((y - block.y) / shape.dot) * shape.squeeze : 0;
    const n = row * shape.wide + Math.min(shape.wide - 1, Math.floor((x - tick * shape.column) / shape.dot));
    if (!block || p < 0 || p >= raster.period || n >= block.neurons) { told.textContent = "\u00a0"; return; }
    const at = block.offset + n, fired = (bits[base + p * stride + (at >> 3)] >> (at & 7)) & 1;
    told.textContent = `layer ${block.layer}, neuron ${n}, tick ${block.start + p}: ${fired ? "fires" : "silent"}`;
  }

  function rgb(text) {
    const digits = text.replace("#", "");
    return [0, 2, 4].map((k) => parseInt(digits.slice(k, k + 2), 16));
  }

  async function startRaster() {
    if (!raster) return;
    bits = await unpack(raster.bits);
    const frame = document.getElementById("frame");
    const turn = (by) => { frame.selectedIndex = (frame.selectedIndex + by + frame.length) % frame.length; paint(); };
    frame.addEventListener("change", () => paint());
    document.getElementById("before").addEventListener("click", () => turn(-1));
    document.getElementById("after").addEventListener("click", () => turn(1));
    paint();
    addEventListener("resize", () => paint());
    addEventListener("beforeprint", () => paint(true));
    addEventListener("afterprint", () => paint());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paint());
  }

  // ---- all of it

  (async () => {
    for (const [name, spec] of Object.entries(facts.figures)) {
      try {
        await draw(name, spec);
      } catch (error) {
        document.getElementById(`plot-${name}`).textContent = "This figure could not be drawn; its numbers stand in the table below.";
        console.error(`${name}: ${error}`);
      }
    }
    coreMap();
    await startRaster();
    if (window.startExcerpt) await window.startExcerpt({ facts, unpack, rgb, root });
    root.dataset.ready = String(Math.round(performance.now()));
  })();
})();
