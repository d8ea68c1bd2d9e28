/**
 * Reads definitions of real functions out of a Coq source and evaluates them: enough of the language
 * for formulas (let, if Rle_dec, + - * /, application), nothing more. What it does not know is an
 * error, never skipped. For tests that hold a program's formula against the theorem's.
 * @module
 */
import { readFileSync } from 'node:fs';
import { TokenReader } from './token-reader.ts';

type Environment = ReadonlyMap<string, number>;
type Formula = (values: Environment) => number;
type Builtin = (...values: number[]) => number;

interface Definition {
  readonly parameters: readonly string[];
  readonly body: Formula;
}

/** Definitions of a theory file by name, evaluated on named arguments. */
export class CoqFormulas {
  readonly #definitions = new Map<string, Definition>();
  readonly #builtins: ReadonlyMap<string, Builtin>;
  readonly #fields: ReadonlySet<string>;

  /** `fields` are those of a record that a section is about: `ua m` is the value named `ua`. */
  constructor(builtins: Readonly<Record<string, Builtin>>, fields: readonly string[] = []) {
    this.#builtins = new Map(Object.entries(builtins));
    this.#fields = new Set(fields);
  }

  /** Takes in the named definitions of a file; every one must be there. */
  read(file: URL, names: readonly string[]): this {
    return this.define(readFileSync(file, 'utf8'), names, file.pathname);
  }

  /** The same of a text. `where` is for its errors. */
  define(source: string, names: readonly string[], where = 'the text'): this {
    for (const name of names) {
      const pattern = new RegExp(
        `^Definition ${name} ((?:\\([^)]*: R\\) ?)+): R :=([^.]*(?:\\.\\d[^.]*)*)\\.\\s`,
        'm',
      );
      const found = pattern.exec(source);
      if (found === null) throw new Error(`${where}: no Definition ${name} over reals`);
      const [, groups = '', body = ''] = found;
      const parameters = [...groups.matchAll(/\(([^:]*):/g)].flatMap(([, list = '']) =>
        list.trim().split(/\s+/),
      );
      const parser = new Parser(tokens(body), (callee, args) => this.#call(callee, args));
      this.#definitions.set(name, { parameters, body: parser.whole() });
    }
    return this;
  }

  /** The value of a definition; `values` holds its parameters and its section's variables. */
  evaluate(name: string, values: Readonly<Record<string, number>>): number {
    const definition = this.#definitions.get(name);
    if (definition === undefined) throw new Error(`no definition ${name} was read`);
    const missing = definition.parameters.filter((parameter) => !(parameter in values));
    if (missing.length > 0) throw new Error(`${name} lacks a value for ${missing.join(', ')}`);
    return definition.body(new Map(Object.entries(values)));
  }

  #call(callee: string, args: readonly Formula[]): Formula {
    if (this.#fields.has(callee)) {
      if (args.length !== 1) throw new Error(`${callee} is a field of one record`);
      return (values) => given(values, callee);
    }
    const builtin = this.#builtins.get(callee);
    if (builtin !== undefined) return (values) => builtin(...args.map((arg) => arg(values)));
    const definition = this.#definitions.get(callee);
    if (definition === undefined) throw new Error(`${callee} is neither built in nor read before`);
    return (values) => {
      const inner = new Map(values);
      definition.parameters.forEach((parameter, n) => {
        const arg = args[n];
        if (arg === undefined) throw new Error(`${callee} lacks an argument for ${parameter}`);
        inner.set(parameter, arg(values));
      });
      return definition.body(inner);
    };
  }
}

function given(values: Environment, name: string): number {
  const value = values.get(name);
  if (value === undefined) throw new Error(`${name} has no value`);
  return value;
}

function tokens(text: string): string[] {
  const found = text.replace(/\(\*.*?\*\)/gs, ' ').match(/:=|[A-Za-z_]\w*|\d+(?:\.\d+)?|\S/g);
  return found ?? [];
}

const KEYWORDS = new Set(['let', 'in', 'if', 'then', 'else']);

/** Recursive descent over the tokens of one body. */
class Parser {
  readonly #tokens: TokenReader;
  readonly #call: (callee: string, args: readonly Formula[]) => Formula;

  constructor(
    list: readonly string[],
    call: (callee: string, args: readonly Formula[]) => Formula,
  ) {
    this.#tokens = new TokenReader(list);
    this.#call = call;
  }

  whole(): Formula {
    const formula = this.#expression();
    this.#tokens.end();
    return formula;
  }

  #expression(): Formula {
    if (this.#tokens.peek() === 'let') {
      this.#tokens.take();
      const name = this.#tokens.take();
      this.#tokens.take(':=');
      const value = this.#expression();
      this.#tokens.take('in');
      const rest = this.#expression();
      return (values) => rest(new Map(values).set(name, value(values)));
    }
    if (this.#tokens.peek() === 'if') {
      for (const word of ['if', 'Rle_dec']) this.#tokens.take(word);
      const [left, right] = [this.#atom(), this.#atom()];
      this.#tokens.take('then');
      const yes = this.#expression();
      this.#tokens.take('else');
      const no = this.#expression();
      return (values) => (left(values) <= right(values) ? yes(values) : no(values));
    }
    let sum = this.#product();
    while (this.#tokens.peek() === '+' || this.#tokens.peek() === '-') {
      const [operator, left, right] = [this.#tokens.take(), sum, this.#product()];
      sum =
        operator === '+'
          ? (values) => left(values) + right(values)
          : (values) => left(values) - right(values);
    }
    return sum;
  }

  #product(): Formula {
    let product = this.#application();
    while (this.#tokens.peek() === '*' || this.#tokens.peek() === '/') {
      const [operator, left, right] = [this.#tokens.take(), product, this.#application()];
      product =
        operator === '*'
          ? (values) => left(values) * right(values)
          : (values) => left(values) / right(values);
    }
    return product;
  }

  #application(): Formula {
    const head = this.#tokens.peek();
    const args: Formula[] = [];
    const first = this.#atom();
    while (/^[\w(]/.test(this.#tokens.peek()) && !KEYWORDS.has(this.#tokens.peek()))
      args.push(this.#atom());
    return args.length === 0 ? first : this.#call(head, args);
  }

  #atom(): Formula {
    const token = this.#tokens.take();
    if (token === '(') {
      const inner = this.#expression();
      this.#tokens.take(')');
      return inner;
    }
    if (/^\d/.test(token)) return () => Number(token);
    if (!/^[A-Za-z_]/.test(token) || KEYWORDS.has(token)) throw new Error(`unexpected ${token}`);
    return (values) => given(values, token);
  }
}
