/**
 * Entry point `lv-xattn-oracle/properties`: arbitraries that draw cases, for fast-check.
 * @module
 */
export * from './arbitraries/attention-case.ts';
export * from './arbitraries/bias.ts';
export * from './arbitraries/interleaving.ts';
export * from './arbitraries/mask.ts';
export * from './arbitraries/merge-tree.ts';
export * from './arbitraries/partition.ts';
export * from './arbitraries/shape.ts';
export * from './arbitraries/values.ts';
