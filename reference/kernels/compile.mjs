/**
 * Compiles assembly/ to WebAssembly and embeds the bytes in binary.ts, as base64: a synchronous
 * library needs them in Node and in a browser alike, without reading a file.
 *
 *   node reference/kernels/compile.mjs           when a source has changed
 *   node reference/kernels/compile.mjs --check   compiles anew and fails where binary.ts differs
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = new URL('./', import.meta.url);
const target = new URL('binary.ts', here);
const sources = readdirSync(new URL('assembly/', here))
  .filter((name) => name.endsWith('.ts'))
  .sort();
const OPTIONS = ['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--enable', 'simd'];

/** SHA-256 of the sources, the compiler's version and its options. */
function fingerprint() {
  const hash = createHash('sha256').update([asc.version, ...OPTIONS].join(' '));
  for (const name of sources) {
    hash.update(name).update(readFileSync(new URL(`assembly/${name}`, here)));
  }
  return hash.digest('hex');
}

async function compile() {
  let bytes;
  const { error, stderr } = await asc.main(['index.ts', ...OPTIONS, '--outFile', 'out.wasm'], {
    readFile: (name, base) => {
      try {
        return readFileSync(
          new URL(name, new URL(`assembly/${base === '.' ? '' : base}`, here)),
          'utf8',
        );
      } catch {
        return null;
      }
    },
    writeFile: (name, contents) => {
      if (name === 'out.wasm') bytes = contents;
    },
    listFiles: () => [],
  });
  if (error !== null || bytes === undefined) throw new Error(`${error}\n${stderr}`);
  return Buffer.from(bytes).toString('base64');
}

const text = (base64) => `/**
 * The compiled kernels. Written by compile.mjs from assembly/; do not edit.
 * @module
 */

/** Of the sources, the compiler and its options. */
export const SOURCE_SHA256 = '${fingerprint()}';

/** The WebAssembly module, in base64. */
export const WASM_BASE64 =
  '${base64}';
`;

const committed = (() => {
  try {
    return readFileSync(target, 'utf8');
  } catch {
    return '';
  }
})();
if (process.argv.includes('--check')) {
  if (text(await compile()) !== committed) {
    console.error(`${fileURLToPath(target)} is not what assembly/ compiles to: npm run build`);
    process.exitCode = 1;
  }
} else if (!committed.includes(fingerprint())) writeFileSync(target, text(await compile()));
