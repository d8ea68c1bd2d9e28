/**
 * Case folders: `case.json`, `inputs.safetensors`, and what candidates and the oracle write beside.
 *
 * A candidate that runs on several ranks may write `outputs.rank{r}.safetensors` in place of
 * `outputs.safetensors`. Rank r's file holds its own rows of `out lse d_q` (its query block) and its
 * own keys of `d_k d_v d_y` (its key block); `d_bias d_sink d_w_k d_w_v` belong to the whole case and
 * are read, summed already, from rank 0's file.
 *
 * Everything a candidate wrote is hostile: only regular files inside the folder are read, no larger
 * than the case can need, and whatever is wrong is a value with a reason, never an exception.
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  type AttentionCase,
  type CaseInputs,
  type Dtype,
  INPUT_NAMES,
  type InputName,
  JUDGINGS,
  type Judging,
  OUTPUT_NAMES,
  type OutputName,
  type Outputs,
} from './case.ts';
import { outputShape, shardedAlong } from './case-shapes.ts';
import type { GivenOutputs } from './judge.ts';
import {
  readSafetensors,
  type SafetensorsFile,
  type StoredDtype,
  writeSafetensors,
} from './safetensors.ts';
import { block, elementCount, forEachIndex, type Tensor, zeros } from './tensor.ts';
import { validateCase } from './validate.ts';

const STORED: Readonly<Record<Dtype, StoredDtype>> = {
  f64: 'F64',
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
};
/** Inputs that are structure and not reals. */
const STRUCTURE: Partial<Record<InputName, readonly StoredDtype[]>> = {
  mask: ['U8', 'BOOL'],
  dropout_keep: ['U8', 'BOOL'],
  kv_lengths: ['I32', 'I64'],
  media_text: ['I32', 'I64'],
  media_key: ['I32', 'I64'],
};
const FLOATS: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];
const JSON_LIMIT = 2 ** 20;
const INPUT_LIMIT = 2 ** 32;
const HEADER_ROOM = 2 ** 20;

/** The bytes of a regular file of at most `limit` bytes; links are not followed. */
function readRegular(folder: string, name: string, limit: number): Uint8Array | null {
  let descriptor: number;
  try {
    descriptor = openSync(
      join(folder, name),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    if (isMissing(error)) return null;
    throw new RangeError(`"${name}" expected a readable regular file in ${folder}`);
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new RangeError(`"${name}" expected a regular file in ${folder}`);
    if (stat.size > limit) {
      throw new RangeError(`"${name}" expected at most ${limit} bytes, got ${stat.size}`);
    }
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENOTDIR')
  );
}

function required(folder: string, name: string, limit: number): Uint8Array {
  const bytes = readRegular(folder, name, limit);
  if (bytes === null) throw new RangeError(`"${name}" expected a file in ${folder}, got none`);
  return bytes;
}

/** Tensors of an inputs file, each in a dtype its name may have. */
function inputsOf(file: SafetensorsFile, dtype: unknown): CaseInputs {
  const inputs: CaseInputs = {};
  for (const [name, { dtype: stored, tensor }] of file.tensors) {
    if (!(INPUT_NAMES as readonly string[]).includes(name)) {
      throw new RangeError(`"${name}" expected no tensor of this name, got one`);
    }
    const key = name as InputName;
    const allowed = STRUCTURE[key] ?? [STORED[dtype as Dtype]];
    if (!allowed.includes(stored)) {
      throw new RangeError(`"${name}" expected ${allowed.join(' or ')}, got ${stored}`);
    }
    inputs[key] = tensor;
  }
  return inputs;
}

/** Read and validate a case. Throws RangeError naming the file or field that is wrong. */
export function readCase(folder: string): AttentionCase {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new RangeError(`"CASE_DIR" expected a case folder, got ${folder}`);
  }
  let parameters: unknown;
  const text = new TextDecoder().decode(required(folder, 'case.json', JSON_LIMIT));
  try {
    parameters = JSON.parse(text);
  } catch (error) {
    throw new RangeError(
      `"case.json" expected JSON: ${error instanceof Error ? error.message : ''}`,
    );
  }
  const file = readSafetensors(required(folder, 'inputs.safetensors', INPUT_LIMIT));
  const dtype =
    typeof parameters === 'object' && parameters !== null && 'dtype' in parameters
      ? parameters.dtype
      : undefined;
  const inputs = Object.hasOwn(STORED, String(dtype)) ? inputsOf(file, dtype) : {};
  const judging = JUDGINGS.find((name) => name === file.metadata.judging) ?? 'structured';
  return validateCase(parameters, inputs, judging satisfies Judging);
}

function writeWhole(folder: string, name: string, bytes: Uint8Array | string): void {
  const temporary = join(folder, `.${name}.${process.pid}.tmp`);
  writeFileSync(temporary, bytes);
  renameSync(temporary, join(folder, name));
}

/** The bytes of the two files that pose a case. */
export function caseFiles({ parameters, inputs, judging }: AttentionCase) {
  const tensors = INPUT_NAMES.flatMap((name) => {
    const tensor = inputs[name];
    const dtype = STRUCTURE[name] === undefined ? STORED[parameters.dtype] : integerDtype(name);
    return tensor === undefined ? [] : [{ name, dtype, tensor }];
  });
  return {
    'case.json': new TextEncoder().encode(`${JSON.stringify(parameters, null, 2)}\n`),
    'inputs.safetensors': writeSafetensors(tensors, { judging }),
  };
}

