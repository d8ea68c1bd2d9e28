/**
 * The GPU.js device: block attention in f32 on GPU.js's `webasm` or `cpu` backend.
 *
 * GPU.js falls back silently when a backend cannot take a kernel, so after every kernel's first run
 * the class that really ran it is compared with the one asked for. Kernels are compiled once and
 * reused for every shape. −∞ enters and leaves kernels as −3·10³⁸, which every backend can compare.
 * @module
 */
import gpuJs from 'gpu.js';
import { concatAxis, packArrays, sliceAxis, unpackArrays } from './axes.ts';
import type {
  AxisShape,
  BiasAxes,
  BlockShape,
  Data,
  Device,
  Partial,
  ProjectionShape,
  Real,
} from './device.ts';
import { KERNELS, type KernelName } from './kernels.ts';
import { combineBackward, combineForward, type Plain, plainBlock, splitBlock } from './split.ts';

export const GPU_BACKENDS = ['webasm', 'cpu'] as const;
export type GpuBackend = (typeof GPU_BACKENDS)[number];

/** The kernel class that belongs to each backend of GPU.js. */
const KERNEL_CLASS: Readonly<Record<GpuBackend, string>> = {
  webasm: 'WebAssemblyKernel',
  cpu: 'CPUKernel',
};

/** Indices are computed in f32 on some backends, which counts exactly up to 2²⁴. */
const ELEMENT_LIMIT = 2 ** 24;
const MINUS_INFINITY = -3e38;

type Argument = Real | number;
interface Kernel {
  (...args: Argument[]): unknown;
  setOutput(output: number[]): unknown;
  readonly kernel?: {
    readonly constructor: { readonly name: string };
    readonly fallbackReason?: unknown;
  };
}
type Run = (name: KernelName, length: number, ...args: Argument[]) => Float32Array;

const make = (length: number): Float32Array => new Float32Array(length);
const finite = (lse: Real): Float32Array =>
  make(lse.length).map((_, n) => Math.max(lse[n] ?? 0, MINUS_INFINITY));
const infinite = (lse: Float32Array): Float32Array =>
  lse.map((value) => (value <= MINUS_INFINITY * 0.99 ? Number.NEGATIVE_INFINITY : value));

/** The numbers behind data of this device. */
function real(data: Data): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new TypeError('the GPU.js device expected its own data (Float32Array)');
}

/** Runs kernels by name, each compiled once, each checked for the backend that ran it. */
function runner(backend: GpuBackend): Run {
  const gpu = new gpuJs.GPU({ mode: backend });
  const compiled = new Map<KernelName, Kernel>();
  const compile = (name: KernelName): Kernel => {
    const settings = {
      output: [1],
      dynamicOutput: true,
      dynamicArguments: true,
      // GPU.js silently ends loops with a run-time bound after 1000 rounds unless told otherwise.
      loopMaxIterations: ELEMENT_LIMIT,
    };
    const kernel = gpu.createKernel(KERNELS[name] as never, settings) as unknown as Kernel;
    compiled.set(name, kernel);
    return kernel;
  };
  return (name, length, ...args) => {
    if (length === 0) return make(0);
    if (length >= ELEMENT_LIMIT) {
      throw new RangeError(`"${name}" expected fewer than 2^24 elements a block, got ${length}`);
    }
    const kernel = compiled.get(name) ?? compile(name);
    kernel.setOutput([length]);
    const result = kernel(
      ...args.map((arg) => (typeof arg !== 'number' && arg.length === 0 ? make(1) : arg)),
    );
    assertBackend(backend, name, kernel);
    if (!(result instanceof Float32Array) || result.length !== length) {
      throw new Error(`GPU.js kernel "${name}" expected ${length} f32 elements`);
    }
    return Float32Array.from(result);
  };
}

