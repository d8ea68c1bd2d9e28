/**
 * The zoo: every fault by name. One that is like no other is a file of the folder `faults`; those
 * that differ by one word are the rows of a table of the folder `tables`.
 *
 * The folders are the list: a fault is added by adding its file, or its row.
 * @module
 */
import { readdirSync } from 'node:fs';
import type { Fault } from './fault.ts';
import * as roundings from './tables/roundings.ts';
import * as slightly from './tables/slightly.ts';
import * as tails from './tables/tails.ts';

const FOLDER = new URL('./faults/', import.meta.url);
const SOURCE = /^([a-z0-9-]+)\.(?:ts|js)$/;

const TABLES = { roundings, slightly, tails };

/** The faults that stand in tables, and in which. */
const TABLED: ReadonlyMap<string, { readonly fault: Fault; readonly table: string }> = new Map(
  Object.entries(TABLES).flatMap(([table, { FAULTS }]) =>
    FAULTS.map((fault) => [fault.name, { fault, table }] as const),
  ),
);

/** Names of all faults, sorted. */
export function faultNames(): string[] {
  const names = readdirSync(FOLDER).flatMap((file) => SOURCE.exec(file)?.[1] ?? []);
  return [...new Set([...names, ...TABLED.keys()])].sort();
}

/** Where a fault is written, from the zoo's folder. */
export function sourceOf(name: string): string {
  const tabled = TABLED.get(name);
  return tabled === undefined ? `faults/${name}.ts` : `tables/${tabled.table}.ts`;
}

/** The fault of a name; RangeError when there is none. */
export async function loadFault(name: string): Promise<Fault> {
  if (!faultNames().includes(name)) {
    throw new RangeError(`"fault" expected the name of a fault of the zoo, got ${name}`);
  }
  const tabled = TABLED.get(name);
  if (tabled !== undefined) return tabled.fault;
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const file = new URL(`./faults/${name}.${ending}`, import.meta.url);
  const { fault } = (await import(file.href)) as { fault: Fault };
  return fault;
}

export function loadZoo(): Promise<Fault[]> {
  return Promise.all(faultNames().map(loadFault));
}