/** Write `case.json` and `inputs.safetensors`; the folder is made when missing. */
export function writeCase(folder: string, attentionCase: AttentionCase): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(caseFiles(attentionCase))) {
    writeWhole(folder, name, bytes);
  }
}

function integerDtype(name: InputName): StoredDtype {
  return STRUCTURE[name]?.includes('U8') === true ? 'U8' : 'I64';
}

/** Write outputs, all in one format, as `outputs.safetensors` or another file name. */
export function writeOutputs(
  folder: string,
  outputs: Outputs,
  dtype: 'F64' | 'F32' | 'F16' | 'BF16',
  name = 'outputs.safetensors',
): void {
  const tensors = OUTPUT_NAMES.flatMap((output) => {
    const tensor = outputs[output];
    return tensor === undefined ? [] : [{ name: output, dtype, tensor }];
  });
  writeWhole(folder, name, writeSafetensors(tensors));
}

/** A tensor for `expected.safetensors`: an output, or its enclosure `NAME.lo`, `NAME.hi`. */
export interface ExpectedTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly tensor: Tensor;
}

/** Write what the oracle says. */
export function writeExpected(folder: string, tensors: readonly ExpectedTensor[]): void {
  writeWhole(folder, 'expected.safetensors', writeSafetensors(tensors));
}

/** A candidate's outputs, or why there are none. */
export type OutputsRead =
  | { readonly ok: true; readonly outputs: GivenOutputs }
  | { readonly ok: false; readonly reason: string };

/** The most bytes that the outputs of a case can need, all ranks' extra copies included. */
function outputLimit({ parameters, inputs }: AttentionCase): number {
  const elements = OUTPUT_NAMES.reduce(
    (sum, name) => sum + elementCount(outputShape({ parameters, inputs }, name)),
    0,
  );
  return 8 * elements + HEADER_ROOM;
}

/** One output of one file, checked against the shape it must have. */
function checked(file: SafetensorsFile, name: OutputName, shape: number[], where: string) {
  const given = file.tensors.get(name);
  if (given === undefined)
    throw new RangeError(`"${name}" expected a tensor in ${where}, got none`);
  if (!FLOATS.includes(given.dtype)) {
    throw new RangeError(`"${name}" in ${where} expected ${FLOATS.join(', ')}, got ${given.dtype}`);
  }
  const got = given.tensor.shape;
  if (got.length !== shape.length || got.some((extent, n) => extent !== shape[n])) {
    throw new RangeError(
      `"${name}" in ${where} expected shape [${shape.join(', ')}], got [${got.join(', ')}]`,
    );
  }
  return given;
}

/** One output put together from the ranks' files, each block in its place. */
function gather(attentionCase: AttentionCase, files: readonly SafetensorsFile[], name: OutputName) {
  const { parameters } = attentionCase;
  const [shape, sharded] = [outputShape(attentionCase, name), shardedAlong(name)];
  const fileName = (rank: number): string => `outputs.rank${rank}.safetensors`;
  const [first] = files;
  if (first === undefined) throw new RangeError('no rank wrote outputs');
  if (sharded === null) return checked(first, name, shape, fileName(0));
  const whole = zeros(shape);
  let start = 0;
  let dtype = '';
  files.forEach((file, rank) => {
    const length = parameters.partition[sharded.by][rank] ?? 0;
    const local = shape.map((extent, axis) => (axis === sharded.axis ? length : extent));
    const given = checked(file, name, local, fileName(rank));
    const place = block(whole, sharded.axis, start, length);
    forEachIndex(local, (at) => place.set(...at, given.tensor.get(...at)));
    start += length;
    dtype = coarser(dtype, given.dtype);
  });
  return { dtype, tensor: whole };
}

/** The format with the fewer significant bits; a gathered tensor is as coarse as its worst block. */
function coarser(a: string, b: string): string {
  const order = ['', ...FLOATS];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

function readGiven(folder: string, attentionCase: AttentionCase): GivenOutputs {
  const { parameters } = attentionCase;
  const limit = outputLimit(attentionCase);
  const whole = readRegular(folder, 'outputs.safetensors', limit);
  const outputs: GivenOutputs = {};
  if (whole !== null) {
    const file = readSafetensors(whole);
    for (const name of parameters.wants) {
      outputs[name] = checked(file, name, outputShape(attentionCase, name), 'outputs.safetensors');
    }
    return outputs;
  }
  const files: SafetensorsFile[] = [];
  for (let rank = 0; rank < parameters.partition.ranks; rank++) {
    const bytes = readRegular(folder, `outputs.rank${rank}.safetensors`, limit);
    if (bytes === null) {
      const file = rank === 0 ? 'outputs.safetensors' : `outputs.rank${rank}.safetensors`;
      throw new RangeError(`"${file}" expected a file in the case folder, got none`);
    }
    files.push(readSafetensors(bytes));
  }
  for (const name of parameters.wants) outputs[name] = gather(attentionCase, files, name);
  return outputs;
}

/** What a candidate wrote for the outputs the case wants; whatever is wrong is a reason. */
export function readOutputs(folder: string, attentionCase: AttentionCase): OutputsRead {
  try {
    return { ok: true, outputs: readGiven(folder, attentionCase) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
