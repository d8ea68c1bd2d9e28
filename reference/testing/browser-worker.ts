/**
 * A browser's worker in two parts, for the test of the bits: one computes and reports, one helps it.
 * @module
 */
import { lendThread, serve, type ThreadMessage } from '../kernels/threads/threads.ts';
import { doubleBits, kernelBits } from './kernel-bits.ts';

/** What the page sends first. `helped` counts the units that the helper took. */
interface Part {
  readonly part: 'compute' | 'help';
  readonly port: Port;
  readonly helped: Int32Array<SharedArrayBuffer>;
}

interface Port {
  onmessage: ((event: { data: ThreadMessage }) => void) | null;
  postMessage(message: unknown): void;
}

/** The worker's own side of a browser; the project's library of types has no browser. */
declare const self: {
  onmessage: ((event: { data: Part }) => void) | null;
  postMessage(message: unknown): void;
};

/** A browser has no files; its cases are in memory. */
const noFiles = (): never => {
  throw new Error('a tensor in a file expected Node, got a browser');
};

/** Runs on two threads until the helper has really helped. */
const MOST_RUNS = 50;

function compute({ port, helped }: Part): unknown {
  const [alone, again] = [kernelBits(1), kernelBits(1)];
  lendThread(port);
  const together: string[][] = [];
  while (together.length < 2 || (Atomics.load(helped, 0) === 0 && together.length < MOST_RUNS)) {
    together.push(kernelBits(2));
  }
  const double = [doubleBits(1), doubleBits(2)];
  return { alone, again, together, double, helped: Atomics.load(helped, 0) };
}

self.onmessage = ({ data }) => {
  if (data.part === 'help') {
    data.port.onmessage = ({ data: message }) => {
      Atomics.add(data.helped, 0, serve(message, noFiles));
    };
    self.postMessage('ready');
    return;
  }
  try {
    self.postMessage(compute(data));
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
