"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const MODES = ["warp", "blend", "own"];
const MODE_COLOURS = ["#0072b2", "#e69f00", "#cc3311"];
const KIND_COLOURS = [null, "#0072b2", "#e69f00", "#cc3311", "#009988"]; // of coding blocks; skipped ones show the picture
const BLOCK_NUMBERS = 9; // numbers of a coding block: top, left, side, kind, transformSplit, obmc, coded planes, dy, dx
const LAYERS = ["coding_blocks", "cells", "vectors", "mesh", "bits"];
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const ASIDE = 290; // dots left for what stands beside the picture
const WIDEST_BAR = 64; // dots
const DECODED_KEPT = 32; // pictures whose samples stay in memory

const state = { place: 0, view: "decoded", gain: 4, playing: false, cursor: null };
const kept = new Map(); // place in data.pictures → samples

// ---------------------------------------------------------------- what the page holds

function bytesOf(text) {
  const raw = atob(text);
  const bytes = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes.buffer;
}

const whole = (number) => Math.round(number).toLocaleString("en-US");
const signed = (number) => String(number).replaceAll("-", "−");
const tenths = (number) => number.toLocaleString("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

for (const picture of data.pictures) {
  picture.vectors = picture.vectors && new Float32Array(bytesOf(picture.vectors));
  picture.coding_blocks = picture.coding_blocks && new Int16Array(bytesOf(picture.coding_blocks));
  picture.own = picture.own && new Int16Array(bytesOf(picture.own));
  picture.modes = picture.modes && new Uint8Array(bytesOf(picture.modes));
  picture.total = new Float64Array(data.cells[0] * data.cells[1]);
  for (const component of Object.keys(picture.bits)) {
    picture.bits[component] = new Float32Array(bytesOf(picture.bits[component]));
    picture.bits[component].forEach((bits, cell) => (picture.total[cell] += bits));
  }
}
const placeOf = new Map(data.pictures.map((picture, place) => [picture.number, place]));

async function samplesOf(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  if (!data.hasAlpha) return context.getImageData(0, 0, canvas.width, canvas.height);
  const height = canvas.height / 2; // alpha is below the other planes
  const samples = context.getImageData(0, 0, canvas.width, height);
  samples.alpha = context.getImageData(0, height, canvas.width, height).data;
  return samples;
}

async function load(place) {
  if (!kept.has(place)) {
    const picture = data.pictures[place];
    kept.set(place, Promise.all([samplesOf(picture.decoded), picture.prediction && samplesOf(picture.prediction)]));
    if (kept.size > DECODED_KEPT) kept.delete(kept.keys().next().value);
  }
  const [decoded, prediction] = await kept.get(place);
  return { decoded, prediction };
}

// ---------------------------------------------------------------- the picture

function shown(samples) {
  const { decoded, prediction } = samples;
  if (state.view === "residual" && prediction) return residualImage(decoded, prediction);
  const source = state.view === "prediction" && prediction ? prediction : decoded;
  return data.conversion ? asRgb(source) : data.hasAlpha ? overChequers(source) : source;
}

function overChequers(samples) {
  const image = new ImageData(samples.width, samples.height);
  for (let i = 0; i < image.data.length; i += 4) {
    const [y, x] = [Math.floor(i / 4 / samples.width), (i / 4) % samples.width];
    const square = ((y >> 3) + (x >> 3)) & 1 ? 204 : 153;
    const alpha = samples.alpha[i] / 255;
    for (let channel = 0; channel < 3; channel++) {
      image.data[i + channel] = alpha * samples.data[i + channel] + (1 - alpha) * square;
    }
    image.data[i + 3] = 255;
  }
  return image;
}

function residualImage(decoded, prediction) {
  const image = new ImageData(decoded.width, decoded.height);
  for (let i = 0; i < image.data.length; i += 4) {
    for (let channel = 0; channel < 3; channel++) {
      const from = data.conversion ? i : i + channel; // of Y'CbCr, Y alone
      image.data[i + channel] = 128 + state.gain * (decoded.data[from] - prediction.data[from]);
    }
    image.data[i + 3] = 255;
  }
  return image;
}

function asRgb(yuv) {
  const [black, luma, redFromV, greenFromU, greenFromV, blueFromU] = data.conversion;
  const image = new ImageData(yuv.width, yuv.height);
  for (let i = 0; i < yuv.data.length; i += 4) {
    const grey = (yuv.data[i] - black) * luma + 32768;
    const u = yuv.data[i + 1] - 128;
    const v = yuv.data[i + 2] - 128;
    image.data[i] = (grey + redFromV * v) >> 16;
    image.data[i + 1] = (grey + greenFromU * u + greenFromV * v) >> 16;
    image.data[i + 2] = (grey + blueFromU * u) >> 16;
    image.data[i + 3] = 255;
  }
  return image;
}

function fit() {
  const room = element("stage").parentElement.clientWidth;
  const beside = matchMedia("(min-width: 901px)").matches;
  const across = beside ? room - ASIDE : room;
  const down = Math.max(window.innerHeight - (beside ? 210 : 120), 160);
  const scale = Math.min((across - 2) / data.width, down / data.height);
  return scale > 1 ? Math.min(Math.floor(scale * 4) / 4, 16) : scale;
}

function sizeCanvases() {
  const scale = fit();
  const density = window.devicePixelRatio || 1;
  const [width, height] = [Math.max(data.width * scale, 1), Math.max(data.height * scale, 1)];
  for (const id of ["picture", "overlay"]) {
    element(id).style.width = `${width}px`;
    element(id).style.height = `${height}px`;
  }
  element("picture").style.imageRendering = scale >= 1.5 ? "pixelated" : "auto";
  element("overlay").width = Math.round(width * density);
  element("overlay").height = Math.round(height * density);
}

async function draw() {
  const place = state.place;
  const samples = await load(place);
  if (place !== state.place) return;
  const image = shown(samples);
  const canvas = element("picture");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
  drawOverlay();
  drawTimeline();
  describe();
  describeCursor(samples);
  document.body.dataset.shown = String(data.pictures[place].number);
}

// ---------------------------------------------------------------- on top

function drawOverlay() {
  const canvas = element("overlay");
  const context = canvas.getContext("2d");
  const scale = canvas.width / data.width;
  const picture = data.pictures[state.place];
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (element("bits").checked) drawBits(context, scale, picture);
  if (element("coding_blocks").checked && picture.coding_blocks) drawBlocks(context, scale, picture);
  if (element("cells").checked) drawCells(context, scale, picture);
  if (element("mesh").checked && data.motion === "mesh") drawMesh(context, scale, picture);
  if (element("vectors").checked) (picture.coding_blocks ? drawBlockVectors : drawVectors)(context, scale, picture);
}

function eachCell(visit) {
  const [rows, columns] = data.cells;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) visit(row, column, row * columns + column);
  }
}

