import { describe, expect, it } from 'vitest';
import { directed, inDrawnOrder, nameFilter, shardOf } from './select.ts';
import { smallCase } from './testing/cases.ts';

describe('which cases are asked', () => {
  it('by name: the whole id, or its last part', () => {
    expect(['core/gqa-3', 'core/mask', 'probe/gqa'].filter(nameFilter('core/*'))).toEqual([
      'core/gqa-3',
      'core/mask',
    ]);
    expect(['core/gqa-3', 'probe/gqa'].filter(nameFilter('gqa*'))).toHaveLength(2);
    expect(['core/gqa-3', 'probe/gqa'].filter(nameFilter('{core,full}/gqa*'))).toHaveLength(1);
    expect(['core/a', 'core/probe/x'].filter(nameFilter('core/*'))).toHaveLength(2);
    expect(['core/a', 'core/probe/x'].filter(nameFilter('*/x'))).toEqual(['core/probe/x']);
    expect(['core/a', 'core/probe/x'].filter(nameFilter('!core/p*'))).toEqual(['core/a']);
    expect(nameFilter(undefined)('anything')).toBe(true);
  });

  it('shards together are every case, each once', () => {
    const items = Array.from({ length: 23 }, (_, i) => i);
    for (const count of [1, 2, 5, 23, 40]) {
      const shards = items.slice(0, count).length;
      expect(shards).toBeGreaterThan(0);
      const all = Array.from({ length: count }, (_, i) => shardOf(items, { index: i + 1, count }));
      expect(all.flat().sort((a, b) => a - b)).toEqual(items);
      const sizes = all.map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
  });

  it('forward: gradients and their cotangents are not asked for', () => {
    const forward = directed(smallCase('a'), 'forward');
    expect(forward?.parameters.wants).toEqual(['out', 'lse']);
    expect(Object.keys(forward!.inputs)).toEqual(['q', 'k', 'v']);
  });

  it('backward: only cases with gradients, as they are', () => {
    const whole = smallCase('a');
    expect(directed(whole, 'backward')).toBe(whole);
    expect(directed(smallCase('a', false), 'backward')).toBeNull();
    expect(directed(smallCase('a', false), 'both')).not.toBeNull();
  });
});

describe('the order drawn', () => {
  const cases = Array.from({ length: 30 }, (_, n) => ({
    id: n,
    ...(n >= 10 && n < 15 ? { sequence: 'state' } : {}),
  }));

  it('is the seed’s, and holds every case once', () => {
    const [a, b, c] = [3, 3, 4].map((seed) => inDrawnOrder(cases, seed).map(({ id }) => id));
    expect(a).toEqual(b);
    expect(a).not.toEqual(c);
    expect(a).not.toEqual(cases.map(({ id }) => id));
    expect(a!.toSorted((x, y) => x - y)).toEqual(cases.map(({ id }) => id));
  });

  it('keeps a sequence together, in its own order', () => {
    for (const seed of [1, 2, 3]) {
      const ids = inDrawnOrder(cases, seed).map(({ id }) => id);
      const at = ids.indexOf(10);
      expect(ids.slice(at, at + 5)).toEqual([10, 11, 12, 13, 14]);
    }
  });
});
