/**
 * Faults of tiling: what is left after the last whole tile of a shard is dropped, by the tile's size.
 * @module
 */
import type { Fault } from '../fault.ts';
import { HONEST } from '../host/honest.ts';

type Row = readonly [tile: number, shownBy: string, seen?: string];

const ROWS: readonly Row[] = [
  [4, 'shape/keys-17-one-rank'],
  [8, 'exact/places-1x1-1x13x11-on-1'],
  [16, 'basic/more-keys'],
  [32, 'shape/keys-65', 'LVX-6'],
  [128, 'probe/one-signed-values'],
];

export const FAULTS: readonly Fault[] = ROWS.map(([tile, shownBy, seen = 'invented']) => ({
  name: `tail-dropped-${tile}`,
  wrong: `Keys after the last whole tile of ${tile} are dropped in shards longer than that.`,
  seen,
  shownBy,
  seams: () => ({
    keyRange: (x, source, pass, home) => {
      const { start, stop } = HONEST.keyRange(x, source, pass, home);
      const whole = Math.floor((stop - start) / tile) * tile;
      return { start, stop: stop - start > tile ? start + whole : stop };
    },
  }),
}));
