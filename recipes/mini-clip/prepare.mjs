// Renders the icon packages into flat arrays that training maps into memory, and gathers the names and tags.
//   node prepare.mjs [--out DIR]      (default: $TMPDIR/mini-clip/data)
// Writes: classes.json, texts.json, pictures.json, pictures.u8 (n x 96 x 96 premultiplied RGBA),
//         pictures-small.u8 (the same at 48 px), eval/VENDOR-KIND.u8 (n x 64 x 64 RGB) with eval/VENDOR.json.
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp from "sharp";

const require = createRequire(import.meta.url);
const outFlag = process.argv.indexOf("--out");
const out = outFlag > 0 ? process.argv[outFlag + 1] : join(tmpdir(), "mini-clip", "data");
mkdirSync(join(out, "eval"), { recursive: true });
sharp.concurrency(1);
const PARALLEL = 4;

// ---------------------------------------------------------------- sets
// `mono`: drawn in one colour, so sampled less often. `codes`: named by country codes.
const TRAIN_SETS = [
  { name: "noto" },
  { name: "fluent-emoji-flat" },
  { name: "fluent-emoji", charsOf: "fluent-emoji-flat" },
  { name: "fluent-emoji-high-contrast", mono: true },
  { name: "emojione" },
  { name: "emojione-monotone", mono: true, flags: false },
  { name: "fxemoji" },
  { name: "streamline-emojis", variants: true }, // man-astronaut-1, man-astronaut-2: two pictures of one emoji
  { name: "circle-flags", codes: /^([a-z]{2}|gb-(?:eng|sct|wls))$/ },
  { name: "flag", codes: /^([a-z]{2}|gb-(?:eng|sct|wls))-4x3$/ },
  { name: "flagpack", codes: /^([a-z]{2}|gb-(?:eng|sct|wls))$/ },
  { name: "cif", codes: /^([a-z]{2})$/ },
];
// Never trained on: noto-v1 chooses the settings and the threshold, twemoji only reports.
const EVAL_SETS = { "noto-v1": ["varied", "clean"], twemoji: ["varied", "harsh", "small", "wide", "clean"] };
// Of the five skin tones two are enough; a toned picture is one more picture of the untoned class.
const TONES = { "1f3fc": "medium-light", "1f3ff": "dark" };

// ---------------------------------------------------------------- classes and names
const emojibase = dirname(require.resolve("emojibase-data/package.json"));
const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));
const languages = readdirSync(emojibase).filter((d) => /^[a-z]{2}(-[a-z]+)?$/.test(d));
const english = readJson(join(emojibase, "en", "data.json"));
const subgroups = readJson(join(emojibase, "meta", "groups.json")).subgroups;
const isClass = (e) => e.group !== undefined && e.group !== 2; // no components, no lone regional indicators
const classes = english.filter(isClass).sort((a, b) => a.order - b.order);
/** Hex code points without variation selectors and padding: "0023-fe0f-20e3" and "23-20e3" are one emoji. */
const codeKey = (hex) =>
  hex
    .toLowerCase()
    .split("-")
    .map((c) => c.replace(/^0+/, ""))
    .filter((c) => c !== "fe0f")
    .join("-");
const classOfCode = new Map();
classes.forEach((e, i) => {
  classOfCode.set(codeKey(e.hexcode), { cls: i, tone: "" });
  for (const skin of e.skins ?? []) {
    const tones = codeKey(skin.hexcode).match(/1f3f[b-f]/g) ?? [];
    // Pairs of people with two different tones are left out.
    if (new Set(tones).size === 1 && TONES[tones[0]]) classOfCode.set(codeKey(skin.hexcode), { cls: i, tone: TONES[tones[0]] });
  }
});

