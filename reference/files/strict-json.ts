/**
 * JSON from outside, read strictly: what `JSON.parse` passes over in silence is refused with a
 * sentence. A name that occurs twice in an object (the last would win), a number beyond the largest
 * double (it would become infinite), and nesting too deep for whoever walks the value.
 * @module
 */

/** No message, case or header of ours is nested deeper than six. */
export const DEPTH_MAX = 64;

interface Level {
  /** Names met in an object; null in a list. */
  readonly names: Set<string> | null;
  /** Where in the level the text is. */
  name: string;
}

const pathOf = (levels: readonly Level[]): string =>
  levels.flatMap(({ names, name }) => (names === null ? [] : [name])).join('.');

/** The end of the string that begins at `start` of well-formed JSON. */
export function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

const LITERAL = /[-+.\w]+/y;

/** Walks the tokens of well-formed JSON. Throws RangeError for what `JSON.parse` would not say. */
function refuseSilent(text: string, what: string): void {
  const levels: Level[] = [];
  let pending = '';
  for (let at = 0; at < text.length; ) {
    const char = text[at];
    const level = levels.at(-1);
    if (char === '"') {
      const end = stringEnd(text, at);
      pending = text.slice(at, end);
      at = end;
      continue;
    }
    if (char === '{' || char === '[') {
      levels.push({ names: char === '{' ? new Set() : null, name: '' });
      if (levels.length > DEPTH_MAX) {
        throw new RangeError(`${what} expected JSON at most ${DEPTH_MAX} deep, got deeper`);
      }
    } else if (char === '}' || char === ']') levels.pop();
    else if (char === ':' && level?.names) {
      level.name = JSON.parse(pending);
      if (level.names.has(level.name)) {
        throw new RangeError(`${what} expected each name once, got "${pathOf(levels)}" twice`);
      }
      level.names.add(level.name);
    }
    LITERAL.lastIndex = at;
    const literal = LITERAL.exec(text)?.[0];
    if (literal !== undefined && /^-?\d/.test(literal) && !Number.isFinite(Number(literal))) {
      throw new RangeError(`"${pathOf(levels)}" expected a finite number, got ${literal}`);
    }
    at += literal?.length ?? 1;
  }
}

/**
 * The value of a JSON text; `what` names the text in messages. Throws SyntaxError where it is no
 * JSON, RangeError where it is JSON that nobody could mean.
 */
export function parseStrictly(text: string, what: string): unknown {
  const value: unknown = JSON.parse(text);
  refuseSilent(text, what);
  return value;
}
