/**
 * Questions: a case as a candidate is shown it, which is without anything that tells what it is for.
 *
 * Its id is drawn anew each time, and the mark of how it is judged is the same for all.
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { AttentionCase } from '../reference/case/case.ts';
import {
  copyInputs,
  writeCase,
  writeParameters,
  writeShardedCase,
} from '../reference/files/case-folder.ts';

/** A name that tells nothing and that nobody can guess: 96 random bits. */
export const opaqueName = (): string => randomBytes(12).toString('hex');

/** The case under a name that tells nothing. */
export function anonymous(c: AttentionCase): AttentionCase {
  const parameters = { ...c.parameters, id: `q-${opaqueName()}` };
  return { ...c, parameters, judging: 'structured' };
}

/** How a question is written. */
export interface Writing {
  /** Inputs too large for memory are copied as they lie in this folder. */
  readonly from?: string | undefined;
  /** Each rank has a file of its own, with its blocks. */
  readonly sharded?: boolean | undefined;
}

/** Ask `question` in `folder`. */
export function writeQuestion(
  folder: string,
  question: AttentionCase,
  { from, sharded = false }: Writing = {},
): void {
  const asked = anonymous(question);
  // The inputs of a step that is asked by itself are no blocks of ranks.
  if (sharded && asked.parameters.op === undefined) {
    writeShardedCase(folder, asked);
    return;
  }
  if (from === undefined) {
    writeCase(folder, asked);
    return;
  }
  writeParameters(folder, asked.parameters);
  copyInputs(from, folder);
}
