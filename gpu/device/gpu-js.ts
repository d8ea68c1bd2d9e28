/**
 * The GPU.js device: block attention in f32 on GPU.js's `webasm` or `cpu` backend.
 *
 * GPU.js falls back silently when a backend cannot take a kernel, so after every kernel's first run
 * the class that really ran it is compared with the one asked for. Kernels are compiled once and
 * reused for every shape. −∞ enters and leaves kernels as −3·10³⁸, which every backend can compare.
 * @module
 */
import gpuJs from 'gpu.js';
import type {
  Block,
  BlockGradients,
  Cotangents,
  Device,
  Partial,
  ProjectionShape,
  Real,
} from './device.ts';
import { KERNELS, type KernelName } from './kernels.ts';

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

function forward(run: Run, block: Block): Partial {
  const { batch, heads, kvHeads, rows, keys, headDim, headDimV, q, k, v, visible, bias, kappa } =
    block;
  const all = batch * heads * rows;
  const group = heads / kvHeads;
  if (keys === 0)
    return { out: make(all * headDimV), lse: make(all).fill(Number.NEGATIVE_INFINITY) };
  const pairs = all * keys;
  const s = run(
    'scores',
    pairs,
    q,
    k,
    visible,
    bias,
    group,
    rows,
    keys,
    headDim,
    block.scale,
    block.softcap,
  );
  const m = run('rowMax', all, s, visible, keys);
  const w = run('weights', pairs, s, visible, m, keys);
  const l = run('rowSum', all, w, keys);
  const lse = run('rowLse', all, m, l).map((value, n) =>
    l[n] === 0 ? Number.NEGATIVE_INFINITY : value,
  );
  const out = run('output', all * headDimV, w, visible, kappa, v, l, group, rows, keys, headDimV);
  return { out, lse };
}

function merge(run: Run, a: Partial, b: Partial, width: number): Partial {
  const [x, y] = [finite(a.lse), finite(b.lse)];
  const lse = run('mergeLse', x.length, x, y);
  const out = run('mergeOutput', a.out.length, a.out, x, b.out, y, lse, width);
  return { out, lse: infinite(lse) };
}

function backward(run: Run, block: Block, { dOut, lse, delta }: Cotangents): BlockGradients {
  const { batch, heads, kvHeads, rows, keys, headDim, headDimV, q, k, v, visible, bias, kappa } =
    block;
  const all = batch * heads * rows;
  const group = heads / kvHeads;
  const allKeys = batch * kvHeads * keys;
  const { scale, softcap } = block;
  if (all * keys === 0) {
    return {
      dQ: make(all * headDim),
      dK: make(allKeys * headDim),
      dV: make(allKeys * headDimV),
      dS: make(0),
    };
  }
  const pairs = all * keys;
  const s = run('scores', pairs, q, k, visible, bias, group, rows, keys, headDim, scale, softcap);
  const p = run('weights', pairs, s, visible, finite(lse), keys);
  const dS = run(
    'scoreGradient',
    pairs,
    p,
    visible,
    kappa,
    dOut,
    v,
    delta,
    group,
    rows,
    keys,
    headDimV,
  );
  // The capped score itself, not s − bias: beside a large bias that difference has lost its digits.
  const capped = (): Real =>
    run('scores', pairs, q, k, visible, make(pairs), group, rows, keys, headDim, scale, softcap);
  const dRaw = softcap === 0 ? dS : run('softcapGradient', pairs, dS, capped(), visible, softcap);
  const ones = make(pairs).fill(1);
  return {
    dQ: run('queryGradient', all * headDim, dRaw, visible, k, group, rows, keys, headDim, scale),
    dK: run(
      'keyGradient',
      allKeys * headDim,
      dRaw,
      visible,
      ones,
      q,
      group,
      rows,
      keys,
      headDim,
      scale,
    ),
    dV: run(
      'keyGradient',
      allKeys * headDimV,
      p,
      visible,
      kappa,
      dOut,
      group,
      rows,
      keys,
      headDimV,
      1,
    ),
    dS,
  };
}

/** A device on a GPU.js backend, f32. */
export function gpuJsDevice(backend: GpuBackend): Device {
  const run = runner(backend);
  return {
    backend,
    make,
    forward: (block) => forward(run, block),
    merge: (a, b, width) => merge(run, a, b, width),
    delta: (dOut, out, dLse, width) => run('rowDelta', dLse.length, dOut, out, dLse, width),
    backward: (block, cotangents) => backward(run, block, cotangents),
    add: (x, y) => run('add', x.length, x, y),
    project: (y, w, p: ProjectionShape) =>
      run(
        'project',
        p.batch * p.kvHeads * p.keys * p.width,
        y,
        w,
        p.kvHeads,
        p.keys,
        p.width,
        p.dimY,
      ),
    projectFeatures: (dX, w, p) =>
      run('projectFeatures', p.batch * p.keys * p.dimY, dX, w, p.kvHeads, p.keys, p.width, p.dimY),
    projectWeights: (y, dX, p) =>
      run(
        'projectWeights',
        p.dimY * p.kvHeads * p.width,
        y,
        dX,
        p.batch,
        p.kvHeads,
        p.keys,
        p.width,
        p.dimY,
      ),
  };
}
