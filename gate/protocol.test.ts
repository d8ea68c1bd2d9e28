import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PROFILES } from '../reference/bounds/lemmas/profile.ts';
import { askingLine, type Line, lineSplitter, messageIn } from './protocol.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The lines of `whole`, cut into chunks at `cuts`. */
function linesOf(whole: Uint8Array, cuts: readonly number[], maxBytes?: number): Line[] {
  const splitter = lineSplitter(maxBytes);
  const ends = [...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b);
  const lines: Line[] = [];
  let start = 0;
  for (const end of ends) {
    lines.push(...splitter.push(whole.slice(start, end)));
    start = end;
  }
  return [...lines, ...splitter.end()];
}

describe('lines', () => {
  it('are the same however the bytes are cut, inside a character too', () => {
    const text = fc.array(
      fc.string({ unit: 'grapheme' }).map((s) => s.replace(/[\r\n]/g, ' ')),
      {
        maxLength: 5,
      },
    );
    fc.assert(
      fc.property(text, fc.array(fc.nat(), { maxLength: 8 }), (lines, cuts) => {
        const whole = bytes(lines.map((line) => `${line}\n`).join(''));
        const expected = lines.map((line) => ({
          text: line.replace(/^\ufeff/, ''),
          truncated: false,
        }));
        expect(linesOf(whole, cuts)).toEqual(expected);
      }),
    );
  });

  it('are cut at their limit, and the next one is whole', () => {
    const lines = linesOf(bytes(`${'x'.repeat(25)}\nshort\n`), [3, 11, 12], 10);
    expect(lines).toEqual([
      { text: 'x'.repeat(10), truncated: true },
      { text: 'short', truncated: false },
    ]);
  });

  it('of exactly the limit are whole', () => {
    expect(linesOf(bytes('0123456789\n'), [5], 10)).toEqual([
      { text: '0123456789', truncated: false },
    ]);
  });

  it('may end in CR LF, be empty, or lack the last line feed', () => {
    const lines = linesOf(bytes('a\r\n\nb'), []);
    expect(lines.map(({ text }) => text)).toEqual(['a', '', 'b']);
  });

  it('that are not UTF-8 are read all the same', () => {
    const [line] = linesOf(new Uint8Array([0xff, 0xc3, 0x0a]), [1]);
    expect(line!.text).toBe('\ufffd\ufffd');
  });
});

const meaning = (value: unknown) =>
  messageIn({ text: typeof value === 'string' ? value : JSON.stringify(value), truncated: false });
const hello = { xattn: 1, name: 'k', supports: ['forward', 'f32'], profile: 'f32' };

