/**
 * Question folders: a new one for every question that is put to a candidate, and never a second time.
 *
 * A question is written where no candidate looks, and the whole folder is then moved to where it does,
 * under a name that cannot be guessed: nobody can have put a link or a pipe in its place. The answered
 * folder is moved back before anything in it is read, so that its path cannot be turned into a link to
 * elsewhere; what came back counts only if it is the very folder that was put there.
 * @module
 */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { readdir, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { opaqueName } from './question.ts';

/** The folder of one question. */
export interface QuestionFolder {
  /** Where the candidate finds it. */
  readonly asked: string;
  /** Let `write` make the question in a folder, and show that to the candidate. */
  show(write: (folder: string) => void): void;
  /** Where the answer lies, out of the candidate's reach; nothing is there if it made away with it. */
  taken(): string;
}

export interface QuestionFolders {
  /** A folder whose path is new. Nothing is made before the question is shown. */
  next(): QuestionFolder;
  /** The folder is done with, and removed. */
  done(folder: QuestionFolder): void;
}

/** Where question folders lie: on one file system, `own` out of a candidate's reach. */
export interface QuestionPlaces {
  readonly own: string;
  readonly asked: string;
}

/** Which file or folder a path stands for, links not followed; null where nothing is. */
function identity(file: string): string | null {
  try {
    const found = lstatSync(file, { bigint: true });
    return found.isDirectory() ? `${found.dev} ${found.ino}` : 'no folder';
  } catch {
    return null;
  }
}

function succeeds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch {
    return false;
  }
}

const MORE_ENTRIES_MAX = 4;

/**
 * Remove a folder that candidates may still write in. `folder` itself and `own` are out of their reach;
 * a folder in it is moved to `own` before it is looked into, so that no link is ever followed. Says whether
 * all is gone.
 */
export function removeDistrusted(folder: string, own: string): boolean {
  const left = [folder];
  let isRemoved = true;
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    const here = at;
    // What is written meanwhile would keep it from being removed: a few times over, then it stays.
    for (let n = 0; n < MORE_ENTRIES_MAX; n++) {
      succeeds(() => {
        for (const name of readdirSync(here)) {
          const entry = path.join(here, name);
          if (succeeds(() => unlinkSync(entry))) continue;
          const moved = path.join(own, opaqueName());
          if (!succeeds(() => renameSync(entry, moved))) continue;
          if (identity(moved) === 'no folder') succeeds(() => unlinkSync(moved));
          else left.push(moved);
        }
      });
      if (succeeds(() => rmdirSync(here)) || identity(here) === null) break;
    }
    isRemoved &&= identity(here) === null;
  }
  return isRemoved;
}

/** The same beside the next question, for a folder of files; any other is removed at once. */
async function removeLate(folder: string, own: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) await unlink(path.join(folder, name));
    await rmdir(folder);
  } catch {
    removeDistrusted(folder, own);
  }
}

/** Where candidates look: made when missing, made anew when something else has come there. */
function standing({ own, asked }: QuestionPlaces): () => void {
  let known: string | null = null;
  return () => {
    const now = identity(asked);
    if (now !== null && (known === null ? now !== 'no folder' : now === known)) {
      known = now;
      return;
    }
    if (now !== null) renameSync(asked, path.join(own, opaqueName()));
    mkdirSync(own, { recursive: true });
    mkdirSync(asked);
    known = identity(asked);
  };
}

/** Folders of questions; the places are removed by whoever made them. */
export function questionFolders(places: QuestionPlaces): QuestionFolders {
  const stand = standing(places);
  const next = (): QuestionFolder => {
    const name = opaqueName();
    const [asked, back] = [
      path.join(places.asked, name),
      path.join(places.own, `${name}-answered`),
    ];
    let shown: string | null = null;
    let isTaken = false;
    return {
      asked,
      show(write) {
        stand();
        const made = path.join(places.own, name);
        mkdirSync(made);
        try {
          write(made);
        } catch (error) {
          // A full disk: half a question only takes room.
          removeDistrusted(made, places.own);
          throw error;
        }
        shown = identity(made);
        renameSync(made, asked);
      },
      taken() {
        if (shown === null || isTaken) return back;
        isTaken = true;
        const there = succeeds(() => renameSync(asked, back));
        if (there && identity(back) !== shown) {
          renameSync(back, path.join(places.own, opaqueName()));
        }
        return back;
      },
    };
  };
  return {
    next,
    done: (folder) => {
      const back = folder.taken();
      if (identity(back) !== null) void removeLate(back, places.own);
    },
  };
}

/** The places of a candidate's question folders, given a folder of one's own. */
export function placesFor(own: string, scratch: QuestionPlaces | undefined): QuestionPlaces {
  return { own, asked: scratch?.asked ?? path.join(own, 'asked') };
}
