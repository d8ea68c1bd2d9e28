/**
 * Mutants: small edits of a source, found in its syntax tree, each of which a test should notice.
 *
 * Types are never touched, so every mutant still loads; an edit is a range of characters and what
 * stands there instead.
 * @module
 */
import { parseAst } from 'rolldown/parseAst';

export interface Mutant {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** `a + b → a - b`, for the report. */
  readonly what: string;
  readonly line: number;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

const OPERATORS: Readonly<Record<string, string>> = {
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '**': '*',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '>>': '<<',
  '+=': '-=',
  '-=': '+=',
};

const SWAPPED: Readonly<Record<string, string>> = { max: 'min', min: 'max', floor: 'ceil' };

type Edit = Pick<Mutant, 'start' | 'end' | 'text'>;

const at = (node: Node, field: string): Node | null => {
  const value = node[field];
  return isNode(value) ? value : null;
};

/** Another operator between the same operands. */
function operatorEdits(source: string, node: Node): Edit[] {
  const [left, right] = [at(node, 'left'), at(node, 'right')];
  const operator = String(node.operator);
  const other = OPERATORS[operator];
  if (left === null || right === null || other === undefined) return [];
  const start = source.indexOf(operator, left.end);
  return start < 0 || start >= right.start
    ? []
    : [{ start, end: start + operator.length, text: other }];
}

function literalEdits(node: Node): Edit[] {
  const { start, end, value } = node;
  if (typeof value === 'number') return [{ start, end, text: value === 0 ? '1' : '0' }];
  if (typeof value === 'boolean') return [{ start, end, text: String(!value) }];
  return [];
}

/** `Math.abs(x)` → `(x)`, `Math.max` ↔ `Math.min`. */
function callEdits(node: Node): Edit[] {
  const callee = at(node, 'callee');
  const [object, property] =
    callee === null ? [null, null] : [at(callee, 'object'), at(callee, 'property')];
  if (callee === null || property === null || object?.name !== 'Math') return [];
  const name = String(property.name);
  const other = SWAPPED[name];
  if (other !== undefined) return [{ start: property.start, end: property.end, text: other }];
  if (name === 'abs') return [{ start: callee.start, end: callee.end, text: '' }];
  return [];
}

function editsOf(source: string, node: Node): Edit[] {
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression':
    case 'AssignmentExpression':
      return operatorEdits(source, node);
    case 'Literal':
      return literalEdits(node);
    case 'CallExpression':
      return callEdits(node);
    case 'ConditionalExpression':
    case 'IfStatement': {
      const test = at(node, 'test');
      if (test === null) return [];
      return ['true', 'false'].map((text) => ({ start: test.start, end: test.end, text }));
    }
    case 'ExpressionStatement':
      return [{ start: node.start, end: node.end, text: ';' }];
    case 'ContinueStatement':
      return [{ start: node.start, end: node.end, text: ';' }];
    case 'UnaryExpression':
      return node.operator === '-' || node.operator === '!'
        ? [{ start: node.start, end: node.start + 1, text: '' }]
        : [];
    default:
      return [];
  }
}

/** Fields that hold types or names, which no mutant changes. */
const SKIPPED = new Set(['typeAnnotation', 'returnType', 'typeArguments', 'typeParameters']);

function visit(node: Node, found: (node: Node) => void): void {
  if (node.type.startsWith('TS') && node.type !== 'TSAsExpression') return;
  if (node.type === 'ImportDeclaration') return;
  found(node);
  for (const [field, value] of Object.entries(node)) {
    if (SKIPPED.has(field)) continue;
    for (const inner of Array.isArray(value) ? value : [value]) {
      if (isNode(inner)) visit(inner, found);
    }
  }
}

const short = (text: string): string => {
  const flat = text.replace(/\s+/g, ' ').trim();
  return flat.length > 60 ? `${flat.slice(0, 57)}...` : flat;
};

/** Every mutant of a source, in the order of the source. */
export function mutantsOf(source: string): Mutant[] {
  const program: unknown = parseAst(source, { lang: 'ts' });
  if (!isNode(program)) throw new Error('the parser returned no program');
  const mutants: Mutant[] = [];
  visit(program, (node) => {
    for (const { start, end, text } of editsOf(source, node)) {
      const line = source.slice(0, start).split('\n').length;
      const before = source.slice(node.start, node.end);
      const after = before.slice(0, start - node.start) + text + before.slice(end - node.start);
      mutants.push({ start, end, text, line, what: `${short(before)} → ${short(after)}` });
    }
  });
  return mutants.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** The source with one mutant in place. */
export function applied(source: string, { start, end, text }: Mutant): string {
  return source.slice(0, start) + text + source.slice(end);
}