const plain = (s) =>
  s
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/&/g, "and")
    .replace(/[^a-z0-9#*]+/g, "");
const HOURS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const classOfName = new Map();
const addName = (name, cls, priority) => {
  const key = plain(name);
  const known = classOfName.get(key);
  if (key && (!known || known.priority > priority)) classOfName.set(key, { cls, priority });
};
const hexToClass = new Map(classes.map((e, i) => [e.hexcode, i]));
classes.forEach((e, i) => {
  addName(e.label, i, 0);
  // Older names: "grinning cat face" for what is now a "grinning cat".
  if (/\bcat\b/.test(e.label)) addName(e.label.replace(/\bcat\b/, "cat face"), i, 12);
  const hour = e.label.match(/^(\w+)(?: o’clock|-(thirty))$/);
  if (hour) addName(`clock ${HOURS.indexOf(hour[1]) + 1} ${hour[2] ?? "oclock"}`, i, 12);
  if (e.group === 9) {
    addName(e.label.replace(/^flag: /, "flag for "), i, 0);
    addName(e.label.replace(/^flag: /, "flag for flag "), i, 0);
    addName(`flag for ${e.label}`, i, 1);
    addName(e.label.replace(/^flag: /, "flag for ").replace(/ \(.*\)/, ""), i, 1);
  }
});
for (const [priority, file] of ["cldr", "emojibase", "github", "iamcal", "joypixels", "emojibase-legacy"].entries()) {
  for (const [hex, codes] of Object.entries(readJson(join(emojibase, "en", "shortcodes", `${file}.json`))))
    for (const code of [codes].flat()) if (hexToClass.has(hex)) addName(code, hexToClass.get(hex), priority + 2);
}
// The names that chars.json gives in the sets that have one also name the pictures of the sets that have none.
const iconDir = (name) => dirname(require.resolve(`@iconify-json/${name}/package.json`));
for (const name of ["noto", "fluent-emoji-flat"])
  for (const [code, slug] of Object.entries(readJson(join(iconDir(name), "chars.json")))) {
    const hit = classOfCode.get(codeKey(code));
    if (hit && !hit.tone) addName(slug, hit.cls, 1);
  }
for (const [name, label] of Object.entries(readJson(new URL("aliases.json", import.meta.url)))) {
  const hit = classOfName.get(plain(label));
  if (!hit) throw new Error(`aliases.json: no emoji "${label}"`);
  addName(name, hit.cls, 9);
}
const classOfCountry = (code) => {
  const points = code.includes("-")
    ? [0x1f3f4, ...[...code.replace("-", "")].map((c) => 0xe0000 + c.charCodeAt(0)), 0xe007f]
    : [...code].map((c) => 0x1f1e6 + c.charCodeAt(0) - 97);
  return classOfCode.get(points.map((p) => p.toString(16)).join("-"));
};
const TONE_SLUG = /-(medium-light|dark|light|medium|medium-dark)(?:-skin-tone)?$/;
function classOfSlug(slug) {
  const whole = classOfName.get(plain(slug));
  if (whole) return { cls: whole.cls, tone: "", priority: whole.priority };
  const m = slug.match(/^(.*?)-(medium-light|medium-dark|light|medium|dark)(?:-skin-tone)?$/);
  if (!m || !Object.values(TONES).includes(m[2]) || TONE_SLUG.test(m[1])) return undefined;
  const base = classOfName.get(plain(m[1]));
  return base && classes[base.cls].skins ? { cls: base.cls, tone: m[2], priority: base.priority } : undefined;
}

/** All pictures of a set, at most one for each (class, tone), or for each numbered variant of it. */
function picturesOf(set) {
  const dir = iconDir(set.name);
  const icons = readJson(join(dir, "icons.json"));
  const found = new Map();
  const add = (hit, slug, priority, variant = "") => {
    if (!hit || (set.flags === false && classes[hit.cls].group === 9)) return;
    const key = `${hit.cls} ${hit.tone} ${variant}`;
    if (found.has(key) && found.get(key).priority <= priority) return;
    const icon = icons.icons[slug] ?? icons.icons[icons.aliases?.[slug]?.parent];
    if (!icon) return;
    const w = icon.width ?? icons.width ?? 16;
    const h = icon.height ?? icons.height ?? 16;
    const box = `${icon.left ?? 0} ${icon.top ?? 0} ${w} ${h}`;
    const svg = (px) => {
      const k = px / Math.max(w, h);
      return Buffer.from(
        `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${w * k}" height="${h * k}" viewBox="${box}">${icon.body}</svg>`,
      );
    };
    found.set(key, { set: set.name, mono: set.mono ?? false, cls: hit.cls, tone: hit.tone, priority, slug, svg });
  };
  const chars = readJson(join(iconDir(set.charsOf ?? set.name), "chars.json"));
  for (const [code, slug] of Object.entries(chars)) add(classOfCode.get(codeKey(code)), slug, 0);
  for (const slug of [...Object.keys(icons.icons), ...Object.keys(icons.aliases ?? {})]) {
    if (set.codes) {
      const m = slug.match(set.codes);
      if (m) add(classOfCountry(m[1]), slug, 0);
    } else if (Object.keys(chars).length === 0) {
      const numbered = set.variants ? slug.match(/^(.*)-(\d)$/) : null;
      const hit = classOfSlug(slug) ?? (numbered ? classOfSlug(numbered[1]) : undefined);
      if (hit) add(hit, slug, hit.priority + (icons.icons[slug] ? 0 : 10), numbered?.[2]);
    }
  }
  return [...found.values()].sort((a, b) => a.cls - b.cls || a.tone.localeCompare(b.tone));
}
function lobehubPictures() {
  const dir = join(dirname(require.resolve("@lobehub/fluent-emoji-3d/package.json")), "assets");
  const found = new Map();
  for (const file of readdirSync(dir).sort()) {
    const hit = classOfCode.get(codeKey(file.replace(/\.webp$/, "")));
    if (hit) found.set(`${hit.cls} ${hit.tone}`, { set: "fluent-emoji-3d", mono: false, ...hit, slug: file, file: join(dir, file) });
  }
  return [...found.values()].sort((a, b) => a.cls - b.cls || a.tone.localeCompare(b.tone));
}

// ---------------------------------------------------------------- rendering
const FULL = 96;
const BORDER = 2;
/** The picture cut to what is not transparent, fitted into 96 x 96 with a border, premultiplied; and its half. */
async function sprite(picture) {
  const source = picture.file ? sharp(picture.file).resize(160, 160, { fit: "inside" }) : sharp(picture.svg(160));
  const { data, info } = await source.ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  let [left, top, right, bottom] = [info.width, info.height, -1, -1];
  for (let y = 0; y < info.height; y++)
    for (let x = 0; x < info.width; x++)
      if (data[(y * info.width + x) * 4 + 3] > 24) {
        left = Math.min(left, x);
        right = Math.max(right, x);
        top = Math.min(top, y);
        bottom = Math.max(bottom, y);
      }
  if (right < left) return undefined;
  const inner = FULL - 2 * BORDER;
  const cut = await sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .extract({ left, top, width: right - left + 1, height: bottom - top + 1 })
    .resize(inner, inner, { fit: "inside" })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const full = new Uint8Array(FULL * FULL * 4);
  const x0 = (FULL - cut.info.width) >> 1;
  const y0 = (FULL - cut.info.height) >> 1;
  for (let y = 0; y < cut.info.height; y++)
    for (let x = 0; x < cut.info.width; x++) {
      const from = (y * cut.info.width + x) * 4;
      const to = ((y + y0) * FULL + x + x0) * 4;
      const alpha = cut.data[from + 3];
      for (let c = 0; c < 3; c++) full[to + c] = Math.round((cut.data[from + c] * alpha) / 255);
      full[to + 3] = alpha;
    }
  const half = FULL / 2;
  const small = new Uint8Array(half * half * 4);
  for (let y = 0; y < half; y++)
    for (let x = 0; x < half; x++)
      for (let c = 0; c < 4; c++) {
        const at = (dy, dx) => full[((2 * y + dy) * FULL + 2 * x + dx) * 4 + c];
        small[(y * half + x) * 4 + c] = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1) + 2) >> 2;
      }
  return { full, small };
}

