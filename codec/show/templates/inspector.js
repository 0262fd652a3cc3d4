"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const files = data.files; // one, or A and B
const element = (id) => document.getElementById(id);
const ofSide = (id, side) => element(side ? `${id}-b` : id);
const MODES = ["warp", "blend", "own"];
const MODE_COLOURS = ["#0072b2", "#e69f00", "#cc3311"];
const KIND_COLOURS = [null, "#0072b2", "#e69f00", "#cc3311", "#009988", "#aa3377"]; // of coding blocks; skipped ones show the picture
// numbers of a coding block: top, left, side, kind, transformSplit, obmc, coded planes, directions, dy, dx of two vectors, and of the block vector, CCLM
const BLOCK_NUMBERS = 15;
const LAYERS = ["coding_blocks", "cells", "vectors", "mesh", "bits"];
const VIEWS = ["decoded", "prediction", "residual", ...(files.length > 1 ? ["difference"] : [])];
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const ASIDE = files.length > 1 ? 580 : 290; // dots left for what stands beside the picture
const WIDEST_BAR = 64; // dots
const DECODED_KEPT = 32; // pictures whose samples stay in memory

const state = { place: 0, view: "decoded", gain: 4, playing: false, cursor: null };
const kept = new Map(); // place → samples of each file

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
const sumOf = (numbers) => numbers.reduce((sum, value) => sum + value, 0);

for (const file of files) {
  for (const picture of file.pictures) {
    picture.file = file;
    picture.entry = file.timeline[picture.number - file.timeline[0].number];
    picture.vectors = picture.vectors && new Float32Array(bytesOf(picture.vectors));
    picture.coding_blocks = picture.coding_blocks && new Int16Array(bytesOf(picture.coding_blocks));
    picture.own = picture.own && new Int16Array(bytesOf(picture.own));
    picture.modes = picture.modes && new Uint8Array(bytesOf(picture.modes));
    picture.total = new Float64Array(file.cells[0] * file.cells[1]);
    for (const component of Object.keys(picture.bits)) {
      picture.bits[component] = new Float32Array(bytesOf(picture.bits[component]));
      picture.bits[component].forEach((bits, cell) => (picture.total[cell] += bits));
    }
  }
}
const places = files[0].pictures.length;
const placeOf = new Map(files[0].pictures.map((picture, place) => [picture.number, place]));
const picturesAt = (place) => files.map((file) => file.pictures[place]);

async function samplesOf(url, file) {
  if (!url) return null;
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  if (!file.hasAlpha) return context.getImageData(0, 0, canvas.width, canvas.height);
  const height = canvas.height / 2; // alpha is below the other planes
  const samples = context.getImageData(0, 0, canvas.width, height);
  samples.alpha = context.getImageData(0, height, canvas.width, height).data;
  return samples;
}

async function loaded({ file, decoded, prediction }) {
  return { decoded: await samplesOf(decoded, file), prediction: await samplesOf(prediction, file) };
}

