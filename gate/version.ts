/**
 * The version of this package, as its package.json says.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';

/** `unknown` where the package.json is gone. */
export function version(): string {
  for (const place of ['../package.json', '../../package.json']) {
    const file = new URL(place, import.meta.url);
    if (!existsSync(file)) continue;
    return String((JSON.parse(readFileSync(file, 'utf8')) as { version: unknown }).version);
  }
  return 'unknown';
}
