import { describe, expect, it } from 'vitest';
import { suiteDtype } from './candidate.ts';
import { embeddedCandidate } from './candidates/embedded.ts';
import { replayCommand } from './keep.ts';
import { runSuite } from './run-suite.ts';
import { smallSuite } from './testing/cases.ts';
import { printable, shellQuoted } from './text.ts';

describe('the embedded candidate', () => {
  it.each([
    ['threads', 'webasm', 'f32', 'LV-XAttn on GPU.js (threads, webasm)'],
    ['simulated', 'cpu', 'f32', 'LV-XAttn on GPU.js (simulated, cpu)'],
    ['threads', 'reference', 'f64', 'LV-XAttn (threads, reference)'],
  ] as const)('passes on %s, %s, judged as %s', async (transport, device, profile, name) => {
    const candidate = embeddedCandidate({ transport, device, timeoutMs: 30_000 });
    const started = await candidate.start();
    expect(started.ok && started.hello).toMatchObject({ name, profile: { name: profile } });
    const options = { started, profile, direction: 'both', outDir: null } as const;
    const results = await runSuite(candidate, smallSuite(['a', 'b']), options);
    expect(results.map(({ verdict }) => verdict.verdict)).toEqual(['pass', 'pass']);
  });

  it('says so when it is too late, and when the folder is no case', async () => {
    const options = { transport: 'threads', device: 'cpu' } as const;
    const started = await embeddedCandidate({ ...options, timeoutMs: 0.001 }).start();
    expect(started).toMatchObject({ ok: false, reason: expect.stringMatching(/within|time/) });
    const candidate = embeddedCandidate({ ...options, timeoutMs: 30_000 });
    expect(await candidate.answer('/no/such/folder')).toMatchObject({
      status: 'broken',
      reason: expect.stringMatching(/expected a case folder/),
    });
  });
});

describe('the input format of a suite', () => {
  it('is the best for the profile that the candidate supports', () => {
    expect(suiteDtype('f64', new Set(['f64', 'f32']))).toBe('f64');
    expect(suiteDtype('f64', new Set(['f32']))).toBe('f32');
    expect(suiteDtype('f64', new Set())).toBe('f64');
    expect(suiteDtype('tf32', new Set(['f32', 'f16']))).toBe('f32');
    expect(suiteDtype('f16', new Set(['f32', 'f16']))).toBe('f16');
    expect(suiteDtype('bf16', new Set(['bf16']))).toBe('bf16');
  });
});

describe('a replay command', () => {
  it('is quoted for the shell, and leaves out what is not set', () => {
    const candidate = `python3 it's.py`;
    expect(replayCommand('out/core/a b', { candidate, profile: 'f32', device: undefined })).toBe(
      `xattn replay 'out/core/a b' --candidate 'python3 it'\\''s.py' --profile f32`,
    );
  });

  it('quotes what a shell would change', () => {
    for (const word of ['', 'a b', '$x', '*', '~', 'a;b', '"']) {
      expect(shellQuoted(word).startsWith("'"), word).toBe(true);
    }
    expect(shellQuoted('out/core/gqa-3')).toBe('out/core/gqa-3');
  });
});

describe('text from outside', () => {
  it('has no control characters and no more than its limit', () => {
    expect(printable('\u001b]0;title\u0007a\u001b[31mb\u0000\r\nc\u2028d')).toBe('ab c d');
    expect(printable('x'.repeat(30), 10)).toBe(`${'x'.repeat(10)}…`);
    expect(printable(`${'x'.repeat(9)}😀`, 10)).toBe(`${'x'.repeat(9)}…`);
    expect(printable('plain')).toBe('plain');
    expect(printable('my \u202eevil\u2066 \u200fname')).toBe(
      'my \\u{202e}evil\\u{2066} \\u{200f}name',
    );
  });
});