function reachOf(picture) {
  const sorted = Float64Array.from(picture.total).sort();
  return Math.max(sorted[Math.floor(0.99 * (sorted.length - 1))], 1);
}

function drawBits(context, scale, picture) {
  const reach = reachOf(picture);
  const side = data.cellSize * scale;
  eachCell((row, column, cell) => {
    const level = Math.min(picture.total[cell] / reach, 1) * (RAMP.length - 1);
    const low = RAMP[Math.floor(level)];
    const high = RAMP[Math.min(Math.floor(level) + 1, RAMP.length - 1)];
    const mixed = low.map((value, channel) => value + (level % 1) * (high[channel] - value));
    context.fillStyle = `rgb(${mixed.join(" ")} / 0.72)`;
    context.fillRect(column * side, row * side, side, side);
  });
}

function drawCells(context, scale, picture) {
  const side = data.cellSize * scale;
  context.lineWidth = 1;
  context.strokeStyle = "rgb(255 255 255 / 0.55)";
  eachCell((row, column, cell) => {
    if (picture.modes && !picture.coding_blocks) {
      context.fillStyle = `${MODE_COLOURS[picture.modes[cell]]}66`;
      context.fillRect(column * side, row * side, side, side);
    }
    context.strokeRect(column * side, row * side, side, side);
  });
}

