/**
 * Question folders: a new one, empty, for every question that is put to a candidate.
 *
 * No path is used twice, nor can one be guessed before it is asked, so that nothing a candidate
 * remembers or still writes can be taken for a later answer. On common file systems removing a folder takes longer than judging a small case, so
 * one that was answered in is emptied and renamed, and only others are removed.
 * @module
 */
import { mkdirSync, readdirSync, renameSync, unlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { opaqueName } from './question.ts';

export interface QuestionFolders {
  /** An empty folder whose path is new. */
  next(): string;
  /** The folder is done with; `answered`: the candidate has said that it wrote all it will write. */
  done(folder: string, answered: boolean): void;
}

/** Removed with all in it, beside the next question; what stays goes with the root in the end. */
function remove(folder: string): void {
  rm(folder, { recursive: true, force: true }).catch(() => {});
}

/** Is the folder empty now? It stays as it is where it holds more than files. */
function emptied(folder: string): boolean {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    if (entries.some((entry) => entry.isDirectory())) return false;
    for (const { name } of entries) unlinkSync(path.join(folder, name));
    return true;
  } catch {
    return false;
  }
}

/** Does the folder lie at its new path now? A candidate may have removed it, with all around it. */
function renamed(folder: string, to: string): boolean {
  try {
    renameSync(folder, to);
    return true;
  } catch {
    return false;
  }
}

/** Folders under `root`, which is removed by whoever made it. */
export function questionFolders(root: string): QuestionFolders {
  let spare: string | null = null;
  return {
    next: () => {
      const folder = path.join(root, opaqueName());
      if (spare === null || !renamed(spare, folder)) mkdirSync(folder, { recursive: true });
      spare = null;
      return folder;
    },
    done: (folder, answered) => {
      if (answered && spare === null && emptied(folder)) spare = folder;
      else remove(folder);
    },
  };
}
