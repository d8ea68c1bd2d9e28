/**
 * What a candidate wrote into a case folder: `outputs.safetensors`, or, of a candidate that runs on
 * several ranks, `outputs.rank{r}.safetensors`.
 *
 * Rank r's file holds its own rows of `out lse d_q` (its query block) and its own keys of
 * `d_k d_v d_y` (its key block); `d_bias d_sink d_w_k d_w_v` belong to the whole case and are read,
 * summed already, from rank 0's file.
 *
 * Either the one file is there, or one of every rank and no other, so that nothing is answered twice.
 *
 * Everything a candidate wrote is hostile: only regular files inside the folder are read, no larger
 * than the case can need, and whatever is wrong is a value with a reason, never an exception.
 * @module
 */
import { readdirSync } from 'node:fs';
import { type AttentionCase, OUTPUT_NAMES, type OutputName } from '../case/case.ts';
import { outputShape, shardedAlong } from '../case/case-shapes.ts';
import type { GivenOutputs } from '../case/given.ts';
import { EVERYTHING, isSampled, type Sample, sampledOutput } from '../case/sampling.ts';
import { ELEMENT_LIMIT } from '../case/validate.ts';
import { entry } from '../numbers/nth.ts';
import { elementCount, indexOf, isRanged, type Tensor, tensorOf } from '../numbers/tensor.ts';
import { type OpenTensors, openTensors } from './regular-file.ts';
import type { SafetensorsFile, StoredTensor } from './safetensors.ts';

const FLOATS: readonly string[] = ['F64', 'F32', 'F16', 'BF16'];
const HEADER_ROOM = 2 ** 20;

/** A candidate's outputs, and whether each rank wrote its own; or why there are none. */
export type OutputsRead =
  | { readonly ok: true; readonly outputs: GivenOutputs; readonly byRank: boolean }
  | { readonly ok: false; readonly reason: string };

/** The most bytes that the outputs of a case can need, all ranks' extra copies included. */
function outputLimit({ parameters, inputs }: AttentionCase): number {
  const elements = OUTPUT_NAMES.reduce(
    (sum, name) => sum + elementCount(outputShape({ parameters, inputs }, name)),
    0,
  );
  return 8 * elements + HEADER_ROOM;
}

/** One output of one file, checked against the shape it must have; `what` that is, where it is not all. */
function checked(
  file: SafetensorsFile,
  name: OutputName,
  shape: number[],
  where: string,
  what = '',
) {
  const given = file.tensors.get(name);
  if (given === undefined)
    throw new RangeError(`"${name}" expected a tensor in ${where}, got none`);
  if (!FLOATS.includes(given.dtype)) {
    throw new RangeError(`"${name}" in ${where} expected ${FLOATS.join(', ')}, got ${given.dtype}`);
  }
  const got = given.tensor.shape;
  if (got.length !== shape.length || got.some((extent, n) => extent !== shape[n])) {
    throw new RangeError(
      `"${name}" in ${where} expected shape [${shape.join(', ')}]${what}, got [${got.join(', ')}]`,
    );
  }
  return given;
}

/** An output as it was given: in one file, or in blocks along an axis, one a rank. */
interface Given {
  readonly dtype: string;
  readonly tensor: Tensor | null;
  readonly at: (index: readonly number[]) => number;
}

const inOneFile = ({ dtype, tensor }: StoredTensor): Given => ({
  dtype,
  tensor,
  at: (index) => tensor.get(...index),
});

/** The format with the fewer significant bits; a gathered tensor is as coarse as its worst block. */
function coarser(a: string, b: string): string {
  const order = ['', ...FLOATS];
  return order.indexOf(a) > order.indexOf(b) ? a : b;
}

/** One output in the ranks' files, each block at its place. */
function gather(attentionCase: AttentionCase, files: readonly SafetensorsFile[], name: OutputName) {
  const { partition } = attentionCase.parameters;
  const [shape, sharded] = [outputShape(attentionCase, name), shardedAlong(name)];
  const [first] = files;
  if (first === undefined) throw new RangeError('no rank wrote outputs');
  if (sharded === null) return inOneFile(checked(first, name, shape, fileName(0)));
  let end = 0;
  const noun = sharded.by === 'q' ? 'queries' : 'keys';
  const blocks = files.map((file, rank) => {
    const length = entry(partition[sharded.by], rank);
    const local = shape.map((extent, axis) => (axis === sharded.axis ? length : extent));
    const what = `, rank ${rank}'s ${length} of ${shape[sharded.axis]} ${noun}`;
    end += length;
    return { ...checked(file, name, local, fileName(rank), what), start: end - length, end };
  });
  const at = (index: readonly number[]): number => {
    const position = entry(index, sharded.axis);
    const block = blocks.find((one) => position < one.end);
    if (block === undefined) throw new Error(`no rank holds position ${position} of "${name}"`);
    const local = index.map((n, axis) => (axis === sharded.axis ? n - block.start : n));
    return block.tensor.get(...local);
  };
  const dtype = blocks.reduce((worst, one) => coarser(worst, one.dtype), '');
  return { dtype, tensor: null, at };
}

