/**
 * Text from outside (a candidate's log, its reasons, its name) made fit to print.
 *
 * Control characters and terminal escape sequences never reach a terminal or a report, characters
 * that are not seen themselves (such as U+202E, which turns the writing around) are written as
 * `\\u{202e}`, and no text is longer than its limit.
 * @module
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
const ESCAPES = /\u001b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|.)/g;
/** What is not seen but changes what is: directions of writing, joiners of nothing, tags. */
const UNSEEN = /(?![\u200c\u200d])\p{Cf}/gu;
const CONTROL = /[\p{Cc}\p{Cs}\u2028\u2029\ufeff\ufffe\uffff]+/gu;

const spelled = (char: string): string => `\\u{${char.codePointAt(0)?.toString(16)}}`;

/** Without what a terminal obeys, and with what is not seen spelled out. */
const cleaned = (text: string): string =>
  text.replace(ESCAPES, '').replace(CONTROL, ' ').replace(UNSEEN, spelled);

/** `text` on one line without control characters, cut to `limit` characters. */
export function printable(text: string, limit = 500): string {
  const head = text.slice(0, limit * 4);
  const clean = cleaned(head).trim();
  if (clean.length <= limit && head.length === text.length) return clean;
  return `${clean.slice(0, limit).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** `text` of any lines, as `printable` shows each of them; nothing is cut. */
export const printableLines = (text: string): string => text.split('\n').map(cleaned).join('\n');

/** `word` quoted for a POSIX shell, or as it is where no quoting is needed. */
export function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

const escaped = (char: string): string =>
  /[\\']/.test(char)
    ? `\\${char}`
    : `\\U${(char.codePointAt(0) ?? 0).toString(16).padStart(8, '0')}`;

/**
 * `word` of a command that is printed to be repeated: quoted, and where it has control characters or such
 * as are not seen, as `$'…'` of bash and zsh, which spells them.
 */
export function printedWord(word: string): string {
  const hidden = (char: string): boolean =>
    char.replace(CONTROL, '').replace(UNSEEN, '') !== char || /[\\']/.test(char);
  if (word.replace(CONTROL, '').replace(UNSEEN, '') === word) return shellQuoted(word);
  return `$'${[...word].map((char) => (hidden(char) ? escaped(char) : char)).join('')}'`;
}

/** `1 case`, `2 cases`. */
export const plural = (count: number, noun: string): string =>
  `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Columns where nobody says how many there are. */
export const WIDTH = 80;

/** A sentence in lines of at most `width` characters, broken between words. */
export function wrapped(sentence: string, width: number): string[] {
  const lines = [''];
  for (const word of sentence.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line === '') lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= width) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