function eachBlock(picture, visit) {
  for (let i = 0; i < picture.coding_blocks.length; i += BLOCK_NUMBERS) {
    const [top, left, side, kind, transformSplit, obmc, coded, dy, dx] = picture.coding_blocks.subarray(i, i + BLOCK_NUMBERS);
    visit({ top, left, side, kind, transformSplit, obmc, coded, dy: dy / 4, dx: dx / 4 });
  }
}

function blockAt(picture, x, y) {
  let found = null;
  eachBlock(picture, (block) => {
    if (y >= block.top && y < block.top + block.side && x >= block.left && x < block.left + block.side) found = block;
  });
  return found;
}

function drawBlocks(context, scale, picture) {
  const isFilled = state.view !== "residual" && picture.references > 0; // colours hide residuals; I pictures have one
  context.lineWidth = 1;
  eachBlock(picture, ({ top, left, side, kind }) => {
    const box = [left * scale, top * scale, side * scale, side * scale];
    context.strokeStyle = "rgb(255 255 255 / 0.6)";
    if (KIND_COLOURS[kind] && isFilled) {
      context.fillStyle = `${KIND_COLOURS[kind]}66`;
      context.fillRect(...box);
    }
    context.strokeRect(...box);
    if (!KIND_COLOURS[kind] || isFilled) return;
    context.strokeStyle = KIND_COLOURS[kind];
    context.strokeRect(box[0] + 1, box[1] + 1, box[2] - 2, box[3] - 2);
  });
}

function drawBlockVectors(context, scale, picture) {
  const drawn = new Set();
  const apart = 9 / scale; // samples; of blocks that are closer than 9 dots one is drawn
  eachBlock(picture, ({ top, left, side, kind, dy, dx }) => {
    const [y, x] = [(top + Math.min(top + side, data.height)) / 2, (left + Math.min(left + side, data.width)) / 2];
    const place = `${Math.floor(y / apart)} ${Math.floor(x / apart)}`;
    if (data.kinds[kind] === "intra" || drawn.has(place)) return;
    drawn.add(place);
    drawArrow(context, scale, x, y, dx, dy);
  });
}

function nodePlace(picture, row, column, columns) {
  const node = 2 * (row * columns + column);
  const y = row * data.cellSize + picture.vectors[node] / 4;
  return [column * data.cellSize + picture.vectors[node + 1] / 4, y];
}

