/**
 * HTML that cannot be broken out of: a template in which every value is escaped unless it is markup
 * itself. Control characters and what is not seen are spelled out, as for a terminal.
 * @module
 */
import { escaped } from '../../gpu/timeline-svg.ts';
import { printableLines } from '../text.ts';

/** Escaped already. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type Value = string | number | null | undefined | Markup | readonly Value[];

function textOf(value: Value): string {
  if (value === null || value === undefined) return '';
  if (value instanceof Markup) return value.text;
  if (typeof value === 'object') return value.map(textOf).join('');
  return escaped(printableLines(String(value)));
}

export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Markup {
  return new Markup(parts.map((part, n) => part + textOf(values[n])).join(''));
}

/** JSON inside of a script element: nothing in it ends the element, or begins a comment. */
export const jsonMarkup = (value: unknown): Markup =>
  new Markup(
    JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, (one) => {
      return `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`;
    }),
  );
