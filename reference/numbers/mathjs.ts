/**
 * mathjs, loaded when it is first asked for: loading takes a second of processor time, and most runs
 * never need a decimal or a fraction of it.
 * @module
 */
import type * as MathJs from 'mathjs';

type Library = Pick<typeof MathJs, 'all' | 'create' | 'fraction'>;

let loaded: Library | undefined;

/** Gives mathjs where it cannot be loaded from here: in a browser, `lendMathjs(await import('mathjs'))`. */
export function lendMathjs(library: Library): void {
  loaded = library;
}

/** mathjs. Throws an Error where there is no Node to load it with, and nobody has lent it. */
export function mathjs(): Library {
  if (loaded !== undefined) return loaded;
  // No import of Node's own modules: a browser would stumble over it.
  const module = globalThis.process?.getBuiltinModule?.('node:module');
  if (module === undefined) {
    throw new Error('"mathjs" expected Node, or lendMathjs(await import("mathjs")) before');
  }
  loaded = module.createRequire(import.meta.url)('mathjs') as Library;
  return loaded;
}