function random(seedText) {
  let a = createHash("sha256").update(seedText).digest().readUInt32LE(0);
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
/**
 * Plain, gradient, noise, stripes or checks. As the example crawl draws them: light more often than dark, and the second
 * colour near the first but in gradients. `harsh`: any two colours, which can drown the emoji.
 */
function background(w, h, rnd, harsh) {
  const hsl = (hue, saturation, lightness) => {
    const a = saturation * Math.min(lightness, 1 - lightness);
    return [0, 8, 4].map((n) => {
      const k = (n + hue * 12) % 12;
      return 255 * (lightness - a * Math.max(-1, Math.min(k - 3, 9 - k, 1)));
    });
  };
  const colour = () =>
    harsh ? [rnd() * 255, rnd() * 255, rnd() * 255] : hsl(rnd(), 0.1 + 0.6 * rnd(), rnd() < 0.8 ? 0.55 + 0.42 * rnd() : 0.2 + 0.3 * rnd());
  const a = colour();
  const kind = ["plain", "gradient", "gradient", "noise", "noise", "stripes", "checks"][Math.floor(rnd() * 7)];
  const near = harsh || kind === "gradient" ? 1 : 0.45;
  const b = colour().map((v, i) => a[i] + (v - a[i]) * near);
  const angle = rnd() * Math.PI;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const cell = [6, 10, 16, 24, 40][Math.floor(rnd() * 5)];
  const columns = Math.ceil(w / cell);
  const shares = kind === "noise" ? Float32Array.from({ length: columns * Math.ceil(h / cell) }, rnd) : undefined;
  const pixels = Buffer.alloc(w * h * 3);
  for (let y = 0, i = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      let mix = 0;
      if (kind === "gradient") mix = Math.min(1, Math.max(0, 0.5 + ((x / w - 0.5) * cos + (y / h - 0.5) * sin)));
      else if (kind === "stripes") mix = Math.floor((x * cos + y * sin) / cell) & 1;
      else if (kind === "checks") mix = (Math.floor(x / cell) + Math.floor(y / cell)) & 1;
      else if (shares) mix = shares[Math.floor(y / cell) * columns + Math.floor(x / cell)];
      for (let c = 0; c < 3; c++, i++) pixels[i] = a[c] + (b[c] - a[c]) * mix;
    }
  return pixels;
}
/** What Pairmill's model input is: the encoded picture decoded, flattened onto white, squashed to 64 x 64. */
const modelInput = (encoded) =>
  sharp(encoded).flatten({ background: "#fff" }).toColourspace("srgb").resize(64, 64, { fit: "fill", kernel: "cubic" }).removeAlpha().raw().toBuffer();

const SHARE = { clean: [0.92, 0.92], varied: [0.45, 0.95], harsh: [0.45, 0.95], small: [0.25, 0.4], wide: [0.5, 0.95] };
/** A page's picture: the emoji somewhere on a background, as JPEG, seen through the model's preprocessing. */
async function composition(picture, kind) {
  const rnd = random(`${picture.set} ${picture.cls} ${kind}`);
  const side = 256 + Math.floor(rnd() * 320);
  let [w, h] = [side, side];
  if (kind === "wide") w = side * 2;
  else if (kind !== "clean" && rnd() < 0.5) w = Math.round(side * (0.8 + rnd() * 0.45));
  const [low, high] = SHARE[kind];
  const px = Math.max(16, Math.floor(Math.min(w, h) * (low + rnd() * (high - low))));
  const emoji = await sharp(picture.svg(px)).png({ compressionLevel: 0 }).toBuffer({ resolveWithObject: true });
  const pixels = kind === "clean" ? Buffer.alloc(w * h * 3, 255) : background(w, h, rnd, kind === "harsh");
  const [u, v] = kind === "clean" ? [0.5, 0.5] : [rnd(), rnd()];
  const encoded = await sharp(pixels, { raw: { width: w, height: h, channels: 3 } })
    .composite([{ input: emoji.data, left: Math.floor((w - emoji.info.width) * u), top: Math.floor((h - emoji.info.height) * v) }])
    .jpeg({ quality: 70 + Math.floor(rnd() * 25) })
    .toBuffer();
  return modelInput(encoded);
}

async function inOrder(items, work, each) {
  for (let i = 0; i < items.length; i += 256) {
    const part = items.slice(i, i + 256);
    const results = new Array(part.length);
    let next = 0;
    await Promise.all(
      Array.from({ length: PARALLEL }, async () => {
        while (next < part.length) {
          const k = next++;
          results[k] = await work(part[k]).catch((error) => {
            throw new Error(`${part[k].set} ${part[k].slug}: ${error.message}`);
          });
        }
      }),
    );
    results.forEach((r, k) => each(r, part[k]));
  }
}

// ---------------------------------------------------------------- write
writeFileSync(
  join(out, "classes.json"),
  JSON.stringify(
    classes.map((e) => ({ hexcode: e.hexcode, emoji: e.emoji, label: e.label, group: e.group, subgroup: subgroups[e.subgroup] })),
    null,
    0,
  ),
);
// One (emoji, language) in ten is held out to report how unseen names fare. Regional variants share their fate,
// or the same word would be seen through the other one.
const fateLanguage = { "en-gb": "en", "es-mx": "es" };
const texts = [];
for (const lang of languages)
  for (const e of readJson(join(emojibase, lang, "data.json"))) {
    const cls = hexToClass.get(e.hexcode);
    if (cls === undefined) continue;
    const fate = createHash("sha256").update(`held out ${e.hexcode} ${fateLanguage[lang] ?? lang}`).digest().readUInt32LE(0);
    const toned = (e.skins ?? []).filter((skin) => typeof skin.tone === "number").map((skin) => skin.label);
    texts.push({ cls, lang, label: e.label, tags: e.tags ?? [], toned, held: fate % 10 === 0 });
  }
writeFileSync(join(out, "texts.json"), JSON.stringify(texts));

const pictures = [...TRAIN_SETS.flatMap(picturesOf), ...lobehubPictures()];
const full = openSync(join(out, "pictures.u8"), "w");
const small = openSync(join(out, "pictures-small.u8"), "w");
const kept = [];
await inOrder(pictures, sprite, (result, p) => {
  if (!result) return;
  writeSync(full, result.full);
  writeSync(small, result.small);
  kept.push({ set: p.set, cls: p.cls, tone: p.tone, mono: p.mono });
});
closeSync(full);
closeSync(small);
writeFileSync(join(out, "pictures.json"), JSON.stringify(kept));
const counts = {};
for (const p of kept) counts[p.set] = (counts[p.set] ?? 0) + 1;
console.log(`${classes.length} classes, ${languages.length} languages, ${texts.length} labels, ${kept.length} pictures`, counts);
console.log("classes without a picture:", classes.filter((_, i) => !kept.some((p) => p.cls === i)).length);

for (const [name, kinds] of Object.entries(EVAL_SETS)) {
  const list = picturesOf({ name }).filter((p) => !p.tone);
  writeFileSync(join(out, "eval", `${name}.json`), JSON.stringify(list.map((p) => p.cls)));
  for (const kind of kinds) {
    const file = openSync(join(out, "eval", `${name}-${kind}.u8`), "w");
    await inOrder(list, (p) => composition(p, kind), (pixels) => writeSync(file, pixels));
    closeSync(file);
  }
  console.log(`${name}: ${list.length} pictures, kept out of training (${kinds.join(", ")})`);
}
