import { describe, expect, it } from 'vitest';
import { PROFILE_NAMES, PROFILES } from './profile.ts';
import { optionWord, PROFILE_OPTIONS, type ProfileText, profileFrom } from './profile-options.ts';

describe('profiles with options', () => {
  it.each(PROFILE_NAMES)('%s alone is the base itself', (name) => {
    expect(profileFrom(name)).toEqual(PROFILES[name]);
    expect(profileFrom({ base: name })).toEqual(PROFILES[name]);
    expect(profileFrom(PROFILES[name])).toBe(PROFILES[name]);
  });

  it.each(
    PROFILE_OPTIONS.flatMap((option) => PROFILE_NAMES.map((base) => [option, base] as const)),
  )('an option changes the fields that it grants, and the name: %#', (option, base) => {
    const name = `${base}+${optionWord(option)}` as const;
    const composed = profileFrom(name);
    expect(composed).toEqual({ ...PROFILES[base], ...option.grants(PROFILES[base]), name });
    expect(composed).not.toEqual({ ...PROFILES[base], name });
    expect(profileFrom({ base, [option.key]: option.value })).toEqual(composed);
    expect(profileFrom({ base, [option.key]: option.otherwise })).toEqual(PROFILES[base]);
  });

  it('words come in any order, the name in that of the table', () => {
    const words = PROFILE_OPTIONS.map(optionWord);
    const name = ['f32', ...words].join('+');
    const backwards = ['f32', ...words.toReversed()].join('+') as ProfileText;
    expect(profileFrom(backwards).name).toBe(name);
  });

  it.each([
    '',
    'fp32',
    'f32+',
    'f32+f16',
    'f32+sigmoid-merge+sigmoid-merge',
    'sigmoid-merge',
    'F32',
  ])('another text is refused with what is possible: "%s"', (text) => {
    const possible = /"profile" expected one of f64 f32 tf32 f16 bf16, with any of \+sigmoid-merge/;
    expect(() => profileFrom(text as ProfileText)).toThrow(possible);
  });

  it('an unknown key or value is refused by name', () => {
    const merge = { base: 'f32', merge: 'max' } as const;
    expect(() => profileFrom(merge)).toThrow(
      '"profile.merge" expected one of weights sigmoid, got max',
    );
    const other = { base: 'f32', merges: 'sigmoid' } as const;
    expect(() => profileFrom(other)).toThrow('"profile.merges" expected');
    expect(() => profileFrom({ base: 'f8' } as never)).toThrow(
      '"profile.base" expected one of f64',
    );
  });
});