describe('messages', () => {
  it('a hello is what the candidate says of itself', () => {
    expect(meaning({ ...hello, more: true })).toEqual({
      kind: 'hello',
      hello: { name: 'k', profile: PROFILES.f32, supports: new Set(['forward', 'f32']) },
    });
  });

  it('a hello may say on how many ranks it runs, and that each reads its own file', () => {
    expect(meaning({ ...hello, ranks: [4, 2], sharded: true })).toMatchObject({
      kind: 'hello',
      hello: { ranks: [4, 2], sharded: true },
    });
    expect(meaning({ ...hello, sharded: false })).not.toHaveProperty('hello.sharded');
  });

  it.each([
    [{ ...hello, xattn: 2 }, '"xattn" expected 1, the version of the protocol, got 2'],
    [{ ...hello, name: '' }, '"name" expected a text that is not empty, got ""'],
    [{ ...hello, supports: 'forward' }, '"supports" expected a list of words, got "forward"'],
    [{ ...hello, profile: undefined }, /"profile" expected one of f64 .*, got nothing/],
    [
      { ...hello, profile: 'f32+' },
      /"profile" expected one of f64 .* with any of \+sigmoid-merge.*, got "f32\+"/,
    ],
    [{ ...hello, profile: ['f32'] }, /"profile" expected the keys base merge.*, got \["f32"\]/],
    [{ ...hello, profile: {} }, /"profile.base" expected one of f64 .*, got nothing/],
    [{ ...hello, profile: { base: 'f8' } }, /"profile.base" expected one of f64 .*, got "f8"/],
    [
      { ...hello, profile: { base: 'f16', merge: 'max' } },
      /"profile.merge" expected one of weights sigmoid, got "max"/,
    ],
    [
      { ...hello, profile: { base: 'f16', merges: 'sigmoid' } },
      /"profile" expected the keys base merge.*, got {"base/,
    ],
    [{ ...hello, supports: [['gqa']] }, /"supports.0" expected one of .*, got \["gqa"\]/],
    [{ ...hello, ranks: 4 }, /"ranks" expected world sizes, .*from 1 to 4096, each once, got 4$/],
    [{ ...hello, ranks: [] }, /"ranks" expected world sizes, .*, got \[\]$/],
    [{ ...hello, ranks: [4, 4] }, /"ranks" expected world sizes, .*each once, got \[4,4\]$/],
    [{ ...hello, ranks: [2, 0] }, /"ranks.1" expected world sizes, .*, got 0$/],
    [{ ...hello, ranks: [2.5] }, /"ranks.0" expected world sizes, .*, got 2.5$/],
    [{ ...hello, ranks: [4097] }, /"ranks.0" expected world sizes, .*, got 4097$/],
    [{ ...hello, ranks: Array.from({ length: 65 }, (_, n) => n + 1) }, /"ranks" expected world/],
    [{ ...hello, sharded: 1 }, /"sharded" expected true or false, got 1$/],
  ])('a wrong hello names the field, what was expected, and what came: %#', (value, reason) => {
    const message = meaning(value);
    expect(message.kind).toBe('invalid');
    expect(message.kind === 'invalid' && message.reason).toMatch(reason);
  });

  it.each([
    ['f16+sigmoid-merge', 'f16+sigmoid-merge'],
    [{ base: 'f16', merge: 'sigmoid' }, 'f16+sigmoid-merge'],
    [{ base: 'bf16', merge: 'weights' }, 'bf16'],
  ])('a profile is a text or an object of named choices: %j', (profile, name) => {
    const message = meaning({ ...hello, profile });
    expect(message.kind === 'hello' && message.hello.profile.name).toBe(name);
  });

  it('an answer has a case and a status', () => {
    expect(meaning({ case: '/x', status: 'unsupported', reason: 'a\u001b[2Jb' })).toEqual({
      kind: 'answer',
      answer: { case: '/x', status: 'unsupported', reason: 'ab' },
    });
    expect(meaning({ case: 3, status: 'ok' }).kind).toBe('invalid');
    expect(meaning({ case: '/x', status: 'fine' }).kind).toBe('invalid');
    expect(meaning({ case: '/x', status: 'ok', reason: 7 }).kind).toBe('invalid');
  });

  it('everything else is its log', () => {
    const lines = [
      '',
      'loading',
      '{',
      '{"case":"/x"}',
      '[1]',
      'null',
      '"xattn"',
      '{"status":"ok"}',
    ];
    for (const line of lines) expect(meaning(line).kind, line).toBe('log');
    const huge = messageIn({ text: '[INFO] {"case": 1}', truncated: true });
    expect(huge.kind === 'log' && huge.text).toMatch(/more than 1 MiB/);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.boolean(), (text, truncated) => {
        expect(typeof messageIn({ text, truncated }).kind).toBe('string');
      }),
    );
    const objects = fc.record({
      xattn: fc.jsonValue(),
      case: fc.jsonValue(),
      status: fc.jsonValue(),
    });
    fc.assert(fc.property(objects, (value) => void meaning(value)));
  });

  it('a question is one line', () => {
    expect(askingLine('/a\n"b"')).toBe('{"case":"/a\\n\\"b\\""}\n');
  });

  it('takes a log for a log, braces, NUL and all', () => {
    for (const text of [
      ...['{"progress": 1}{"progress": 2}', 'a\0b', '}{', '{"case": 1}{', '\0\0{}'],
      ...['[INFO] ready', '[12:00:01] {"case": "/x", "status": "ok"}', '[1, 2', '[{"loss": 1}]'],
      ...['{ case: "/x", status: "ok" }', "{'case': '/x', 'status': 'ok'}", '{"event": {"status":'],
      '{"log": {"case": "/x", "status": "ok"}}',
      `[INFO] "${'['.repeat(1e5)}"`,
      `x ${'['.repeat(1e5)}`,
      '[] '.repeat(1e5),
    ]) {
      expect(messageIn({ text, truncated: false }).kind, text.slice(0, 80)).toBe('log');
    }
  });

  // Each costs the whole time limit as log.
  const answer = '{"case": "/x", "status": "ok"';
  it.each<[text: string, reason: string, truncated?: boolean]>([
    ['['.repeat(1e5), 'its line: expected JSON at most 64 deep, got deeper'],
    [
      `${'['.repeat(1e5)}1${']'.repeat(1e5)}`,
      'its line: expected JSON at most 64 deep, got deeper',
    ],
    [` {"a":${'['.repeat(1e5)}`, 'its line: expected JSON at most 64 deep, got deeper'],
    [
      `{"a":${'['.repeat(100)}1${']'.repeat(100)}}`,
      'its line: expected JSON at most 64 deep, got deeper',
    ],
    [`[${'{"a":['.repeat(1e5)}`, 'its line: expected JSON at most 64 deep, got deeper', true],
    [`[${answer}}]`, 'its answer: expected an object, got a list'],
    [`[${JSON.stringify(hello)}]`, 'its first line: expected an object, got a list'],
    [answer, `its answer: expected JSON, got ${answer}`],
    [`${answer},}`, `its answer: expected JSON, got ${answer},}`],
    ['{"case": "/x", "status": ok}', 'its answer: expected JSON, got {"case": "/x", "status": ok}'],
    ['{"xattn": 1, name: k}', 'its first line: expected JSON, got {"xattn": 1, name: k}'],
    [`${answer}, "reason": "xx`, 'its answer: expected a line of at most 1 MiB, got more', true],
    [JSON.stringify(hello), 'its first line: expected a line of at most 1 MiB, got more', true],
  ])('says of a spoilt message what is wrong: %#', (text, reason, truncated = false) => {
    expect(messageIn({ text, truncated })).toEqual({ kind: 'invalid', reason });
  });
});
