/**
 * Case folders: `case.json`, `inputs.safetensors`, and what is written beside. What a candidate
 * wrote is read by given-outputs.ts.
 * @module
 */
import { randomUUID } from 'node:crypto';
import { constants, copyFileSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AttentionCase,
  type CaseInputs,
  type CaseParameters,
  type Dtype,
  INPUT_NAMES,
  type InputName,
  JUDGINGS,
  type Judging,
  OUTPUT_NAMES,
  type Outputs,
} from '../case/case.ts';
import { inputShardedAlong } from '../case/case-shapes.ts';
import { lseDtype, writtenFields } from '../case/merge-case.ts';
import { validateCase } from '../case/validate.ts';
import { entry } from '../numbers/nth.ts';
import type { StoredDtype } from '../numbers/stored-dtype.ts';
import { block, type Tensor } from '../numbers/tensor.ts';
import { openTensors, readRegular } from './regular-file.ts';
import { type SafetensorsFile, writeSafetensors } from './safetensors.ts';
import { parseStrictly } from './strict-json.ts';

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
/** Inputs that are sums, and held as such. */
const LSES: readonly InputName[] = ['lses'];
const JSON_LIMIT = 2 ** 20;
/** Inputs that are read whole are no larger. */
const INPUT_LIMIT = 2 ** 32;
const INPUTS = 'inputs.safetensors';

function missing(folder: string, name: string): never {
  throw new RangeError(`"${name}" expected a file in ${folder}, got none`);
}

const realDtype = (name: InputName, dtype: Dtype): StoredDtype =>
  STORED[LSES.includes(name) ? lseDtype(dtype) : dtype];

/** Tensors of an inputs file, each in a dtype its name may have. */
function inputsOf(file: SafetensorsFile, dtype: unknown): CaseInputs {
  const inputs: CaseInputs = {};
  for (const [name, { dtype: stored, tensor }] of file.tensors) {
    if (!(INPUT_NAMES as readonly string[]).includes(name)) {
      throw new RangeError(`"${name}" expected no tensor of this name, got one`);
    }
    const key = name as InputName;
    const allowed = STRUCTURE[key] ?? [realDtype(key, dtype as Dtype)];
    if (!allowed.includes(stored)) {
      throw new RangeError(`"${name}" expected ${allowed.join(' or ')}, got ${stored}`);
    }
    inputs[key] = tensor;
  }
  return inputs;
}

/** A case from its folder. */
export interface OpenCase {
  readonly attentionCase: AttentionCase;
  /** After this no tensor may be read. */
  readonly close: () => void;
}

function parametersOf(folder: string): unknown {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new RangeError(`"CASE_DIR" expected a case folder, got ${folder}`);
  }
  const bytes = readRegular(folder, 'case.json', JSON_LIMIT) ?? missing(folder, 'case.json');
  try {
    return parseStrictly(new TextDecoder().decode(bytes), '"case.json"');
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new RangeError(
      `"case.json" expected JSON: ${error instanceof Error ? error.message : ''}`,
    );
  }
}

/**
 * Open and validate a case. Inputs of more than `whole` bytes stay in their file and are read in
 * ranges, whenever they are asked for. Throws RangeError naming the file or field that is wrong.
 */
export function openCase(
  folder: string,
  { whole, limit = Number.MAX_SAFE_INTEGER }: { whole?: number; limit?: number } = {},
): OpenCase {
  const parameters = parametersOf(folder);
  const opened = openTensors(folder, INPUTS, { limit, whole }) ?? missing(folder, INPUTS);
  const { file, close } = opened;
  try {
    const dtype =
      typeof parameters === 'object' && parameters !== null && 'dtype' in parameters
        ? parameters.dtype
        : undefined;
    const inputs = Object.hasOwn(STORED, String(dtype)) ? inputsOf(file, dtype) : {};
    const judging = JUDGINGS.find((name) => name === file.metadata.judging) ?? 'structured';
    return { attentionCase: validateCase(parameters, inputs, judging satisfies Judging), close };
  } catch (error) {
    close();
    throw error;
  }
}

/** A case read whole, into memory. Throws RangeError naming the file or field that is wrong. */
export function readCase(folder: string): AttentionCase {
  return openCase(folder, { whole: INPUT_LIMIT, limit: INPUT_LIMIT }).attentionCase;
}

function writeWhole(folder: string, name: string, bytes: Uint8Array | string): void {
  // Whoever else writes in the folder must not know the name, nor have put a link or a pipe there.
  const temporary = join(folder, `.${name}.${randomUUID()}.tmp`);
  writeFileSync(temporary, bytes, { flag: 'wx' });
  renameSync(temporary, join(folder, name));
}

const parametersFile = (parameters: CaseParameters): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(writtenFields(parameters), null, 2)}\n`);

function inputsFile({ parameters, judging }: AttentionCase, inputs: CaseInputs): Uint8Array {
  const tensors = INPUT_NAMES.flatMap((name) => {
    const tensor = inputs[name];
    const dtype =
      STRUCTURE[name] === undefined ? realDtype(name, parameters.dtype) : integerDtype(name);
    return tensor === undefined ? [] : [{ name, dtype, tensor }];
  });
  return writeSafetensors(tensors, { judging });
}

/** The bytes of the two files that pose a case. */
export const caseFiles = (attentionCase: AttentionCase) => ({
  'case.json': parametersFile(attentionCase.parameters),
  [INPUTS]: inputsFile(attentionCase, attentionCase.inputs),
});

/** What a rank holds of the inputs: its blocks of those that are sharded, all of the others. */
function inputsOfRank({ parameters, inputs }: AttentionCase, rank: number): CaseInputs {
  const held: CaseInputs = {};
  for (const name of INPUT_NAMES) {
    const [tensor, along] = [inputs[name], inputShardedAlong(name)];
    if (tensor === undefined) continue;
    const sizes = along === null ? [] : parameters.partition[along.by];
    const start = sizes.slice(0, rank).reduce((sum, size) => sum + size, 0);
    held[name] = along === null ? tensor : block(tensor, along.axis, start, entry(sizes, rank));
  }
  return held;
}

/** Write `case.json` and one `inputs.rank{r}.safetensors` a rank; the folder is made when missing. */
export function writeShardedCase(folder: string, attentionCase: AttentionCase): void {
  const { parameters } = attentionCase;
  writeParameters(folder, parameters);
  for (let rank = 0; rank < parameters.partition.ranks; rank++) {
    const held = inputsFile(attentionCase, inputsOfRank(attentionCase, rank));
    writeWhole(folder, `inputs.rank${rank}.safetensors`, held);
  }
}

/** Write `case.json` and `inputs.safetensors`; the folder is made when missing. */
export function writeCase(folder: string, attentionCase: AttentionCase): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(caseFiles(attentionCase))) {
    writeWhole(folder, name, bytes);
  }
}

/** Write `case.json` alone; the folder is made when missing. */
export function writeParameters(folder: string, parameters: CaseParameters): void {
  mkdirSync(folder, { recursive: true });
  writeWhole(folder, 'case.json', parametersFile(parameters));
}

/** The inputs of a case, copied as they are from one folder to another. */
export function copyInputs(from: string, to: string): void {
  const mode = constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL;
  copyFileSync(join(from, INPUTS), join(to, INPUTS), mode);
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
