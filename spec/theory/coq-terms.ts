/**
 * Evaluates what Coq printed into statements/: definitions with all that they take (functions, lists,
 * a record, an option), and the bounds in a theorem's conclusion, as whole functions.
 *
 * Enough of the language for that, nothing more; what is not known is an error, never skipped. For
 * tests that hold a composition of the program against the theorem's own.
 * @module
 */
import { readFileSync } from 'node:fs';
import { TokenReader } from './token-reader.ts';

export type Value =
  | number
  | boolean
  | null
  | readonly Value[]
  | { readonly [field: string]: number }
  | ((argument: Value) => Value);

type Scope = ReadonlyMap<string, Value>;
type Term = (scope: Scope) => Value;

/** A bound that a theorem concludes with: `left <= right`. */
interface Conclusion {
  readonly parameters: readonly string[];
  readonly bounds: readonly { readonly left: Term; readonly right: Term }[];
}

function numberOf(value: Value): number {
  if (typeof value !== 'number') throw new Error(`expected a number, got ${typeof value}`);
  return value;
}

function listOf(value: Value): readonly Value[] {
  if (!Array.isArray(value)) throw new Error(`expected a list, got ${typeof value}`);
  return value;
}

export function apply(head: Value, ...args: readonly Value[]): Value {
  return args.reduce((callee, arg) => {
    if (typeof callee !== 'function') throw new Error('too many arguments');
    return callee(arg);
  }, head);
}

/** Curries a function of reals. */
const real1 =
  (f: (x: number) => number): Value =>
  (x: Value) =>
    f(numberOf(x));
const real2 =
  <T extends Value>(f: (x: number, y: number) => T): Value =>
  (x: Value) =>
  (y: Value) =>
    f(numberOf(x), numberOf(y));
const some = (value: Value): Value => [value];

/** Functions of the reals, as near as float64 has them. */
interface Functions {
  readonly exp: (x: number) => number;
  readonly ln: (x: number) => number;
  readonly tanh: (x: number) => number;
}

/** What the theory takes from Coq's library. */
function library({ exp, ln, tanh }: Functions): Record<string, Value> {
  return {
    ...{
      exp: real1(exp),
      ln: real1(ln),
      tanh: real1(tanh),
      Rabs: real1(Math.abs),
      INR: real1((x) => x),
    },
    ...{ Rmax: real2(Math.max), Rmin: real2(Math.min) },
    ...{ Rle_dec: real2((x, y) => x <= y), Rlt_dec: real2((x, y) => x < y) },
    length: (list: Value) => listOf(list).length,
    map: (f: Value) => (list: Value) => listOf(list).map((item) => apply(f, item)),
    fold_right: (f: Value) => (start: Value) => (list: Value) =>
      listOf(list).reduceRight<Value>((rest, item) => apply(f, item, rest), start),
    ...{ true: true, false: false, nil: [], None: null, Some: some },
    // A Fixpoint, the one that the bounds take: the sum of f over a list.
    'SumAccuracy.total': (f: Value) => (list: Value) =>
      listOf(list).reduce<number>((sum, item) => sum + numberOf(apply(f, item)), 0),
  };
}

/** The statements of a folder's modules, or of a text in their place, ready to be evaluated. */
export class CoqStatements {
  readonly #texts = new Map<string, string>();
  readonly #values: Map<string, Value>;

