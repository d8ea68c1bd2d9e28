/**
 * Programs of threads and processes: their built files, since Node 20 loads no TypeScript.
 * @module
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

type Program = 'transport/worker' | 'transport/rank-main' | 'simulation/pass-worker';

/** The file of a program. Throws where it has not been built. */
export function built(name: Program): string {
  const file = import.meta.url.endsWith('.ts')
    ? new URL(`../dist/gpu/${name}.js`, import.meta.url)
    : new URL(`./${name}.js`, import.meta.url);
  const path = fileURLToPath(file);
  if (!existsSync(path)) throw new Error(`expected ${path}: run "npm run build" first`);
  return path;
}
