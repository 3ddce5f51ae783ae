// Nets as ONNX in ONNX Runtime (its build for WebAssembly, under Node): the logits are those of ntkrob.
//   onnx_runtime.mjs EXPORTED_NETS_PROGRAM FOLDER
//
// FOLDER keeps the package between runs; npm is asked for it once, by its own configuration. Prints "skipped: ..." where
// the package is not there and cannot be had.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";

const PACKAGE = "onnxruntime-web", VERSION = "1.30.0";
// Of the largest logit. Both sides sum in float32 in orders of their own: sums of up to 4608 products are off by about
// sqrt(4608) half ulps (6e-8), 4e-6 of what they sum, and most layers have fewer. 2.4e-6 is what was found.
const TOLERANCE = 1e-5;

function skip(reason) {
  console.log(`skipped: ${reason}`);
  process.exit(0);
}

function fail(reason) {
  console.error(reason);
  process.exit(1);
}

function runtime(folder) {
  const inside = path.join(folder, "node_modules", PACKAGE, "package.json");
  if (!existsSync(inside) || JSON.parse(readFileSync(inside)).version !== VERSION) {
    mkdirSync(folder, { recursive: true });
    const install = ["install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save",
                     "--fetch-retries", "0", `${PACKAGE}@${VERSION}`];
    try {
      execFileSync("npm", install, { stdio: "pipe", timeout: 240_000 });
    } catch (error) {
      skip(`npm does not give ${PACKAGE} ${VERSION}: ${String(error.message).split("\n")[0]}`);
    }
  }
  const ort = createRequire(path.join(path.resolve(folder), "any.js"))(PACKAGE);
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  return ort;
}

const floats = (file) => {
  const bytes = readFileSync(file);
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
};

/** The element with the largest difference. */
function compare(expected, found) {
  if (expected.length === 0 || expected.length !== found.length)
    fail(`${expected.length} logits are expected, ${found.length} came`);
  const worst = { error: -1, at: 0, scale: 0 };
  expected.forEach((value, at) => {
    const error = Math.abs(value - found[at]);
    if (!(error <= worst.error)) Object.assign(worst, { error, at });
    worst.scale = Math.max(worst.scale, Math.abs(value));
  });
  return worst;
}

async function check(ort, base) {
  const [, height, width, channels, classes, spec] = /^(\d+) (\d+) (\d+) (\d+) (.*)\n/.exec(readFileSync(`${base}.net`, "utf8"));
  const size = height * width * channels, images = floats(`${base}.images`), logits = floats(`${base}.logits`);
  const session = await ort.InferenceSession.create(readFileSync(`${base}.onnx`), { executionProviders: ["wasm"] });
  const run = async (values) => {
    const shape = [values.length / size, Number(channels), Number(height), Number(width)];
    return (await session.run({ image: new ort.Tensor("float32", values, shape) })).logits;
  };
  const found = await run(images);
  if (String(found.dims) !== `${images.length / size},${classes}`) fail(`${spec}: the logits are ${found.dims}`);
  const { error, at, scale } = compare(logits, found.data);
  const bound = TOLERANCE * scale;
  console.log(`${spec} on ${height} x ${width} x ${channels}: largest difference ${error.toExponential(1)} at [${
    Math.floor(at / classes)},${at % classes}], ntkrob ${logits[at]}, ONNX Runtime ${found.data[at]}; bound ${
    bound.toExponential(1)}, ${TOLERANCE.toExponential(0)} of the largest logit ${scale.toPrecision(3)}`);
  if (!(scale > 0)) fail("the logits are all 0");
  if (!(error <= bound)) fail(`${spec}: that is beyond the bound`);
  // The bound tells other images apart: with the first and the last swapped it does not hold.
  const swapped = images.slice();
  swapped.copyWithin(0, images.length - size);
  swapped.set(images.subarray(0, size), images.length - size);
  if (compare(logits, (await run(swapped)).data).error <= bound) fail("other images give the same logits");
  await session.release();
  return error / scale;
}

const [, , program, folder] = process.argv;
if (folder === undefined) fail("onnx_runtime.mjs EXPORTED_NETS_PROGRAM FOLDER");
const ort = runtime(folder);
console.log(`${PACKAGE} ${VERSION}, Node ${process.versions.node}`);
const work = mkdtempSync(path.join(tmpdir(), "onnx_runtime_"));
try {
  for (const set of [["presets"], []]) {
    const count = Number(execFileSync(program, [work, ...set], { encoding: "utf8" }));
    if (!(count >= 1)) fail("no nets were written");
    let worst = 0;
    for (let k = 0; k < count; ++k) worst = Math.max(worst, await check(ort, path.join(work, String(k))));
    console.log(`${count} ${set.length ? "presets" : "nets with all layers"}: at most ${worst.toExponential(1)} of the largest logit`);
  }
} finally {
  rmSync(work, { recursive: true });
}
