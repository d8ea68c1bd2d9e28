/**
 * Interviewer: puts one case after another to a candidate, each in a folder of its own, and tells
 * whether two answers were the same bits.
 * @module
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { AttentionCase } from '../../reference/case.ts';
import type { ProfileName } from '../../reference/profile.ts';
import type { Candidate, Started } from '../candidate.ts';
import { type Asked, askOrSkip } from '../run-suite.ts';
import { kindOf } from './kind.ts';

/** An answer with what tells it from another. */
export interface Reply extends Asked {
  /** Kind of the failure; null where it did not fail. */
  readonly kind: string | null;
  /** Of the bytes of every output file; those of a passing reply, where they are asked for. */
  readonly bits: string;
}

export interface Interviewer {
  /** `use` sees the folder before it is removed. */
  ask(question: AttentionCase, use?: (folder: string, reply: Reply) => void): Promise<Reply>;
  /** The same, but an answer that takes much longer than any good one so far counts as a hang. */
  askImpatiently(question: AttentionCase): Promise<Reply>;
}

const PATIENCE = 20;
const PATIENCE_MS_MIN = 2000;

function bitsIn(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    if (!/^outputs(\.rank\d+)?\.safetensors$/.test(name)) continue;
    hash.update(name).update(readFileSync(path.join(folder, name)));
  }
  return hash.digest('hex');
}

/** Bits of what a candidate left; a folder that cannot be read is told by that alone. */
function bitsOrNone(folder: string): string {
  try {
    return bitsIn(folder);
  } catch {
    return 'unreadable';
  }
}

/** Folders are made under `root`, and removed after each answer. */
export function interviewer(
  candidate: Candidate,
  started: Started,
  profile: ProfileName,
  root: string,
): Interviewer {
  let count = 0;
  let slowestMs = 0;
  const put = async (
    question: AttentionCase,
    limitMs: number | undefined,
    use?: (folder: string, reply: Reply) => void,
  ): Promise<Reply> => {
    const folder = path.join(root, String(count++));
    const begin = performance.now();
    const asked = await askOrSkip(candidate, question, folder, { started, profile }, limitMs);
    if (asked.verdict.verdict !== 'broken') {
      slowestMs = Math.max(slowestMs, performance.now() - begin);
    }
    const bits = asked.asked ? bitsOrNone(folder) : '';
    const reply = { ...asked, kind: kindOf(asked.verdict), bits };
    use?.(folder, reply);
    remove(folder);
    return reply;
  };
  /** Beside the next question: on some file systems removing a folder takes longer than judging. */
  const remove = (folder: string): void => {
    rm(folder, { recursive: true, force: true }).catch(() => {});
  };
  return {
    ask: (question, use) => put(question, undefined, use),
    askImpatiently: (question) => put(question, Math.max(PATIENCE_MS_MIN, PATIENCE * slowestMs)),
  };
}