function assertBackend(backend: GpuBackend, name: KernelName, kernel: Kernel): void {
  const ran = kernel.kernel?.constructor.name ?? 'none';
  if (ran !== KERNEL_CLASS[backend]) {
    const reason = String(kernel.kernel?.fallbackReason ?? 'no reason given');
    throw new Error(
      `GPU.js kernel "${name}" expected ${KERNEL_CLASS[backend]}, ran ${ran} (${reason})`,
    );
  }
}

/** A block's arguments as the kernels want them: one element where a case has none of it. */
function argumentsOf(block: Plain) {
  const { visible, bias, kappa } = block;
  const masked = [visible ?? make(1).fill(1), visible === null ? 0 : 1] as const;
  const biased = [bias ?? make(1), bias === null ? 0 : 1] as const;
  const unbiased = [make(1), 0] as const;
  const dropped = [kappa ?? make(1).fill(1), kappa === null ? 0 : 1] as const;
  const undropped = [make(1).fill(1), 0] as const;
  const extents = [block.heads / block.kvHeads, block.rows, block.keys] as const;
  return { masked, biased, unbiased, dropped, undropped, extents };
}

function scores(run: Run, block: Plain, bias: readonly [Real, number]): Float32Array {
  const { q, k, scale, softcap, headDim } = block;
  const { masked, extents } = argumentsOf(block);
  const pairs = block.batch * block.heads * block.rows * block.keys;
  return run('scores', pairs, q, k, ...masked, ...bias, ...extents, headDim, scale, softcap);
}

function forward(run: Run, block: Plain): { out: Float32Array; lse: Float32Array } {
  const { batch, heads, rows, keys, headDimV, v } = block;
  const all = batch * heads * rows;
  if (keys === 0)
    return { out: make(all * headDimV), lse: make(all).fill(Number.NEGATIVE_INFINITY) };
  const { masked, biased, dropped, extents } = argumentsOf(block);
  const s = scores(run, block, biased);
  const m = run('rowMax', all, s, ...masked, keys);
  const w = run('weights', all * keys, s, ...masked, m, keys);
  const l = run('rowSum', all, w, keys);
  const lse = run('rowLse', all, m, l).map((value, n) =>
    l[n] === 0 ? Number.NEGATIVE_INFINITY : value,
  );
  const out = run('output', all * headDimV, w, ...masked, ...dropped, v, l, ...extents, headDimV);
  return { out, lse };
}

function merge(run: Run, a: Partial, b: Partial, width: number): Partial {
  const [x, y] = [finite(real(a.lse)), finite(real(b.lse))];
  const lse = run('mergeLse', x.length, x, y);
  const out = run('mergeOutput', a.out.length, real(a.out), x, real(b.out), y, lse, width);
  return { out, lse: infinite(lse) };
}

interface Held {
  readonly dOut: Real;
  readonly lse: Real;
  readonly delta: Real;
}

function backward(run: Run, block: Plain, { dOut, lse, delta }: Held) {
  const { batch, heads, kvHeads, rows, keys, headDim, headDimV, q, k, v, scale, softcap } = block;
  const all = batch * heads * rows;
  const allKeys = batch * kvHeads * keys;
  if (all * keys === 0) {
    return {
      dQ: make(all * headDim),
      dK: make(allKeys * headDim),
      dV: make(allKeys * headDimV),
      dS: block.bias === null ? null : make(0),
    };
  }
  const pairs = all * keys;
  const { masked, biased, unbiased, dropped, undropped, extents } = argumentsOf(block);
  const s = scores(run, block, biased);
  const p = run('weights', pairs, s, ...masked, finite(lse), keys);
  const gradient = [...masked, ...dropped, dOut, v, delta, ...extents, headDimV] as const;
  const dS = run('scoreGradient', pairs, p, ...gradient);
  // The capped score itself, not s − bias: beside a large bias that difference has lost its digits.
  const capped = (): Real => scores(run, block, unbiased);
  const dRaw = softcap === 0 ? dS : run('softcapGradient', pairs, dS, capped(), ...masked, softcap);
  const forK = [dRaw, ...masked, ...undropped, q, ...extents, headDim, scale] as const;
  const forV = [p, ...masked, ...dropped, dOut, ...extents, headDimV, 1] as const;
  return {
    dQ: run('queryGradient', all * headDim, dRaw, ...masked, k, ...extents, headDim, scale),
    dK: run('keyGradient', allKeys * headDim, ...forK),
    dV: run('keyGradient', allKeys * headDimV, ...forV),
    dS: block.bias === null ? null : dS,
  };
}

