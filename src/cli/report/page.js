"use strict";
/* What moves in a report: its colours, the downloads, and the explorer, which runs the decoder. The page is whole without
 * it. Every text from a file goes through textContent. */

/* ---- Small things ------------------------------------------------------------------------------------------------ */

const make = (parent, name, attributes = {}, text = "") => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return parent.appendChild(element);
};

const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/* Half precision numbers (IEEE 754 binary16): the low bytes of all, then their high bytes, deflated. */
const halves = async (base64) => {
  const stream = new Blob([bytes(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const from = new Uint8Array(await new Response(stream).arrayBuffer()), to = new Float32Array(from.length / 2);
  for (let i = 0; i < to.length; i++) {
    const half = from[i] | from[to.length + i] << 8, exponent = half >> 10 & 31, mantissa = half & 1023;
    const size = exponent ? (1024 + mantissa) * 2 ** (exponent - 25) : mantissa * 2 ** -24;
    to[i] = half & 0x8000 ? -size : size;
  }
  return to;
};

/* ---- The decoder: the same functions as src/net/activation.c and the means of src/likelihood ---------------------- */

const sigmoid = (x) => 1 / (1 + Math.exp(-x));

const activations = {
  relu: (x) => Math.max(x, 0),
  tanh: Math.tanh,
  sigmoid,
  softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  elu: (x) => x > 0 ? x : Math.expm1(x),
};

/* Near 0 the mean of a continuous Bernoulli is its series. */
const means = {
  bernoulli: sigmoid,
  cbernoulli: (l) => Math.abs(l) < 0.01 ? 0.5 + l / 12 : 1 / (1 - Math.exp(-l)) - 1 / l,
  gaussian: (x) => x,
};

/* W x + b. Behind the weights of x each row has those of the labels. */
const linear = (layer, x, label) => {
  const rows = layer.bias.length, width = layer.weight.length / rows, sums = new Float64Array(rows);
  for (let r = 0; r < rows; r++) {
    let sum = layer.bias[r];
    for (let i = 0; i < x.length; i++) sum += layer.weight[r * width + i] * x[i];
    sums[r] = width > x.length ? sum + layer.weight[r * width + x.length + label] : sum;
  }
  return sums;
};

/* Where layers are gated, every hidden one comes as two: h, and behind it the g of h sigmoid(g). */
const decoder = ({ layers, ...model }) => {
  const gated = model.activation === "gated", last = layers.length - 1;
  return (z, label = 0) => {
    let x = z;
    for (let i = 0; i < last; i += gated ? 2 : 1) {
      const h = linear(layers[i], x, label), g = gated && linear(layers[i + 1], x, label);
      x = gated ? h.map((value, k) => value * sigmoid(g[k])) : h.map(activations[model.activation]);
    }
    return linear(layers[last], x, label).map(means[model.likelihood]);
  };
};

/* ---- Draws from factorised priors, as src/prior draws them; other priors bring draws with them --------------------- */

const uniform = () => 1 - Math.random();  /* in (0, 1] */
const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * Math.random());

const samplers = {
  normal,
  spikeslab: ({ p, c2 }) => normal() * (Math.random() < p ? Math.sqrt(c2) : 1),
  laplace: ({ scale }) => scale * Math.log(uniform() / uniform()),
  cauchy: ({ scale }) => scale * Math.tan(Math.PI * (uniform() - 0.5)),
  studentt: ({ nu, scale }) =>
    scale * Math.sqrt(nu * Math.expm1(-2 / nu * Math.log(uniform()))) * Math.cos(2 * Math.PI * Math.random()),
  logistic: ({ scale }) => { const u = uniform(); return scale * Math.log(u / (1 - u)); },
};

/* ---- The explorer ------------------------------------------------------------------------------------------------- */

const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const colour = (label) => `oklch(${style("color-scheme").includes("dark") ? 0.8 : 0.52} 0.15 ${label * 137.5 % 360})`;
const short = (value) => Number(value.toPrecision(3)).toString();

/* A canvas that is drawn in units of CSS, sharp on every screen, and again when its width changes. */
const surface = (parent, attributes, aspect, draw) => {
  const canvas = make(parent, "canvas", attributes), context = canvas.getContext("2d");
  const redraw = () => {
    const width = canvas.clientWidth, height = width * aspect, scale = devicePixelRatio;
    if (!width) return;
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    draw(context, width, height);
  };
  new ResizeObserver(redraw).observe(canvas);
  return { canvas, redraw };
};

/* Pixels as they are decoded, one dot each; the browser enlarges them. */
const picture = (parent, model) => {
  const canvas = make(parent, "canvas", { class: "picture", role: "img", width: model.cols, height: model.rows,
    "aria-label": "The decoded picture" });
  const context = canvas.getContext("2d"), image = context.createImageData(model.cols, model.rows);
  return (x) => {
    for (let i = 0; i < model.rows * model.cols; i++) {
      image.data.fill(255 * Math.min(1, Math.max(0, x[i])) + 0.5, 4 * i, 4 * i + 3);
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  };
};

/* Rows of numbers: a point among the data where there are two, else a bar for each. */
const values = (parent, model) => {
  const { data } = model, D = model.cols, [low, high] = model.limits;
  let x = [];
  const draw = (context, width, height) => {
    const at = (value, size) => (value - low) / (high - low) * (size - 16) + 8;
    context.fillStyle = style("--quiet");
    context.globalAlpha = 0.4;
    for (let i = 0; D === 2 && i < data.length; i += 2)
      context.fillRect(at(data[i], width) - 1, height - at(data[i + 1], height) - 1, 2, 2);
    context.globalAlpha = 1;
    context.fillStyle = style("--accent");
    if (D === 2) {
      context.beginPath();
      context.arc(at(x[0], width), height - at(x[1], height), 6, 0, 7);
      context.fill();
    } else {
      const zero = height - at(Math.min(high, Math.max(low, 0)), height), step = width / D;
      for (let i = 0; i < D; i++) {
        const top = height - at(x[i], height);
        context.fillRect(i * step + step * 0.1, Math.min(top, zero), step * 0.8, Math.abs(top - zero) + 0.5);
      }
    }
  };
  const { redraw } = surface(parent, { role: "img", "aria-label": "The decoded values" }, 1, draw);
  return (decoded) => { x = decoded; redraw(); };
};

/* Two latents and the encoded images in them. With a single latent the height tells the labels apart. */
const plane = (parent, model, z, moved) => {
  const L = model.latent, n = model.encoded.length / L, dims = [model.order[0], model.order[Math.min(1, L - 1)]].sort((a, b) => a - b);
  const label = (i) => model.labels ? model.labels[i] : 0, most = model.labels ? Math.max(...model.labels) : 0;
  const span = (axis) => L === 1 && axis ? [-1, most + 1] : model.range[dims[axis]];
  const place = (values, i, axis) => L === 1 && axis ? label(i) : values[i * L + dims[axis]];
  let hovered = -1, size = [1, 1];

  const to = (value, axis) => {
    const [low, high] = span(axis), share = (value - low) / (high - low);
    return (axis ? 1 - share : share) * (size[axis] - 40) + 20;
  };
  const from = (dots, axis) => {
    const [low, high] = span(axis), share = (dots - 20) / (size[axis] - 40);
    return low + (high - low) * Math.min(1.03, Math.max(-0.03, axis ? 1 - share : share));
  };
  const axes = (context, width, height) => {
    context.strokeStyle = style("--line");
    context.beginPath();
    context.moveTo(to(0, 0), 0), context.lineTo(to(0, 0), height);
    if (L > 1) context.moveTo(0, to(0, 1)), context.lineTo(width, to(0, 1));
    context.stroke();
    context.fillStyle = style("--quiet");
    context.textAlign = "left";
    context.fillText(short(span(0)[0]), 4, height - 6);
    context.textAlign = "right";
    context.fillText(`z${dims[0]} \u2192  ${short(span(0)[1])}`, width - 4, height - 6);
    context.textAlign = "left";
    if (L > 1) context.fillText(`${short(span(1)[1])}  \u2191 z${dims[1]}`, 4, 10);
  };
  const draw = (context, width, height) => {
    size = [width, height];
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    axes(context, width, height);
    context.textAlign = "center";
    for (let i = 0; i < n; i++) {
      const x = to(place(model.encoded, i, 0), 0), y = to(place(model.encoded, i, 1), 1);
      context.fillStyle = model.labels ? colour(label(i)) : style("--quiet");
      if (model.labels) context.fillText(label(i), x, y);
      else context.fillRect(x - 1.5, y - 1.5, 3, 3);
    }
    context.strokeStyle = style("--ink");
    context.lineWidth = 2;
    context.beginPath();
    context.arc(to(z[dims[0]], 0), L > 1 ? to(z[dims[1]], 1) : height / 2, 8, 0, 7);
    context.stroke();
    context.lineWidth = 1;
    if (hovered < 0) return;
    context.strokeRect(to(place(model.encoded, hovered, 0), 0) - 7, to(place(model.encoded, hovered, 1), 1) - 8, 14, 16);
  };
  const box = make(parent, "div");
  const { canvas, redraw } = surface(box, { class: "plane", tabindex: 0, role: "application",
    "aria-label": "Plane of two latents: arrow keys move, a click chooses an encoded image" }, 1, draw);
  const row = make(box, "div", { class: "row" });
  const choose = (axis, text) => {
    const select = make(make(row, "label", {}, text + " "), "select");
    for (const j of model.order) make(select, "option", { value: j }, `z${j}`);
    select.value = dims[axis];
    select.onchange = () => { dims[axis] = Number(select.value); redraw(); };
  };
  if (L > 1) choose(0, "right"), choose(1, "up");
  const said = make(row, "output", { class: "note" });

  const nearest = (event) => {
    let best = -1, least = 100;
    for (let i = 0; i < n; i++) {
      const far = (to(place(model.encoded, i, 0), 0) - event.offsetX) ** 2 +
        (to(place(model.encoded, i, 1), 1) - event.offsetY) ** 2;
      if (far < least) best = i, least = far;
    }
    return best;
  };
  const set = (axis, value) => { if (L > 1 || !axis) z[dims[axis]] = value; };
  const drag = (event) => {
    set(0, from(event.offsetX, 0));
    set(1, from(event.offsetY, 1));
    moved();
  };
  let began = null;
  canvas.onpointerdown = (event) => { began = event; canvas.setPointerCapture(event.pointerId); };
  canvas.onpointermove = (event) => {
    if (began && Math.hypot(event.offsetX - began.offsetX, event.offsetY - began.offsetY) > 3) began.dragged = true;
    if (began && began.dragged) return drag(event);
    hovered = nearest(event);
    said.textContent = hovered < 0 ? "" : `image ${hovered}${model.labels ? `, label ${label(hovered)}` : ""}`;
    redraw();
  };
  canvas.onpointerup = (event) => {
    const chosen = nearest(event);
    if (began && !began.dragged && chosen >= 0) {
      z.set(model.encoded.subarray(chosen * L, chosen * L + L));
      moved(model.labels ? label(chosen) : undefined);
    } else if (began) drag(event);
    began = null;
  };
  canvas.onpointerleave = () => { hovered = -1; said.textContent = ""; redraw(); };
  canvas.onkeydown = (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 1], ArrowDown: [1, -1] }[event.key];
    if (!step) return;
    event.preventDefault();
    const [low, high] = span(step[0]);
    set(step[0], z[dims[step[0]]] + step[1] * (high - low) / 50);
    moved();
  };
  return redraw;
};

const sliders = (parent, model, z, moved) => {
  const box = make(parent, "div", { class: "sliders", role: "group", "aria-label": "Latents" });
  const all = model.order.map((j) => {
    const row = make(box, "label", { class: "slider" }), [low, high] = model.range[j];
    make(row, "span", {}, `z${j}`);
    const input = make(row, "input", { type: "range", min: low, max: high, step: (high - low) / 200, "aria-label": `latent ${j}` });
    const output = make(row, "output");
    input.oninput = () => { z[j] = Number(input.value); moved(); };
    return () => { input.value = z[j]; output.textContent = z[j].toFixed(2); };
  });
  return () => all.forEach((update) => update());
};

/* The model as it stands in the page, with its numbers unpacked. */
const unpack = async (text) => {
  const { facts, layers, encoded, labels, draws, data } = JSON.parse(text);
  const layer = async ({ weight, bias }) => ({ weight: await halves(weight), bias: await halves(bias) });
  return { ...facts, layers: await Promise.all(layers.map(layer)), encoded: await halves(encoded),
    labels: labels && bytes(labels), draws: draws && await halves(draws), data: data && await halves(data) };
};

const explore = async (parent) => {
  const model = await unpack(parent.querySelector("script").textContent), z = new Float64Array(model.latent);
  const decode = decoder(model), left = make(parent, "div");
  const show = (model.picture ? picture : values)(left, model);
  let label = 0, updates = [], classes = null;
  const moved = (other = label) => {
    if (classes) classes.value = label = other;
    show(decode(z, label));
    updates.forEach((update) => update());
  };
  const row = make(left, "div", { class: "row" });
  if (model.classes) {
    classes = make(make(row, "label", {}, "label "), "select");
    for (let c = 0; c < model.classes; c++) make(classes, "option", {}, c);
    classes.onchange = () => moved(Number(classes.value));
  }
  const button = (text, change) => {
    make(row, "button", { type: "button" }, text).onclick = () => { change(); moved(); };
  };
  button("Draw from the prior", () => {
    const sampler = samplers[model.prior.name], at = model.draws && Math.floor(Math.random() * model.draws.length / z.length);
    if (model.draws) z.set(model.draws.subarray(at * z.length, (at + 1) * z.length));
    else z.forEach((_, j) => { z[j] = sampler(model.prior); });
  });
  button("All to 0", () => z.fill(0));
  updates = [plane(parent, model, z, moved), sliders(parent, model, z, moved)];
  moved();
  return { model, z, decode, moved };
};

globalThis.explorers = [];
globalThis.ready = Promise.all([...document.querySelectorAll(".explorer")].map(explore)).then((all) => {
  globalThis.explorers = all;
});

/* ---- Colours ------------------------------------------------------------------------------------------------------ */

const repaint = () => globalThis.explorers.forEach((explorer) => explorer.moved());
document.getElementById("theme").onchange = (event) => {
  if (event.target.value) document.documentElement.dataset.theme = event.target.value;
  else delete document.documentElement.dataset.theme;
  repaint();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

/* ---- Downloads ----------------------------------------------------------------------------------------------------- */

const numbers = JSON.parse(document.getElementById("numbers").textContent);

const save = (name, type, text) => {
  const link = make(document.body, "a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  link.remove();
};

const cell = (value) => {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/* A table of all runs, whose first column names the run; a column that a run lacks is empty there. */
globalThis.csv = (name) => {
  const columns = [...new Set(numbers.runs.flatMap((run) => run[name].columns))];
  const rows = numbers.runs.flatMap((run) => run[name].rows.map((row) =>
    [run.run, ...columns.map((column) => row[run[name].columns.indexOf(column)] ?? null)]));
  return [["run", ...columns], ...rows].map((row) => row.map(cell).join(",") + "\n").join("");
};

for (const button of document.querySelectorAll("[data-csv]"))
  button.onclick = () => save(`${button.dataset.csv}.csv`, "text/csv", globalThis.csv(button.dataset.csv));
document.querySelector("[data-json]").onclick = () => save("report.json", "application/json", JSON.stringify(numbers, null, 1));