function load(place) {
  if (!kept.has(place)) {
    kept.set(place, Promise.all(picturesAt(place).map(loaded)));
    if (kept.size > DECODED_KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(place);
}

// ---------------------------------------------------------------- the picture

/** What a side shows of the samples of each file. */
function shown(samples, side) {
  const { decoded, prediction } = samples[side];
  if (state.view === "difference") {
    const [a, b] = files.map((file, each) => asColours(samples[each].decoded, file));
    return aroundGrey(b, a, false);
  }
  if (state.view === "residual" && prediction) return aroundGrey(decoded, prediction, files[side].conversion);
  return asColours(state.view === "prediction" && prediction ? prediction : decoded, files[side]);
}

function asColours(samples, file) {
  return file.conversion ? asRgb(samples, file.conversion) : file.hasAlpha ? overChequers(samples) : samples;
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

/** How far one is from another, amplified; of Y'CbCr, Y alone. */
function aroundGrey(one, other, isYuv) {
  const image = new ImageData(one.width, one.height);
  for (let i = 0; i < image.data.length; i += 4) {
    for (let channel = 0; channel < 3; channel++) {
      const from = isYuv ? i : i + channel;
      image.data[i + channel] = 128 + state.gain * (one.data[from] - other.data[from]);
    }
    image.data[i + 3] = 255;
  }
  return image;
}

function asRgb(yuv, [black, luma, redFromV, greenFromU, greenFromV, blueFromU]) {
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
  const room = document.querySelector("main").clientWidth;
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
  for (const canvas of document.querySelectorAll("#stage canvas")) {
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.style.imageRendering = scale >= 1.5 ? "pixelated" : "auto";
    if (!canvas.id.startsWith("overlay")) continue;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
  }
}

async function draw() {
  const place = state.place;
  const samples = await load(place);
  if (place !== state.place) return;
  files.forEach((_, side) => {
    const image = shown(samples, side);
    const canvas = ofSide("picture", side);
    canvas.width = image.width;
    canvas.height = image.height;
    canvas.getContext("2d").putImageData(image, 0, 0);
  });
  drawOverlay();
  drawTimeline();
  describe();
  describeCursor(samples);
  document.body.dataset.shown = String(files[0].pictures[place].number);
}

// ---------------------------------------------------------------- on top

function drawOverlay() {
  const isOn = Object.fromEntries(LAYERS.map((id) => [id, element(id).checked]));
  picturesAt(state.place).forEach((picture, side) => {
    const canvas = ofSide("overlay", side);
    const context = canvas.getContext("2d");
    const scale = canvas.width / data.width;
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (isOn.bits) drawBits(context, scale, picture);
    if (isOn.coding_blocks && picture.coding_blocks) drawBlocks(context, scale, picture);
    if (isOn.cells) drawCells(context, scale, picture);
    if (isOn.mesh && picture.file.motion === "mesh") drawMesh(context, scale, picture);
    if (!isOn.vectors) return;
    const apart = Math.max(9 / scale, 2 * statistics(picture).meanLength); // or they hide each other
    for (const [x, y, dx, dy] of arrowsOf(picture, apart)) drawArrow(context, scale, x, y, dx, dy);
  });
}

function eachCell({ cells: [rows, columns] }, visit) {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) visit(row, column, row * columns + column);
  }
}

/** Bits of a cell that get the brightest colour: one scale for both files. */
function reach() {
  const sorted = picturesAt(state.place).map((picture) => Float64Array.from(picture.total).sort());
  return Math.max(...sorted.map((bits) => bits[Math.floor(0.99 * (bits.length - 1))]), 1);
}

function drawBits(context, scale, picture) {
  const most = reach();
  const side = picture.file.cellSize * scale;
  eachCell(picture.file, (row, column, cell) => {
    const level = Math.min(picture.total[cell] / most, 1) * (RAMP.length - 1);
    const low = RAMP[Math.floor(level)];
    const high = RAMP[Math.min(Math.floor(level) + 1, RAMP.length - 1)];
    const mixed = low.map((value, channel) => value + (level % 1) * (high[channel] - value));
    context.fillStyle = `rgb(${mixed.join(" ")} / 0.72)`;
    context.fillRect(column * side, row * side, side, side);
  });
}

function drawCells(context, scale, picture) {
  const side = picture.file.cellSize * scale;
  context.lineWidth = 1;
  context.strokeStyle = "rgb(255 255 255 / 0.55)";
  eachCell(picture.file, (row, column, cell) => {
    if (picture.modes && !picture.coding_blocks) {
      context.fillStyle = `${MODE_COLOURS[picture.modes[cell]]}66`;
      context.fillRect(column * side, row * side, side, side);
    }
    context.strokeRect(column * side, row * side, side, side);
  });
}

function eachBlock(picture, visit) {
  for (let i = 0; i < picture.coding_blocks.length; i += BLOCK_NUMBERS) {
    const [top, left, side, kind, transformSplit, obmc, coded, directions, ...rest] = picture.coding_blocks.subarray(i, i + BLOCK_NUMBERS);
    const [height, width] = [Math.min(side, data.height - top), Math.min(side, data.width - left)]; // inside the picture
    const name = picture.file.kinds[kind];
    const vectors = [0, 1].filter((r) => (directions >> r) & 1).map((r) => ({ dy: rest[2 * r] / 4, dx: rest[2 * r + 1] / 4, r }));
    const copied = name === "copy" ? { dy: rest[4], dx: rest[5] } : null;
    visit({ top, left, side, height, width, kind, name, transformSplit, obmc, coded, vectors, copied, fromLuma: rest[6] });
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
  const kinds = new Set();
  eachBlock(picture, ({ kind }) => kinds.add(kind));
  const isFilled = ["decoded", "prediction"].includes(state.view) && kinds.size > 1; // colours hide residuals
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

function nodePlace(picture, row, column, columns) {
  const node = 2 * (row * columns + column);
  const y = row * picture.file.cellSize + picture.vectors[node] / 4;
  return [column * picture.file.cellSize + picture.vectors[node + 1] / 4, y];
}

function drawMesh(context, scale, picture) {
  if (!picture.vectors) return;
  const [rows, columns] = picture.file.cells.map((cells) => cells + 1);
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
  const side = picture.file.cellSize * scale; // a fine mesh has fine lines, to leave something of the picture
  for (const [width, colour] of [[Math.min(3, side / 6), "rgb(0 0 0 / 0.6)"], [Math.min(1.3, side / 14), "#ffe27a"]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  }
}

/** [x, y, dx, dy] of all vectors that are `apart` samples or more from the last; 0 gives all. */
function arrowsOf(picture, apart) {
  const found = [];
  const { cellSize, cells, motion } = picture.file;
  if (picture.coding_blocks) {
    const drawn = new Set();
    eachBlock(picture, ({ top, left, height, width, vectors }) => {
      const [y, x] = [top + height / 2, left + width / 2];
      const place = apart ? `${Math.floor(y / apart)} ${Math.floor(x / apart)}` : found.length;
      if (!vectors.length || drawn.has(place)) return;
      drawn.add(place);
      for (const { dy, dx } of vectors) found.push([x, y, dx, dy]);
    });
  } else if (picture.vectors) {
    const isMesh = motion === "mesh";
    const columns = cells[1] + (isMesh ? 1 : 0);
    const every = Math.max(Math.ceil(apart / cellSize), 1);
    const middle = isMesh ? 0 : cellSize / 2;
    const add = (row, column, offset, vectors, place) => {
      if (row % every || column % every) return;
      found.push([column * cellSize + offset, row * cellSize + offset, vectors[2 * place + 1] / 4, vectors[2 * place] / 4]);
    };
    for (let i = 0; i < picture.vectors.length / 2; i++) add(Math.floor(i / columns), i % columns, middle, picture.vectors, i);
    if (isMesh) {
      eachCell(picture.file, (row, column, cell) => {
        if (picture.modes[cell] === 2) add(row, column, cellSize / 2, picture.own, cell);
      });
    }
  }
  return found;
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
  const hue = (Math.atan2(-dy, dx) * 180) / Math.PI; // as the wheel of the legend has it
  for (const [width, colour] of [[3.4, "rgb(0 0 0 / 0.75)"], [1.6, `hsl(${hue} 100% 60%)`]]) {
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke(path);
  }
}

// ---------------------------------------------------------------- timeline

const pictureCount = files[0].timeline.length;

function barWidth() {
  return Math.min(document.querySelector("main").clientWidth / pictureCount, WIDEST_BAR);
}

function sizeTimeline() {
  const canvas = element("timeline");
  const density = window.devicePixelRatio || 1;
  canvas.style.width = `${barWidth() * pictureCount}px`;
  canvas.width = Math.round(canvas.clientWidth * density);
  canvas.height = Math.round(canvas.clientHeight * density);
}

function drawTimeline() {
  const canvas = element("timeline");
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const slot = canvas.width / pictureCount;
  const most = Math.max(...files.flatMap((file) => file.timeline.map((picture) => picture.bytes)));
  const floor = canvas.height - 5;
  const gap = slot > 4 ? Math.min(slot * 0.15, 4) : 0;
  const width = Math.max(slot - gap, 1) / files.length;
  context.clearRect(0, 0, canvas.width, canvas.height);
  files.forEach((file, side) => {
    file.timeline.forEach((picture, position) => {
      const height = Math.max((picture.bytes / most) * (floor - 4), 1);
      context.globalAlpha = (placeOf.has(picture.number) ? 1 : 0.4) * (side ? 0.6 : 1);
      context.fillStyle = style.getPropertyValue(`--${picture.type.toLowerCase()}`);
      context.fillRect(position * slot + gap / 2 + side * width, floor - height, width, height);
    });
  });
  context.globalAlpha = 1;
  context.fillStyle = style.getPropertyValue("--mark");
  const position = files[0].pictures[state.place].number - files[0].timeline[0].number;
  context.fillRect(position * slot, canvas.height - 4, Math.max(slot, 3), 4);
}

function positionOnTimeline(event) {
  const position = Math.floor((event.clientX - element("timeline").getBoundingClientRect().left) / barWidth());
  return Math.min(Math.max(position, 0), pictureCount - 1);
}

function nearest(number) {
  let best = 0;
  files[0].pictures.forEach((picture, place) => {
    if (Math.abs(picture.number - number) < Math.abs(files[0].pictures[best].number - number)) best = place;
  });
  return best;
}

// ---------------------------------------------------------------- words and numbers

/** A table with a column for each file, from the rows [name, value] of each. */
function fill(table, rowsOfFiles) {
  const names = [];
  for (const rows of rowsOfFiles) {
    let next = 0;
    for (const [name] of rows) {
      if (!names.includes(name)) names.splice(next, 0, name); // behind what it follows in its file
      next = names.indexOf(name) + 1;
    }
  }
  const values = rowsOfFiles.map((rows) => new Map(rows));
  const rows = names.map((name) => [name, ...values.map((of) => of.get(name) ?? "")]);
  if (rowsOfFiles.length > 1) rows.unshift(["", "A", "B"]);
  table.replaceChildren(table.caption);
  for (const cells of rows) {
    const row = table.insertRow();
    for (const text of cells) row.insertCell().textContent = text;
  }
}

/** Shares of the picture that each kind of block or cell has, and the mean length of vectors in samples. */
function statistics(picture) {
  const areas = new Map();
  const add = (name, area) => areas.set(name, (areas.get(name) || 0) + area);
  if (picture.coding_blocks) eachBlock(picture, ({ name, height, width }) => add(name, height * width));
  else if (picture.modes) picture.modes.forEach((mode) => add(MODES[mode], 1));
  const all = sumOf([...areas.values()]);
  const kinds = [...areas].sort((one, other) => other[1] - one[1]).map(([name, area]) => [name, `${tenths((100 * area) / all)} %`]);
  const lengths = picture.references ? arrowsOf(picture, 0).map(([, , dx, dy]) => Math.hypot(dx, dy)) : [];
  return { kinds, meanLength: lengths.length ? (sumOf(lengths) / lengths.length).toFixed(2) : "" };
}

function factsOf(picture) {
  const { entry, references } = picture;
  const { kinds, meanLength } = statistics(picture);
  const sums = Object.entries(picture.bits).map(([name, bits]) => [name, sumOf(bits)]);
  const [, count] = picture.packet;
  return [
    ["type", entry.type === "I" ? "I, from nothing but itself" : `${entry.type}, from ${references} picture${references > 1 ? "s" : ""}`],
    ...(entry.dial ? [entry.dial] : []),
    ...(entry.name ? [["name", entry.name]] : []),
    ...(entry.psnr ? [["PSNR against A, dB", entry.psnr]] : []),
    ["bytes", `${count > 1 ? "≈ " : ""}${whole(entry.bytes)}`],
    ...sums.map(([name, bits]) => [`– ${name}`, tenths(bits / 8)]),
    ["– headers", tenths(picture.headerBits / 8)],
    ...kinds.map(([name, share]) => [`area of ${name}`, share]),
    ...(meanLength ? [["mean vector", meanLength]] : []),
  ];
}

function addingUp(picture, side) {
  const [first, count, bytes] = picture.packet;
  const inCells = sumOf(picture.total);
  const pictures = count > 1 ? `pictures ${first}…${first + count - 1}` : `picture ${first}`;
  const label = files.length > 1 ? `${"AB"[side]}: ` : "";
  const sum = `${label}${whole(inCells)} bits in cells + ${whole(picture.headerBits)} of headers = ${tenths((inCells + picture.headerBits) / 8)} bytes.`;
  return `${sum} Its packet holds ${pictures} in ${whole(bytes)} bytes.`;
}

function describe() {
  const pictures = picturesAt(state.place);
  element("position").textContent = `picture ${pictures[0].number} of 0…${data.pictureCount - 1}`;
  fill(element("picture-facts"), pictures.map(factsOf));
  element("adding-up").textContent = pictures.map(addingUp).join(" ");
  element("bits-reach").textContent = whole(reach());
  const hasPrediction = pictures.some((picture) => picture.prediction);
  for (const view of ["prediction", "residual"]) viewInput(view).parentElement.classList.toggle("off", !hasPrediction);
  const isAbsent = (test) => !pictures.some(test);
  element("vectors").parentElement.classList.toggle("off", isAbsent((of) => of.vectors || (of.coding_blocks && of.references)));
  element("mesh").parentElement.classList.toggle("off", isAbsent((of) => of.vectors));
}

function describeCursor(samples) {
  const table = element("values");
  const { x, y } = state.cursor || {};
  table.caption.textContent = state.cursor ? `Under the cursor, at x, y = ${x}, ${y}` : "Under the cursor: point at the picture";
  fill(table, picturesAt(state.place).map((picture, side) => (state.cursor ? valuesAt(picture, samples[side], x, y) : [])));
}

function valuesAt(picture, { decoded, prediction }, x, y) {
  const { planes, hasAlpha, cellSize, cells } = picture.file;
  const at = 4 * (Math.floor(y / data.shrink) * decoded.width + Math.floor(x / data.shrink));
  const isAlpha = (channel) => hasAlpha && channel === planes.length - 1;
  const valuesOf = (image) => planes.map((_, channel) => (isAlpha(channel) ? image.alpha[at] : image.data[at + channel]));
  const rows = [[`decoded ${planes.join(" ")}`, valuesOf(decoded).join(" ")]];
  if (prediction) {
    const before = valuesOf(prediction);
    const differences = valuesOf(decoded).map((value, channel) => value - before[channel]);
    rows.push(["prediction", before.join(" ")]);
    rows.push(["residual", differences.map((value) => (value > 0 ? `+${value}` : signed(value))).join(" ")]);
  }
  if (picture.coding_blocks) rows.push(...blockRows(picture, x, y));
  const [row, column] = [Math.floor(y / cellSize), Math.floor(x / cellSize)];
  const cell = row * cells[1] + column;
  rows.push(["cell row, column", `${row}, ${column}`]);
  if (picture.modes && !picture.coding_blocks) rows.push(["mode", MODES[picture.modes[cell]]]);
  if (picture.vectors) rows.push(...vectorRows(picture, row, column, cell));
  for (const [name, bits] of Object.entries(picture.bits)) rows.push([`${name} bits`, tenths(bits[cell])]);
  rows.push(["bits of the cell", tenths(picture.total[cell])]);
  return rows;
}

function blockRows(picture, x, y) {
  const { side, name, transformSplit, obmc, coded, vectors, copied, fromLuma } = blockAt(picture, x, y);
  const planes = picture.file.planesCoded.filter((_, plane) => (coded >> plane) & 1);
  const where = picture.references > 1 ? ["from before, dx, dy", "from after, dx, dy"] : ["comes from, dx, dy", "and from, dx, dy"];
  const moved = vectors.map(({ dy, dx, r }) => [where[r], signed(`${dx}, ${dy}`)]);
  return [
    ["coding block", `${side} × ${side}, ${name}${obmc ? ", OBMC" : ""}${fromLuma ? ", chroma from luma" : ""}`],
    ...moved,
    ...(copied ? [["copy of what is at, dx, dy", signed(`${copied.dx}, ${copied.dy}`)]] : []),
    ["levels in", planes.length ? `${planes.join(" ")}${transformSplit && coded & 1 ? ", transform split" : ""}` : "no plane"],
    ["qp, qp of chroma", picture.qps.join(", ")],
  ];
}

function vectorRows(picture, row, column, cell) {
  const words = (vectors, place) => signed(`${vectors[2 * place + 1] / 4}, ${vectors[2 * place] / 4}`);
  if (picture.file.motion === "block") return [["comes from, dx, dy", words(picture.vectors, cell)]];
  if (picture.modes[cell] === 2) return [["comes from, dx, dy", words(picture.own, cell)]];
  const columns = picture.file.cells[1] + 1;
  return [[0, 0, "↖"], [0, 1, "↗"], [1, 0, "↙"], [1, 1, "↘"]].map(
    ([below, aside, place]) => [`node ${place} dx, dy`, words(picture.vectors, (row + below) * columns + column + aside)],
  );
}

/** A row for each picture of each file; a click on it shows the picture. */
function listPictures() {
  const table = element("all");
  if (table.rows.length) return;
  const head = table.createTHead().insertRow();
  const columns = ["picture", "type", "dial", "bytes", ...(has.both ? ["PSNR against A, dB"] : []), "mean vector", "area of each kind"];
  for (const text of columns) head.appendChild(document.createElement("th")).textContent = text;
  for (let place = 0; place < places; place++) {
    picturesAt(place).forEach((picture, side) => {
      const { number, type, dial, bytes, psnr } = picture.entry;
      const { kinds, meanLength } = statistics(picture);
      const row = table.insertRow();
      const words = kinds.map(([name, share]) => `${name} ${share}`).join(", ");
      const name = has.both ? `${number} ${"AB"[side]}` : number;
      const cells = [name, type, dial?.join(" ") ?? "", whole(bytes), ...(has.both ? [psnr ?? ""] : []), meanLength, words];
      for (const text of cells) row.insertCell().textContent = text;
      row.addEventListener("click", () => go(place));
    });
  }
}

// ---------------------------------------------------------------- what people do

function go(place) {
  state.place = Math.min(Math.max(place, 0), places - 1);
  return draw();
}

async function play() {
  state.playing = !state.playing;
  element("play").textContent = state.playing ? "pause" : "play";
  while (state.playing) {
    const started = performance.now();
    const next = (state.place + 1) % places;
    const apart = Math.max(files[0].pictures[next].number - files[0].pictures[state.place].number, 1);
    await go(next);
    load((next + 1) % places);
    const wait = apart * data.milliseconds - (performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, Math.max(wait, 0)));
  }
}

const viewInput = (view) => document.querySelector(`input[name=view][value=${view}]`);

function choose(view) {
  state.view = view;
  viewInput(view).checked = true;
  return draw();
}

function toggle(id) {
  element(id).checked = !element(id).checked;
  drawOverlay();
}

/** A left of this share of the picture's width, B right of it. */
function wipe(share) {
  element("wipe").value = share;
  element("stage").style.setProperty("--wipe", `${100 * share}%`);
}

function help() {
  if (element("help").open) element("help").close();
  else element("help").showModal();
}

const KEYS = {
  ArrowLeft: ["←", "the picture before", () => go(state.place - 1)],
  ArrowRight: ["→", "the next picture", () => go(state.place + 1)],
  Home: ["Home", "the first picture", () => go(0)],
  End: ["End", "the last picture", () => go(places - 1)],
  " ": ["space", "play, or pause", play],
  1: ["1", "the decoded picture", () => choose("decoded")],
  2: ["2", "its prediction", () => choose("prediction")],
  3: ["3", "the residual: what prediction missed", () => choose("residual")],
  4: ["4", "how B differs from A", () => choose("difference")],
  x: ["x", "all A, or all B", () => wipe(Number(element("wipe").value) < 1 ? 1 : 0)],
  l: ["l", "coding blocks", () => toggle("coding_blocks")],
  c: ["c", "cells", () => toggle("cells")],
  v: ["v", "vectors", () => toggle("vectors")],
  m: ["m", "mesh", () => toggle("mesh")],
  b: ["b", "bits of each cell", () => toggle("bits")],
  "?": ["?", "this help", help],
};
const has = {
  mesh: files.some((file) => file.motion === "mesh"),
  tree: files.some((file) => file.kinds),
  modes: files.some((file) => file.motion === "mesh" && !file.kinds),
  both: files.length > 1,
};
for (const [key, isThere] of [["4", has.both], ["x", has.both], ["l", has.tree], ["m", has.mesh]]) if (!isThere) delete KEYS[key];
for (const [name, isThere] of Object.entries(has)) document.body.classList.toggle(`has-${name}`, isThere);
fill(element("keys"), [Object.values(KEYS)]);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  if (event.target.type === "range" && event.key.startsWith("Arrow")) return;
  if (element("help").open && event.key !== "?") return;
  event.preventDefault();
  KEYS[event.key][2]();
});
element("previous").addEventListener("click", () => go(state.place - 1));
element("next").addEventListener("click", () => go(state.place + 1));
element("play").addEventListener("click", play);
element("ask").addEventListener("click", help);
element("all").parentElement.parentElement.addEventListener("toggle", listPictures);
for (const view of VIEWS) viewInput(view).addEventListener("change", () => choose(view));
for (const id of LAYERS) element(id).addEventListener("change", drawOverlay);
element("gain").addEventListener("input", () => {
  state.gain = 2 ** Number(element("gain").value);
  for (const output of document.querySelectorAll(".gain-value")) output.textContent = state.gain;
  choose(state.view === "difference" ? "difference" : "residual");
});
element("timeline").addEventListener("click", (event) => go(nearest(files[0].timeline[positionOnTimeline(event)].number)));
element("timeline").addEventListener("pointermove", (event) => {
  const entries = files.map((file) => file.timeline[positionOnTimeline(event)]);
  const missing = placeOf.has(entries[0].number) ? "" : ", left out of this page";
  const sizes = entries.map(({ type, bytes }) => `${type}, ${whole(bytes)} bytes`).join("; B: ");
  element("hovered").textContent = `· picture ${entries[0].number}${has.both ? ", A: " : ", "}${sizes}${missing}`;
});
async function point(event) {
  const box = element("picture").getBoundingClientRect();
  const inside = (position, start, length, samples) => Math.min(Math.max(Math.floor(((position - start) / length) * samples), 0), samples - 1);
  state.cursor = { x: inside(event.clientX, box.left, box.width, data.width), y: inside(event.clientY, box.top, box.height, data.height) };
  if (has.both && event.buttons & 1) wipe((event.clientX - box.left) / box.width);
  describeCursor(await load(state.place));
}
element("stage").addEventListener("pointermove", point);
element("stage").addEventListener("pointerdown", point);
element("wipe").addEventListener("input", () => wipe(element("wipe").value));

function resize() {
  sizeCanvases();
  sizeTimeline();
  return draw();
}
window.addEventListener("resize", resize);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTimeline);

/** #picture=3&view=residual&show=bits,vectors opens the page there, #play plays it. */
async function start() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  if (wanted.has("picture")) state.place = nearest(Number(wanted.get("picture")));
  for (const id of (wanted.get("show") || "").split(",")) if (LAYERS.includes(id)) element(id).checked = true;
  wipe(0.5);
  sizeCanvases();
  sizeTimeline();
  await choose(VIEWS.includes(wanted.get("view")) ? wanted.get("view") : "decoded");
  if (wanted.has("play")) play();
}
start();