function biasGradient(
  run: Run,
  [dBias, dS]: readonly [Real, Real],
  { batch, heads, rows, keys }: Pick<BlockShape, 'batch' | 'heads' | 'rows' | 'keys'>,
  axes: BiasAxes,
): Data {
  if (dS.length === 0) return dBias;
  const has = axes.map(Number);
  return run('biasGradient', dBias.length, dBias, dS, batch, heads, rows, keys, ...has);
}

/** How projections are indexed: [y, w, kvHeads, keys, width, dimY]. */
function projections(run: Run): Pick<Device, 'project' | 'projectFeatures' | 'projectWeights'> {
  const extents = (p: ProjectionShape) => [p.kvHeads, p.keys, p.width, p.dimY] as const;
  return {
    project: (y, w, p) => {
      const length = p.batch * p.kvHeads * p.keys * p.width;
      return run('project', length, real(y), real(w), ...extents(p));
    },
    projectFeatures: (dX, w, p) => {
      const length = p.batch * p.keys * p.dimY;
      return run('projectFeatures', length, real(dX), real(w), ...extents(p));
    },
    projectWeights: (y, dX, p) => {
      const length = p.dimY * p.kvHeads * p.width;
      return run('projectWeights', length, real(y), real(dX), p.batch, ...extents(p));
    },
  };
}

const total = (parts: readonly Data[]): number =>
  parts.reduce((sum, { length }) => sum + length, 0);

const moving: Pick<Device, 'slice' | 'concat'> = {
  slice: (data, shape: AxisShape, from, to) =>
    sliceAxis(real(data), shape, [from, to], make(shape.outer * (to - from) * shape.inner)),
  concat: (parts, shapes) => concatAxis(parts.map(real), shapes, make(total(parts))),
};

/** A device on a GPU.js backend, f32. */
export function gpuJsDevice(backend: GpuBackend): Device {
  const run = runner(backend);
  return {
    backend,
    bytesPerElement: 4,
    make,
    write: real,
    read: real,
    writeLse: real,
    pack: (parts) => packArrays(parts.map(real), make(total(parts))),
    unpack: unpackArrays,
    ...moving,
    forward: (given) => {
      const block = plainBlock(given, real);
      const parts = splitBlock(block, ELEMENT_LIMIT);
      const done = parts.map((part) => forward(run, part.block));
      return combineForward(block, parts, done, make);
    },
    merge: (a, b, width) => merge(run, a, b, width),
    delta: (dOut, out, dLse, width) =>
      run('rowDelta', dLse.length, real(dOut), real(out), real(dLse), width),
    backward: (given, { dOut, lse, delta }) => {
      const block = plainBlock(given, real);
      const held = { dOut: real(dOut), lse: real(lse), delta: real(delta) };
      const parts = splitBlock(block, ELEMENT_LIMIT);
      const done = parts.map((part) => backward(run, part.block, part.rowsOf(held)));
      return combineBackward(block, parts, done, make);
    },
    biasGradient: (dBias, dS, shape, axes) =>
      biasGradient(run, [real(dBias), real(dS)], shape, axes),
    sinkGradient: (sink, lse, delta, batch) => {
      const rows = lse.length / (batch * sink.length);
      const [s, l] = [finite(real(sink)), finite(real(lse))];
      return run('sinkGradient', sink.length, s, l, real(delta), batch, sink.length, rows);
    },
    add: (x, y) => run('add', x.length, real(x), real(y)),
    ...projections(run),
  };
}
