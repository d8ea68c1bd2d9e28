import { describe, expect, it } from 'vitest';
import { drawCase } from '../../reference/case/draw-case.ts';
import { runLvXattn } from '../run.ts';
import { checkProcessNeeds, checkThreadNeeds } from './needs.ts';

const GIB = 2 ** 30;

describe('what ranks need', () => {
  it('is said before they are started, where they are too many', async () => {
    const ranks = 1000;
    const ones = new Array<number>(ranks).fill(1);
    const partition = { ranks, q: ones, kv: ones };
    const c = drawCase(1, { seq_q: ranks, seq_kv: ranks, gradients: false, partition });
    await expect(runLvXattn(c, { transport: 'threads', device: 'reference' })).rejects.toThrow(
      /^"partition.ranks" expected at most \d+ on threads of \d+ cores, got 1000: 1000 ranks on threads need 1000 threads and about \d+ MiB; the transport "simulated" runs any number/,
    );
  });

  it('depends on cores and memory', () => {
    const small = { cores: 2, free: 4 * GIB };
    expect(() => checkThreadNeeds(100, 0, small)).toThrow(
      'at most 32 on threads of 2 cores, got 100',
    );
    expect(() => checkThreadNeeds(100, 0, { cores: 16, free: 16 * GIB })).not.toThrow();
    expect(() => checkThreadNeeds(100, 0, { cores: 16, free: GIB })).toThrow(
      '100 ranks on threads need 100 threads and about 3200 MiB; the transport "simulated" runs ' +
        'any number of ranks on one thread; 1024 MiB of memory are free',
    );
    expect(() => checkThreadNeeds(2, 5 * GIB, small)).toThrow('about 5184 MiB');
    expect(() => checkThreadNeeds(8, 0, small)).not.toThrow();
  });

  it('is more for processes, which hold a copy of what they are dealt', () => {
    const machine = { cores: 16, free: 8 * GIB };
    expect(() => checkProcessNeeds(32, GIB, machine)).not.toThrow();
    expect(() => checkProcessNeeds(32, 3 * GIB, machine)).toThrow(
      '32 ranks in processes need 32 processes and about 10240 MiB; the transport "simulated" runs ' +
        'any number of ranks on one thread; 8192 MiB of memory are free',
    );
    expect(() => checkProcessNeeds(129, 0, machine)).toThrow(
      '"partition.ranks" expected at most 128 in processes of 16 cores, got 129',
    );
  });
});
