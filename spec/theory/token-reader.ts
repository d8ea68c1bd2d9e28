/**
 * Tokens of a text of Coq, read one after another. What is not what it should be is an error.
 * @module
 */

export class TokenReader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  /** The next token; nothing at the end. */
  peek(): string {
    return this.#tokens[this.#at] ?? '';
  }

  /** Takes the next token. Throws where there is none, or where it is not the one expected. */
  take(expected?: string): string {
    const token = this.peek();
    if (token === '' || (expected !== undefined && token !== expected)) {
      throw new Error(`expected ${expected ?? 'a token'}, got "${token}"`);
    }
    this.#at++;
    return token;
  }

  /** Throws where something is left. */
  end(): void {
    if (this.#at < this.#tokens.length) throw new Error(`unread: ${this.peek()}`);
  }

  /**
   * Goes behind the next `token` outside of all round brackets; false, and no step further, where
   * there is none, or one of `before` comes first.
   */
  skipBehind(token: string, before: readonly string[]): boolean {
    let depth = 0;
    for (let at = this.#at; at < this.#tokens.length; at++) {
      const found = this.#tokens[at] ?? '';
      if (found === '(') depth++;
      if (found === ')') depth--;
      if (depth !== 0) continue;
      if (before.includes(found)) return false;
      if (found !== token) continue;
      this.#at = at + 1;
      return true;
    }
    return false;
  }
}
