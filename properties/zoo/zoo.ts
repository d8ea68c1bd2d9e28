/**
 * The zoo: every fault of the folder `faults`, by name.
 *
 * The folder is the list: a fault is added by adding its file.
 * @module
 */
import { readdirSync } from 'node:fs';
import type { Fault } from './fault.ts';

const FOLDER = new URL('./faults/', import.meta.url);
const SOURCE = /^([a-z0-9-]+)\.(?:ts|js)$/;

/** Names of all faults, sorted. */
export function faultNames(): string[] {
  const names = readdirSync(FOLDER).flatMap((file) => SOURCE.exec(file)?.[1] ?? []);
  return [...new Set(names)].sort();
}

/** The fault of a name; RangeError when there is none. */
export async function loadFault(name: string): Promise<Fault> {
  if (!faultNames().includes(name)) {
    throw new RangeError(`"fault" expected the name of a fault of the zoo, got ${name}`);
  }
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const file = new URL(`./faults/${name}.${ending}`, import.meta.url);
  const { fault } = (await import(file.href)) as { fault: Fault };
  return fault;
}

export function loadZoo(): Promise<Fault[]> {
  return Promise.all(faultNames().map(loadFault));
}