function drawMesh(context, scale, picture) {
  if (!picture.vectors) return;
  const [rows, columns] = [data.cells[0] + 1, data.cells[1] + 1];
  const path = new Path2D();
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const [x, y] = nodePlace(picture, row, column, columns);
      for (const [below, aside] of [[0, 1], [1, 0]]) {
        if (row + below >= rows || column + aside >= columns) continue;
        const [toX, toY] = nodePlace(picture, row + below, column + aside, columns);
        path.moveTo(x * scale, y * scale);
        path.lineTo(toX * scale, toY * scale);
      }
    }
  }
  const side = data.cellSize * scale; // a fine mesh has fine lines, to leave something of the picture
  for (const [width, colour] of [[Math.min(3, side / 6), "rgb(0 0 0 / 0.6)"], [Math.min(1.3, side / 14), "#ffe27a"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  }
}

function drawVectors(context, scale, picture) {
  if (!picture.vectors) return;
  const isMesh = data.motion === "mesh";
  const columns = data.cells[1] + (isMesh ? 1 : 0);
  const every = Math.max(Math.ceil((9 * columns) / (data.width * scale)), 1); // arrows at least 9 dots apart
  const middle = isMesh ? 0 : data.cellSize / 2;
  for (let i = 0; i < picture.vectors.length / 2; i++) {
    const [row, column] = [Math.floor(i / columns), i % columns];
    if (row % every || column % every) continue;
    const [dy, dx] = [picture.vectors[2 * i] / 4, picture.vectors[2 * i + 1] / 4];
    drawArrow(context, scale, column * data.cellSize + middle, row * data.cellSize + middle, dx, dy);
  }
  if (!isMesh) return;
  eachCell((row, column, cell) => {
    if (picture.modes[cell] !== 2 || row % every || column % every) return;
    const [dy, dx] = [picture.own[2 * cell] / 4, picture.own[2 * cell + 1] / 4];
    drawArrow(context, scale, (column + 0.5) * data.cellSize, (row + 0.5) * data.cellSize, dx, dy);
  });
}

function drawArrow(context, scale, x, y, dx, dy) {
  const [startX, startY] = [x * scale, y * scale];
  if (Math.hypot(dx, dy) < 0.25) {
    context.fillStyle = "rgb(255 255 255 / 0.8)";
    context.fillRect(startX - 1, startY - 1, 2, 2);
    return;
  }
  const [endX, endY] = [startX + data.arrow * dx * scale, startY + data.arrow * dy * scale];
  const angle = Math.atan2(endY - startY, endX - startX);
  const head = Math.min(7, 0.5 * Math.hypot(endX - startX, endY - startY) + 2);
  const path = new Path2D();
  path.moveTo(startX, startY);
  path.lineTo(endX, endY);
  for (const turn of [2.7, -2.7]) {
    path.moveTo(endX, endY);
    path.lineTo(endX + head * Math.cos(angle + turn), endY + head * Math.sin(angle + turn));
  }
  const hue = (Math.atan2(-dy, dx) * 180) / Math.PI;
  for (const [width, colour] of [[3.4, "rgb(0 0 0 / 0.75)"], [1.6, `hsl(${hue} 100% 60%)`]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  }
}

// ---------------------------------------------------------------- timeline

function sizeTimeline() {
  const canvas = element("timeline");
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * density);
  canvas.height = Math.round(canvas.clientHeight * density);
}

function barWidth() {
  return Math.min(element("timeline").clientWidth / data.timeline.length, WIDEST_BAR);
}

function drawTimeline() {
  const canvas = element("timeline");
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const slot = barWidth() * (window.devicePixelRatio || 1);
  const most = Math.max(...data.timeline.map((picture) => picture.bytes));
  const floor = canvas.height - 5;
  const gap = slot > 4 ? Math.min(slot * 0.15, 4) : 0;
  context.clearRect(0, 0, canvas.width, canvas.height);
  data.timeline.forEach((picture, position) => {
    const height = Math.max(Math.sqrt(picture.bytes / most) * (floor - 4), 2); // small P pictures show beside an I picture
    context.globalAlpha = placeOf.has(picture.number) ? 1 : 0.4;
    context.fillStyle = style.getPropertyValue(picture.type === "I" ? "--i" : "--p");
    context.fillRect(position * slot + gap / 2, floor - height, Math.max(slot - gap, 1), height);
  });
  context.globalAlpha = 1;
  context.fillStyle = style.getPropertyValue("--mark");
  const position = data.pictures[state.place].number - data.timeline[0].number;
  context.fillRect(position * slot, canvas.height - 4, Math.max(slot, 3), 4);
}

function onTimeline(event) {
  const position = Math.floor((event.clientX - element("timeline").getBoundingClientRect().left) / barWidth());
  return data.timeline[Math.min(Math.max(position, 0), data.timeline.length - 1)];
}

function nearest(number) {
  let best = 0;
  data.pictures.forEach((picture, place) => {
    if (Math.abs(picture.number - number) < Math.abs(data.pictures[best].number - number)) best = place;
  });
  return best;
}

// ---------------------------------------------------------------- words and numbers

function fill(table, rows) {
  const caption = table.caption;
  table.replaceChildren(...(caption ? [caption] : []));
  for (const [name, value] of rows) {
    const row = table.insertRow();
    row.insertCell().textContent = name;
    row.insertCell().textContent = value;
  }
}

function describe() {
  const picture = data.pictures[state.place];
  const entry = data.timeline[picture.number - data.timeline[0].number];
  element("position").textContent = `picture ${picture.number} of 0…${data.pictureCount - 1}`;
  const sums = Object.entries(picture.bits).map(([name, bits]) => [name, bits.reduce((sum, value) => sum + value, 0)]);
  const inCells = sums.reduce((sum, [, bits]) => sum + bits, 0);
  fill(element("picture-facts"), [
    ["type", entry.type === "I" ? "I, from nothing but itself" : `P, from ${picture.references} picture${picture.references > 1 ? "s" : ""}`],
    ...(entry.dial ? [[entry.dial[0], entry.dial[1]]] : []),
    ...(entry.name ? [["name", entry.name]] : []),
    ["bytes", `${data.shared ? "≈ " : ""}${whole((inCells + picture.headerBits) / 8)}`],
    ...sums.map(([name, bits]) => [`– ${name}`, tenths(bits / 8)]),
    ["– headers", tenths(picture.headerBits / 8)],
  ]);
  const [first, count, bytes] = picture.packet;
  const pictures = count > 1 ? `pictures ${first}…${first + count - 1}` : `picture ${first}`;
  const sum = `${whole(inCells)} bits in cells + ${whole(picture.headerBits)} of headers = ${tenths((inCells + picture.headerBits) / 8)} bytes.`;
  element("adding-up").textContent = `${sum} Its packet holds ${pictures} in ${whole(bytes)} bytes.`;
  element("bits-reach").textContent = whole(reachOf(picture));
  for (const input of document.querySelectorAll("input[name=view]")) {
    input.parentElement.classList.toggle("off", input.value !== "decoded" && !picture.prediction);
  }
  const moves = picture.vectors || (picture.coding_blocks && entry.type === "P");
  element("vectors").parentElement.classList.toggle("off", !moves);
  element("mesh").parentElement.classList.toggle("off", !picture.vectors);
}

function describeCursor(samples) {
  if (!state.cursor) return fill(element("values"), [["point at the picture", ""]]);
  const { x, y } = state.cursor;
  const picture = data.pictures[state.place];
  const at = 4 * (Math.floor(y / data.shrink) * samples.decoded.width + Math.floor(x / data.shrink));
  const channels = data.planes.map((_, channel) => channel);
  const isAlpha = (channel) => data.hasAlpha && channel === channels.length - 1;
  const valuesOf = (image) => channels.map((channel) => (isAlpha(channel) ? image.alpha[at] : image.data[at + channel]));
  const values = (image) => valuesOf(image).join(" ");
  const rows = [["x, y", `${x}, ${y}`], [`decoded ${data.planes.join(" ")}`, values(samples.decoded)]];
  if (samples.prediction) {
    const before = valuesOf(samples.prediction);
    const differences = valuesOf(samples.decoded).map((value, channel) => value - before[channel]);
    rows.push(["prediction", values(samples.prediction)]);
    rows.push(["residual", differences.map((value) => (value > 0 ? `+${value}` : signed(value))).join(" ")]);
  }
  if (picture.coding_blocks) rows.push(...blockRows(picture, x, y));
  const [row, column] = [Math.floor(y / data.cellSize), Math.floor(x / data.cellSize)];
  const cell = row * data.cells[1] + column;
  rows.push(["cell row, column", `${row}, ${column}`]);
  if (picture.modes && !picture.coding_blocks) rows.push(["mode", MODES[picture.modes[cell]]]);
  if (picture.vectors) rows.push(...vectorRows(picture, row, column, cell));
  for (const [name, bits] of Object.entries(picture.bits)) rows.push([`${name} bits`, tenths(bits[cell])]);
  rows.push(["bits of the cell", tenths(picture.total[cell])]);
  return fill(element("values"), rows);
}

function blockRows(picture, x, y) {
  const { side, kind, transformSplit, obmc, coded, dy, dx } = blockAt(picture, x, y);
  const planes = data.planesCoded.filter((_, plane) => (coded >> plane) & 1);
  const moved = data.kinds[kind] === "intra" ? [] : [["comes from, dx, dy", signed(`${dx}, ${dy}`)]];
  return [
    ["coding block", `${side} × ${side}, ${data.kinds[kind]}${obmc ? ", OBMC" : ""}`],
    ...moved,
    ["levels in", planes.length ? `${planes.join(" ")}${transformSplit && coded & 1 ? ", transform split" : ""}` : "no plane"],
    ["qp, qp of chroma", picture.qps.join(", ")],
  ];
}

function vectorRows(picture, row, column, cell) {
  const words = (vectors, place) => signed(`${vectors[2 * place + 1] / 4}, ${vectors[2 * place] / 4}`);
  if (data.motion === "block") return [["comes from, dx, dy", words(picture.vectors, cell)]];
  if (picture.modes[cell] === 2) return [["comes from, dx, dy", words(picture.own, cell)]];
  const columns = data.cells[1] + 1;
  return [[0, 0, "↖"], [0, 1, "↗"], [1, 0, "↙"], [1, 1, "↘"]].map(
    ([below, aside, place]) => [`node ${place} dx, dy`, words(picture.vectors, (row + below) * columns + column + aside)],
  );
}

// ---------------------------------------------------------------- what people do

function go(place) {
  state.place = Math.min(Math.max(place, 0), data.pictures.length - 1);
  return draw();
}

async function play() {
  state.playing = !state.playing;
  element("play").textContent = state.playing ? "pause" : "play";
  while (state.playing) {
    const started = performance.now();
    await go((state.place + 1) % data.pictures.length);
    load((state.place + 1) % data.pictures.length);
    await new Promise((resolve) => setTimeout(resolve, Math.max(data.milliseconds - (performance.now() - started), 0)));
  }
}

function choose(view) {
  state.view = view;
  document.querySelector(`input[name=view][value=${view}]`).checked = true;
  return draw();
}

function toggle(id) {
  element(id).checked = !element(id).checked;
  drawOverlay();
}

const KEYS = {
  ArrowLeft: () => go(state.place - 1),
  ArrowRight: () => go(state.place + 1),
  Home: () => go(0),
  End: () => go(data.pictures.length - 1),
  " ": play,
  1: () => choose("decoded"),
  2: () => choose("prediction"),
  3: () => choose("residual"),
  l: () => toggle("coding_blocks"),
  c: () => toggle("cells"),
  v: () => toggle("vectors"),
  m: () => toggle("mesh"),
  b: () => toggle("bits"),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  event.preventDefault();
  KEYS[event.key]();
});
element("previous").addEventListener("click", () => go(state.place - 1));
element("next").addEventListener("click", () => go(state.place + 1));
element("play").addEventListener("click", play);
for (const input of document.querySelectorAll("input[name=view]")) input.addEventListener("change", () => choose(input.value));
for (const id of LAYERS) element(id).addEventListener("change", drawOverlay);
element("gain").addEventListener("input", () => {
  state.gain = 2 ** Number(element("gain").value);
  element("gain-value").textContent = state.gain;
  choose("residual");
});
element("timeline").addEventListener("click", (event) => go(nearest(onTimeline(event).number)));
element("timeline").addEventListener("pointermove", (event) => {
  const { number, type, bytes } = onTimeline(event);
  const missing = placeOf.has(number) ? "" : ", left out of this page";
  element("hovered").textContent = `· picture ${number}, ${type}, ${whole(bytes)} bytes${missing}`;
});
element("stage").addEventListener("pointermove", async (event) => {
  const box = element("picture").getBoundingClientRect();
  const inside = (position, start, length, samples) => Math.min(Math.max(Math.floor(((position - start) / length) * samples), 0), samples - 1);
  state.cursor = { x: inside(event.clientX, box.left, box.width, data.width), y: inside(event.clientY, box.top, box.height, data.height) };
  describeCursor(await load(state.place));
});

function resize() {
  sizeCanvases();
  sizeTimeline();
  return draw();
}
window.addEventListener("resize", resize);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTimeline);

/** #picture=3&view=residual&show=bits,vectors opens the page there. */
function start() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  document.body.classList.toggle("has-mesh", data.motion === "mesh");
  document.body.classList.toggle("has-tree", data.kinds !== null);
  if (wanted.has("picture")) state.place = nearest(Number(wanted.get("picture")));
  for (const id of (wanted.get("show") || "").split(",")) if (LAYERS.includes(id)) element(id).checked = true;
  sizeCanvases();
  sizeTimeline();
  return choose(["prediction", "residual"].includes(wanted.get("view")) ? wanted.get("view") : "decoded");
}
start();
