import { describe, expect, it } from 'vitest';
import { tensorOf } from '../numbers/tensor.ts';
import type { CaseParameters } from './case.ts';
import { type CaseChanges, drawCase } from './draw-case.ts';
import { visibility } from './mask.ts';

/** Who sees whom, a row a query, a column a key; of batch entry `b` and head `h`. */
function picture(changes: CaseChanges, [b, h] = [0, 0]): string[] {
  const [seq_q, seq_kv] = [3, 5];
  const partition = { ranks: 1, q: [seq_q], kv: [seq_kv] };
  const c = drawCase(1, { seq_q, seq_kv, partition, gradients: false, ...changes });
  const visible = visibility(c);
  return Array.from({ length: seq_q }, (_, i) =>
    Array.from({ length: seq_kv }, (_, j) => (visible(b, h, i, j) ? 'x' : '.')).join(''),
  );
}

type Causal = CaseParameters['causal'];
const windowed = (causal: Causal, window: [number, number]) => picture({ causal, window });

describe('who may attend to whom, written out', () => {
  it('everybody to everybody', () => {
    expect(picture({})).toEqual(['xxxxx', 'xxxxx', 'xxxxx']);
  });

  it('causal, aligned at the first or at the last key', () => {
    expect(picture({ causal: 'top-left' })).toEqual(['x....', 'xx...', 'xxx..']);
    expect(picture({ causal: 'bottom-right' })).toEqual(['xxx..', 'xxxx.', 'xxxxx']);
  });

  it('a window about the row’s own key, the diagonal where causal puts it', () => {
    expect(windowed('none', [1, 1])).toEqual(['xx...', 'xxx..', '.xxx.']);
    expect(windowed('top-left', [1, 1])).toEqual(['x....', 'xx...', '.xx..']);
    expect(windowed('bottom-right', [1, 1])).toEqual(['.xx..', '..xx.', '...xx']);
    expect(windowed('bottom-right', [0, 0])).toEqual(['..x..', '...x.', '....x']);
    expect(windowed('bottom-right', [2, 0])).toEqual(['xxx..', '.xxx.', '..xxx']);
  });

  it('a window open to one side or both', () => {
    expect(windowed('none', [-1, 0])).toEqual(['x....', 'xx...', 'xxx..']);
    expect(windowed('none', [0, -1])).toEqual(['xxxxx', '.xxxx', '..xxx']);
    expect(windowed('none', [-1, 1])).toEqual(['xx...', 'xxx..', 'xxxx.']);
    expect(windowed('bottom-right', [1, -1])).toEqual(['.xx..', '..xx.', '...xx']);
    expect(windowed('none', [-1, -1])).toEqual(['xxxxx', 'xxxxx', 'xxxxx']);
  });

  it('lengths, batch entry by batch entry, and all masks at once', () => {
    const lengths = { batch: 2, lengths: [4, 0] };
    expect(picture(lengths)).toEqual(['xxxx.', 'xxxx.', 'xxxx.']);
    expect(picture(lengths, [1, 0])).toEqual(['.....', '.....', '.....']);
    expect(picture({ ...lengths, causal: 'bottom-right', window: [1, 0] })).toEqual([
      '.xx..',
      '..xx.',
      '...x.',
    ]);
  });

  it('media: the text’s own image, or it and all before', () => {
    const adjust: CaseChanges['adjust'] = (inputs) => {
      inputs.media_text = tensorOf([0, 1, 2], [1, 3]);
      inputs.media_key = tensorOf([1, 1, 2, 2, 3], [1, 5]);
    };
    expect(picture({ media: 'immediate', adjust })).toEqual(['.....', 'xx...', '..xx.']);
    expect(picture({ media: 'previous', adjust })).toEqual(['.....', 'xx...', 'xxxx.']);
  });

  it('a mask of its own, broadcast', () => {
    const adjust: CaseChanges['adjust'] = (inputs) => {
      inputs.mask = tensorOf([1, 0, 1, 1, 0, 1, 1, 0, 0, 0], [2, 1, 5]);
    };
    expect(picture({ mask: [2, 1, 5], adjust })).toEqual(['x.xx.', 'x.xx.', 'x.xx.']);
    expect(picture({ mask: [2, 1, 5], adjust }, [0, 1])).toEqual(['xx...', 'xx...', 'xx...']);
  });
});