  /** `changed`: other texts for some of the statements, by name. */
  constructor(
    modules: readonly string[],
    functions: Functions,
    changed: Readonly<Record<string, string>> = {},
  ) {
    this.#values = new Map(Object.entries(library(functions)));
    for (const module of modules) {
      const file = new URL(`statements/${module}.txt`, import.meta.url);
      for (const entry of readFileSync(file, 'utf8').split('\n\n')) {
        const [, name, text = ''] = /^@?([\w.']+)\s+(?:=\s+)?(.*)$/s.exec(entry.trim()) ?? [];
        if (name !== undefined) this.#texts.set(name, changed[name] ?? text);
      }
    }
  }

  /** Every statement's name. */
  names(): string[] {
    return [...this.#texts.keys()];
  }

  /** The text of a statement: of a theorem from its colon on, of a definition from its term on. */
  text(name: string): string {
    const text = this.#texts.get(name);
    if (text === undefined) throw new Error(`statements/ has no ${name}`);
    return text;
  }

  /** The value of a definition: a number, or a curried function of what it takes, types left out. */
  value(name: string): Value {
    const known = this.#values.get(name);
    if (known !== undefined) return known;
    const field = /^BackwardModel\.(\w+)$/.exec(name)?.[1] ?? '';
    const text = this.text(name);
    if (/^fun m : BackwardModel.model => let \(/.test(text)) {
      return (m: Value) => numberOf((m as Record<string, number>)[field] ?? null);
    }
    const body = text.replace(/\n {5}: .*$/s, '');
    const value = new Parser(tokens(body), (of) => this.value(of)).whole()(new Map());
    this.#values.set(name, value);
    return value;
  }

  /** The number that a definition is, given what it takes by name; more may be given. */
  at(name: string, variables: Readonly<Record<string, Value>>): number {
    const [, binders = ''] = /^fun (.*?)\s=>/s.exec(this.text(name)) ?? [];
    const parameters = new Parser(tokens(`${binders} =>`), () => null).binders('=>');
    return numberOf(apply(this.value(name), ...parameters.map((one) => given(variables, one))));
  }

  /** The right sides of the bounds that a theorem concludes with, over its own variables. */
  bounds(theorem: string): (variables: Readonly<Record<string, Value>>) => number[] {
    const list = tokens(this.text(theorem).replace(/^\s*: /, ''));
    const { parameters, bounds } = new Parser(list, (of) => this.value(of)).conclusion();
    return (variables) => {
      const unknown = Object.keys(variables).filter((name) => !parameters.includes(name));
      if (unknown.length > 0) throw new Error(`${theorem} has no ${unknown.join(', ')}`);
      const scope = new Map(Object.entries(variables));
      return bounds.map(({ right }) => numberOf(right(scope)));
    };
  }
}

function given(variables: Readonly<Record<string, Value>>, name: string): Value {
  const value = variables[name];
  if (value === undefined) throw new Error(`${name} has no value`);
  return value;
}

function tokens(text: string): string[] {
  const pattern =
    /:=|=>|->|<=|::|\+\+|\/\\|\\\/|[A-Za-z_][\w']*(?:\.[A-Za-z_][\w']*)*|\d+(?:\.\d+)?|\S/g;
  return text.match(pattern) ?? [];
}

const KEYWORDS = new Set('let in if then else fun forall match with end'.split(' '));
const TYPES = new Set(['Type', 'Prop', 'Set']);

/** Recursive descent; a binder of a type is left out, as its arguments are implicit. */
class Parser {
  readonly #tokens: TokenReader;
  readonly #global: (name: string) => Value;

  constructor(list: readonly string[], global: (name: string) => Value) {
    this.#tokens = new TokenReader(list);
    this.#global = global;
  }

  whole(): Term {
    const term = this.#term();
    this.#tokens.end();
    return term;
  }

  /** What stands after the last arrow; whatever is before it is not read but for its variables. */
  conclusion(): Conclusion {
    const parameters: string[] = [];
    const lets: [string, Term][] = [];
    for (;;) {
      if (this.#tokens.peek() === 'forall') {
        this.#tokens.take();
        parameters.push(...this.binders(','));
      } else if (this.#tokens.peek() === 'let') {
        this.#tokens.take();
        const name = this.#tokens.take();
        this.#tokens.take(':=');
        lets.push([name, this.#term()]);
        this.#tokens.take('in');
      } else if (!this.#tokens.skipBehind('->', ['forall', 'let'])) break;
    }
    const bound = () => {
      const left = this.#term();
      this.#tokens.take('<=');
      return { left, right: this.#under(lets, this.#term()) };
    };
    const bounds = [bound()];
    while (this.#tokens.peek() === '/\\') {
      this.#tokens.take();
      bounds.push(bound());
    }
    this.#tokens.end();
    return { parameters, bounds };
  }

  #under(lets: readonly [string, Term][], term: Term): Term {
    return (scope) => {
      const inner = new Map(scope);
      for (const [name, value] of lets) inner.set(name, value(inner));
      return term(inner);
    };
  }

  /** Names that are bound before `end`, those of types left out. */
  binders(end: string): string[] {
    const names: string[] = [];
    while (this.#tokens.peek() !== end) {
      const inBrackets = this.#tokens.peek() === '(';
      if (inBrackets) this.#tokens.take();
      const group: string[] = [];
      while (this.#tokens.peek() !== ':') group.push(this.#tokens.take());
      this.#tokens.take(':');
      if (!TYPES.has(this.#tokens.peek())) names.push(...group);
      for (let depth = 0; depth > 0 || this.#tokens.peek() !== (inBrackets ? ')' : end); ) {
        const token = this.#tokens.take();
        if (token === '(') depth++;
        if (token === ')') depth--;
      }
      if (inBrackets) this.#tokens.take(')');
    }
    this.#tokens.take(end);
    return names;
  }

  #term(): Term {
    switch (this.#tokens.peek()) {
      case 'fun':
        this.#tokens.take();
        return this.#lambda(this.binders('=>'), this.#term());
      case 'let': {
        this.#tokens.take();
        const name = this.#tokens.take();
        this.#tokens.take(':=');
        const value = this.#term();
        this.#tokens.take('in');
        return this.#under([[name, value]], this.#term());
      }
      case 'if': {
        this.#tokens.take();
        const condition = this.#term();
        this.#tokens.take('then');
        const yes = this.#term();
        this.#tokens.take('else');
        const no = this.#term();
        return (scope) => (condition(scope) === true ? yes(scope) : no(scope));
      }
      case 'match':
        return this.#match();
      default:
        return this.#list();
    }
  }

  #lambda([first, ...rest]: readonly string[], body: Term): Term {
    if (first === undefined) return body;
    const inner = this.#lambda(rest, body);
    return (scope) => (argument: Value) => inner(new Map(scope).set(first, argument));
  }

  /** match x with | Some y => a | None => b end: an option is a list of one, or null. */
  #match(): Term {
    this.#tokens.take('match');
    const value = this.#term();
    for (const token of ['with', '|', 'Some']) this.#tokens.take(token);
    const name = this.#tokens.take();
    this.#tokens.take('=>');
    const present = this.#term();
    for (const token of ['|', 'None', '=>']) this.#tokens.take(token);
    const absent = this.#term();
    this.#tokens.take('end');
    return (scope) => {
      const given = value(scope);
      if (given === null) return absent(scope);
      return present(new Map(scope).set(name, listOf(given)[0] ?? null));
    };
  }

  #list(): Term {
    const first = this.#sum();
    if (this.#tokens.peek() !== '::' && this.#tokens.peek() !== '++') return first;
    const operator = this.#tokens.take();
    const rest = this.#list();
    return operator === '::'
      ? (scope) => [first(scope), ...listOf(rest(scope))]
      : (scope) => [...listOf(first(scope)), ...listOf(rest(scope))];
  }

  #operators(next: () => Term, operators: Record<string, (x: number, y: number) => number>): Term {
    let term = next();
    for (;;) {
      const operate = operators[this.#tokens.peek()];
      if (operate === undefined) return term;
      this.#tokens.take();
      const [left, right] = [term, next()];
      term = (scope) => operate(numberOf(left(scope)), numberOf(right(scope)));
    }
  }

  #sum(): Term {
    return this.#operators(() => this.#product(), { '+': (x, y) => x + y, '-': (x, y) => x - y });
  }

  #product(): Term {
    return this.#operators(() => this.#sign(), { '*': (x, y) => x * y, '/': (x, y) => x / y });
  }

  #sign(): Term {
    const sign = this.#tokens.peek();
    if (sign !== '-' && sign !== '/') return this.#application();
    this.#tokens.take();
    const term = this.#sign();
    return (scope) => (sign === '-' ? -numberOf(term(scope)) : 1 / numberOf(term(scope)));
  }

  #application(): Term {
    const head = this.#atom();
    const args: Term[] = [];
    while (/^[\w(]/.test(this.#tokens.peek()) && !KEYWORDS.has(this.#tokens.peek()))
      args.push(this.#atom());
    return (scope) => apply(head(scope), ...args.map((arg) => arg(scope)));
  }

  #atom(): Term {
    const token = this.#tokens.take();
    if (token === '(') {
      const inner = this.#term();
      this.#tokens.take(')');
      return inner;
    }
    if (/^\d/.test(token)) return () => Number(token);
    if (!/^[A-Za-z_]/.test(token) || KEYWORDS.has(token)) throw new Error(`unexpected ${token}`);
    return (scope) => (scope.has(token) ? (scope.get(token) ?? null) : this.#global(token));
  }
}
