/**
 * Headless Chromium for tests, spoken to by its DevTools protocol over a pipe: opens a file, says what
 * the page complained of, answers questions about it, and takes pictures.
 * @module
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

interface Reply {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** What a browser is asked to look like. */
export interface Look {
  readonly width?: number;
  readonly scheme?: 'light' | 'dark';
  readonly media?: 'screen' | 'print';
  readonly scripts?: boolean;
}

/** A part of a page. */
export interface Clip {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Page {
  /** Errors and warnings of the console, breaches of the page's policy, and requests beyond the file. */
  readonly complaints: readonly string[];
  readonly evaluate: <T>(expression: string) => Promise<T>;
  readonly press: (key: string) => Promise<void>;
  /** All of it, or a part, in pixels. */
  readonly picture: (clip?: Clip) => Promise<Buffer>;
  readonly pdf: () => Promise<Buffer>;
}

export interface Browser {
  readonly open: (file: string, look?: Look) => Promise<Page>;
  readonly close: () => Promise<void>;
}

type Send = (
  method: string,
  params?: object,
  sessionId?: string,
) => Promise<Record<string, unknown>>;

/** Messages end with a zero byte, both ways. */
function connect(input: Writable, output: Readable, heard: (reply: Reply) => void): Send {
  const waiting = new Map<number, { done: (value: object) => void; fail: (e: Error) => void }>();
  let [rest, count] = ['', 0];
  output.setEncoding('utf8').on('data', (text: string) => {
    const parts = `${rest}${text}`.split('\0');
    rest = parts.pop() ?? '';
    for (const part of parts) {
      const reply = JSON.parse(part) as Reply;
      const asked = waiting.get(reply.id ?? -1);
      if (asked === undefined) heard(reply);
      else if (reply.error !== undefined) asked.fail(new Error(reply.error.message));
      else asked.done(reply.result ?? {});
      waiting.delete(reply.id ?? -1);
    }
  });
  return (method, params = {}, sessionId) =>
    new Promise((done, fail) => {
      const id = ++count;
      waiting.set(id, { done: (value) => done(value as Record<string, unknown>), fail });
      input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
}

/** What a page complains of; null of what is no complaint. */
function complaintIn({ method, params = {} }: Reply, own: string): string | null {
  const texts = JSON.stringify(params);
  if (method === 'Runtime.exceptionThrown') return texts;
  if (method === 'Runtime.consoleAPICalled') {
    return ['error', 'warning', 'assert'].includes(String(params.type)) ? texts : null;
  }
  if (method === 'Log.entryAdded') return texts;
  if (method === 'Network.requestWillBeSent') {
    const { url } = params.request as { url: string };
    return url === own || url.startsWith(`${own}#`) || url.startsWith('data:')
      ? null
      : `asks ${url}`;
  }
  return null;
}

async function show(ask: (method: string, params?: object) => Promise<unknown>, look: Look) {
  const { width = 1200, scheme = 'light', media = 'screen', scripts = true } = look;
  const size = { width, height: 900, deviceScaleFactor: 1, mobile: false };
  await ask('Emulation.setDeviceMetricsOverride', size);
  const features = [{ name: 'prefers-color-scheme', value: scheme }];
  await ask('Emulation.setEmulatedMedia', { media, features });
  await ask('Emulation.setScriptExecutionDisabled', { value: !scripts });
}

const FLAGS = [
  ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-quic'],
  ...['--disable-dev-shm-usage', '--remote-debugging-pipe', '--hide-scrollbars'],
];

/** Start it. Needs `chromium`. */
export function browser(): Browser {
  const profile = mkdtempSync(path.join(tmpdir(), 'xattn-chromium-'));
  const child = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    detached: true, // a group of its own, so that its helpers end with it
  });
  const heard = new Map<string, (reply: Reply) => void>();
  const send = connect(child.stdio[3] as Writable, child.stdio[4] as Readable, (reply) =>
    heard.get(reply.sessionId ?? '')?.(reply),
  );

  const open = async (file: string, look: Look = {}): Promise<Page> => {
    const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
    const attached = await send('Target.attachToTarget', { targetId, flatten: true });
    const session = String(attached.sessionId);
    const ask = (method: string, params: object = {}) => send(method, params, session);
    const [complaints, url]: [string[], string] = [[], pathToFileURL(path.resolve(file)).href];
    const loaded = new Promise<void>((done) => {
      heard.set(session, (reply) => {
        if (reply.method === 'Page.loadEventFired') done();
        const complaint = complaintIn(reply, url);
        if (complaint !== null) complaints.push(complaint);
      });
    });
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await ask(`${domain}.enable`);
    await show(ask, look);
    await ask('Page.navigate', { url });
    await loaded;
    const evaluate = async <T>(expression: string): Promise<T> => {
      const asked = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await ask('Runtime.evaluate', asked);
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value: T }).value;
    };
    const press = async (key: string): Promise<void> => {
      const text = key === 'Enter' ? { text: '\r' } : {};
      const about = { key, code: key, windowsVirtualKeyCode: key === 'Tab' ? 9 : 13, ...text };
      await ask('Input.dispatchKeyEvent', { type: 'keyDown', ...about });
      await ask('Input.dispatchKeyEvent', { type: 'keyUp', ...about });
    };
    const bytes = async (method: string, params: object): Promise<Buffer> =>
      Buffer.from(String((await ask(method, params)).data), 'base64');
    const picture = (clip?: Clip) =>
      bytes('Page.captureScreenshot', {
        captureBeyondViewport: true,
        ...(clip === undefined ? {} : { clip: { ...clip, scale: 1 } }),
      });
    const pdf = () => bytes('Page.printToPDF', { printBackground: true });
    return { complaints, evaluate, press, picture, pdf };
  };

  const close = async (): Promise<void> => {
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.on('exit', resolve));
      process.kill(-child.pid, 'SIGKILL');
      await gone;
    }
    rmSync(profile, { recursive: true, force: true, maxRetries: 20 });
  };
  return { open, close };
}
