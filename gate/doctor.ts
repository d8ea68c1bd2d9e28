/**
 * What this machine has: each thing is tried, not looked up.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

export interface Check {
  name: string;
  /** What it is for. */
  purpose: string;
  /** Without it the product does not work. */
  required: boolean;
  remedy: string;
  /** What was found; throws, with the reason, where there is nothing that works. */
  probe(): string | Promise<string>;
}

export interface Finding extends Omit<Check, 'probe'> {
  works: boolean;
  /** A version, or why it does not work. */
  found: string;
}

/** A module that adds two f32x4 vectors: valid only where WebAssembly has SIMD. */
const SIMD_MODULE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
]);

function nodeVersion(): string {
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major < 20) throw new Error(`found ${process.version}`);
  return process.version;
}

/** `WebAssembly`, which the type library without a DOM does not declare. */
function wasmSimd(): string {
  const { WebAssembly } = globalThis as unknown as {
    WebAssembly?: { validate(bytes: Uint8Array): boolean };
  };
  if (!WebAssembly?.validate(SIMD_MODULE)) throw new Error('the SIMD module is refused');
  return 'a SIMD module validates';
}

/** A worker thread writes into memory that this thread reads. */
async function sharedMemory(): Promise<string> {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const code = `const { workerData } = require('node:worker_threads'); Atomics.add(workerData, 0, 42);`;
  const worker = new Worker(code, { eval: true, workerData: shared });
  await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject));
  if (Atomics.load(shared, 0) !== 42) throw new Error('the worker wrote, but nothing arrived');
  return 'a worker wrote into shared memory';
}

/** A kernel runs on this GPU.js backend, and on no other in its place. */
function gpuBackend(mode: 'webasm' | 'cpu'): () => Promise<string> {
  return async () => {
    const { GPU } = createRequire(import.meta.url)('gpu.js') as typeof import('gpu.js');
    const gpu = new GPU({ mode });
    try {
      const kernel = gpu.createKernel('function doubled(a) { return a[this.thread.x] * 2; }', {
        output: [4],
      });
      const result = Array.from(kernel([1, 2, 3, 4]) as ArrayLike<number>);
      if (result.join() !== '2,4,6,8') throw new Error(`the kernel gave ${result.join()}`);
      const ran = (kernel as unknown as { kernel: { constructor: { name: string } } }).kernel;
      return `a kernel ran (${ran.constructor.name})`;
    } finally {
      await gpu.destroy();
    }
  };
}

/** The first line that `command` prints; throws where it does not run. */
function firstLine(command: string, args: readonly string[]): string {
  const run = spawnSync(command, args, { encoding: 'utf8', timeout: 20_000 });
  if (run.error) throw new Error(`${command} does not start`);
  const [line = ''] = `${run.stdout}\n${run.stderr}`.trim().split('\n');
  if (run.status !== 0) throw new Error(line || `${command} exits with status ${run.status}`);
  return line.trim();
}

function onnxRuntime(): string {
  const require = createRequire(import.meta.url);
  require('onnxruntime-node');
  return String((require('onnxruntime-node/package.json') as { version: unknown }).version);
}

const REINSTALL = 'run npm ci in the project';

export const CHECKS: readonly Check[] = [
  {
    name: 'Node.js 20 or later',
    purpose: 'everything',
    required: true,
    remedy: 'https://nodejs.org',
    probe: nodeVersion,
  },
  {
    name: 'WebAssembly SIMD',
    purpose: 'the webasm device',
    required: true,
    remedy: 'a newer Node.js, and a processor with SSE4.1 or NEON',
    probe: wasmSimd,
  },
  {
    name: 'worker threads, shared memory',
    purpose: 'the threads transport',
    required: true,
    remedy: 'a newer Node.js',
    probe: sharedMemory,
  },
  {
    name: 'GPU.js webasm',
    purpose: 'the embedded candidate',
    required: true,
    remedy: REINSTALL,
    probe: gpuBackend('webasm'),
  },
  {
    name: 'GPU.js cpu',
    purpose: 'the embedded candidate',
    required: true,
    remedy: REINSTALL,
    probe: gpuBackend('cpu'),
  },
  {
    name: 'python3',
    purpose: 'candidates in Python',
    required: false,
    remedy: 'apt install python3',
    probe: () => firstLine('python3', ['--version']),
  },
  {
    name: 'NumPy',
    purpose: 'the Python kit and its example',
    required: false,
    remedy: 'apt install python3-numpy',
    probe: () => firstLine('python3', ['-c', 'import numpy; print(numpy.__version__)']),
  },
  {
    name: 'onnxruntime-node',
    purpose: 'judging ONNX Runtime',
    required: false,
    remedy: 'npm install onnxruntime-node',
    probe: onnxRuntime,
  },
  {
    name: 'Coq',
    purpose: 'checking the theorems of spec/',
    required: false,
    remedy: 'apt install coq libcoq-coquelicot libcoq-flocq libcoq-interval',
    probe: () => firstLine('coqc', ['--version']),
  },
  {
    name: 'Spin',
    purpose: 'model-checking the protocol of spec/',
    required: false,
    remedy: 'apt install spin',
    probe: () => firstLine('spin', ['-V']),
  },
  {
    name: 'gcc',
    purpose: "compiling Spin's searches, and the C reader of the fixtures",
    required: false,
    remedy: 'apt install gcc libc6-dev',
    probe: () => firstLine('gcc', ['--version']),
  },
];

async function examine({ probe, ...check }: Check): Promise<Finding> {
  try {
    return { ...check, works: true, found: await probe() };
  } catch (error) {
    const [sentence = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { ...check, works: false, found: sentence };
  }
}

/** One after another: some print, and some take the whole machine. */
export async function examineAll(checks: readonly Check[] = CHECKS): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const check of checks) findings.push(await examine(check));
  return findings;
}
