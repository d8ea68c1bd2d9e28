import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEPTH_MAX, parseStrictly } from './strict-json.ts';

const parse = (text: string): unknown => parseStrictly(text, '"x.json"');

describe('JSON read strictly', () => {
  it('is what JSON.parse says of whatever JSON.stringify writes, spaced or not', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom(0, 2, '\t'), (text, space) => {
        const spaced = JSON.stringify(JSON.parse(text), null, space);
        expect(parse(spaced)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses a name twice in one object, however it is written, and not in two objects', () => {
    expect(() => parse('{"a": 1, "b": {"c": [1, {"d": 2, "\\u0064": 3}]}}')).toThrow(
      '"x.json" expected each name once, got "b.c.d" twice',
    );
    expect(() => parse('{"": 1, "": 2}')).toThrow('got "" twice');
    expect(parse('{"a": {"b": "b"}, "b": [{"a": ":a"}, {"a": "{\\"a\\":"}]}')).toBeTruthy();
  });

  it('refuses a number that no double holds, and says where', () => {
    for (const number of ['1e999', '-1E+400', '2e308', `1${'0'.repeat(400)}`]) {
      expect(() => parse(`{"a": [0, {"scale": ${number}}]}`)).toThrow(
        `"a.scale" expected a finite number, got ${number}`,
      );
    }
    expect(parse('{"a": 1.7976931348623157e308, "b": "1e999", "c": -0.0}')).toBeTruthy();
  });

  it('refuses nesting too deep for whoever walks the value, at any depth', () => {
    const lists = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(parse(lists(DEPTH_MAX))).toBeTruthy();
    for (const depth of [DEPTH_MAX + 1, 1e5, 1e6]) {
      expect(() => parse(lists(depth))).toThrow(`"x.json" expected JSON at most ${DEPTH_MAX} deep`);
    }
    expect(() => parse(`${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`)).toThrow('deep');
  });

  it('takes no other text for JSON', () => {
    for (const text of ['', '{', '{"a":1}{"b":2}', '{"a":1}\0', 'NaN', '"\\']) {
      expect(() => parse(text)).toThrow(SyntaxError);
    }
  });
});