/** The part of an output that is in the sample, in memory. */
function sampled(
  attentionCase: AttentionCase,
  sample: Sample,
  name: OutputName,
  { dtype, tensor, at }: Given,
): { dtype: string; tensor: Tensor } {
  const { shape, whole, wholeFlat } = sampledOutput(attentionCase, sample, name);
  const count = elementCount(shape);
  if (tensor !== null && count === elementCount(whole) && !isRanged(tensor.data)) {
    return { dtype, tensor };
  }
  if (count > ELEMENT_LIMIT) {
    throw new RangeError(`"${name}" expected at most ${ELEMENT_LIMIT} elements to judge`);
  }
  const data = Float64Array.from({ length: count }, (_, flat) =>
    at(indexOf(whole, wholeFlat(flat))),
  );
  return { dtype, tensor: tensorOf<number>(data, shape) };
}

const ONE_FILE = 'outputs.safetensors';
const fileName = (rank: number): string => `outputs.rank${rank}.safetensors`;

/** Names of files of ranks in a folder, sorted; what cannot be listed has none. */
function rankFiles(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => /^outputs\.rank.*\.safetensors$/s.test(name))
      .sort();
  } catch {
    return [];
  }
}

const NAMED_MAX = 8;

/** `rank 1`, `ranks 1, 2 and 3`, of very many the first. */
function ranksNamed(ranks: readonly number[]): string {
  const names = ranks.slice(0, NAMED_MAX).map(String);
  if (ranks.length > NAMED_MAX) names.push(`${ranks.length - NAMED_MAX} more`);
  const last = names.pop() ?? '';
  return names.length === 0 ? `rank ${last}` : `ranks ${names.join(', ')} and ${last}`;
}

/** Throws unless the files are the one, or those of all ranks and no more. */
function checkNames(folder: string, ranks: number, one: boolean): void {
  const found = rankFiles(folder);
  const [first = ''] = found;
  if (one && found.length > 0) {
    throw new RangeError(
      `the case folder expected "${ONE_FILE}" or files of ranks, got both it and "${first}"`,
    );
  }
  const wanted = new Set(Array.from({ length: ranks }, (_, rank) => fileName(rank)));
  const stranger = found.find((name) => !wanted.has(name));
  if (stranger !== undefined) {
    const last = ranks === 1 ? 'of rank 0' : `of ranks 0 to ${ranks - 1}, each once`;
    throw new RangeError(`the case folder expected files ${last}, got "${stranger}" too`);
  }
  const missing = Array.from({ length: ranks }, (_, rank) => rank).filter(
    (rank) => !found.includes(fileName(rank)),
  );
  const [rank] = missing;
  if (one || rank === undefined) return;
  if (found.length === 0) {
    throw new RangeError(`"${ONE_FILE}" expected a file in the case folder, got none`);
  }
  const who = `${ranksNamed(missing)} of ${ranks} left no outputs`;
  throw new RangeError(`${who}: "${fileName(rank)}" expected a file in the case folder, got none`);
}

/** What is wrong with a rank's file, under its name. */
function opened(folder: string, name: string, limit: number): OpenTensors | null {
  try {
    return openTensors(folder, name, { limit });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new RangeError(text.includes(name) ? text : `"${name}": ${text}`);
  }
}

/** The files of all ranks. */
function openRanks(folder: string, ranks: number, limit: number): OpenTensors[] {
  const files: OpenTensors[] = [];
  try {
    for (let rank = 0; rank < ranks; rank++) {
      const name = fileName(rank);
      const file = opened(folder, name, limit);
      if (file === null) {
        throw new RangeError(`"${name}" expected a file in the case folder, got none`);
      }
      files.push(file);
    }
    return files;
  } catch (error) {
    for (const { close } of files) close();
    throw error;
  }
}

function readGiven(
  folder: string,
  attentionCase: AttentionCase,
  sample: Sample,
): { outputs: GivenOutputs; byRank: boolean } {
  const { wants, partition } = attentionCase.parameters;
  const limit = outputLimit(attentionCase);
  const one = openTensors(folder, ONE_FILE, { limit });
  try {
    checkNames(folder, partition.ranks, one !== null);
  } catch (error) {
    one?.close();
    throw error;
  }
  const all = one === null ? openRanks(folder, partition.ranks, limit) : [one];
  const files = all.map(({ file }) => file);
  const outputs: GivenOutputs = {};
  try {
    for (const name of wants) {
      if (!isSampled(sample, name)) continue;
      const given =
        one === null
          ? gather(attentionCase, files, name)
          : inOneFile(checked(one.file, name, outputShape(attentionCase, name), ONE_FILE));
      outputs[name] = sampled(attentionCase, sample, name, given);
    }
    return { outputs, byRank: one === null };
  } finally {
    for (const { close } of all) close();
  }
}

/**
 * What a candidate wrote for the outputs the case wants, of the sample's rows and keys; whatever is
 * wrong is a reason. Files too large for memory are read in ranges.
 */
export function readOutputs(
  folder: string,
  attentionCase: AttentionCase,
  sample: Sample = EVERYTHING,
): OutputsRead {
  try {
    return { ok: true, ...readGiven(folder, attentionCase, sample) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
