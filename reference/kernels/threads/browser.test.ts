/** The kernels' bits in headless Chromium, with one worker and with two, are those of Node. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { expect, it } from 'vitest';
import { describeWithTools } from '../../../spec/tools.ts';
import { doubleBits, kernelBits } from '../../testing/kernel-bits.ts';

interface Bits {
  readonly error?: string;
  readonly alone: string[];
  readonly again: string[];
  readonly together: string[][];
  readonly double: string[][];
  readonly helped: number;
}

const PAGE = `<!doctype html><script type="module">
const start = () => new Worker('/worker.js', { type: 'module' });
const [computer, helper] = [start(), start()];
const { port1, port2 } = new MessageChannel();
const report = (value) => fetch('/bits', { method: 'POST', body: JSON.stringify(value) });
for (const worker of [computer, helper]) worker.onerror = (event) => report({ error: event.message });
const helped = new Int32Array(new SharedArrayBuffer(4));
helper.onmessage = () => {
  computer.postMessage({ part: 'compute', port: port1, helped }, [port1]);
  computer.onmessage = ({ data }) => report(data);
};
helper.postMessage({ part: 'help', port: port2, helped }, [port2]);
</script>`;

async function bundle(): Promise<string> {
  const build = await rolldown({
    input: join(import.meta.dirname, '../../testing/browser-worker.ts'),
    platform: 'browser',
  });
  const { output } = await build.generate({ format: 'esm' });
  await build.close();
  expect(output.length).toBe(1);
  return output[0].code;
}

/** Shared memory is for pages that are isolated from other origins. */
function answer(response: ServerResponse, type: string, body: string): void {
  response.writeHead(200, {
    'Content-Type': type,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Embedder-Policy': 'require-corp',
  });
  response.end(body);
}

async function inChromium(): Promise<Bits> {
  const script = await bundle();
  let done: (bits: Bits) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const bits = new Promise<Bits>((resolve, reject) => {
    [done, fail] = [resolve, reject];
  });
  const server = createServer((request, response) => {
    if (request.url === '/worker.js') answer(response, 'text/javascript', script);
    else if (request.url === '/bits') {
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        answer(response, 'text/plain', '');
        done(JSON.parse(body) as Bits);
      });
    } else answer(response, 'text/html', PAGE);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const profile = mkdtempSync(join(tmpdir(), 'xattn-chromium-'));
  const flags = [
    ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-quic'],
    ...['--disable-dev-shm-usage', `--user-data-dir=${profile}`],
  ];
  const browser = spawn('chromium', [...flags, `http://127.0.0.1:${port}/`], {
    stdio: 'ignore',
    detached: true, // a group of its own, so that its helpers end with it
  });
  browser.on('error', fail);
  browser.on('exit', (code) => fail(new Error(`chromium ended with ${code} before it answered`)));
  try {
    return await bits;
  } finally {
    browser.removeAllListeners('exit');
    if (browser.pid !== undefined && browser.exitCode === null && browser.signalCode === null) {
      const gone = new Promise((resolve) => browser.on('exit', resolve));
      process.kill(-browser.pid, 'SIGKILL');
      await gone;
    }
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
  }
}

describeWithTools('the kernels in headless Chromium', ['chromium'], () => {
  it('have the bits of Node, with one worker and with two, and on every run', async () => {
    const bits = await inChromium();
    expect(bits.error).toBeUndefined();
    const here = kernelBits(1);
    expect(here.length).toBeGreaterThan(100);
    expect(kernelBits(1)).toEqual(here);
    expect(bits.alone).toEqual(here);
    expect(bits.again).toEqual(here);
    for (const run of bits.together) expect(run).toEqual(here);
    const double = doubleBits(1);
    for (const run of bits.double) expect(run).toEqual(double);
    // The second worker took part.
    expect(bits.helped).toBeGreaterThan(0);
  });
});
