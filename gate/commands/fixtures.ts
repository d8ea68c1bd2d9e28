/**
 * `xattn fixtures generate` and `xattn fixtures verify`: golden cases into a folder, and the proof
 * that a folder holds them.
 * @module
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { type ExportName, exportFixtures, INDEX } from '../../fixtures/export.ts';
import { generateFixtures } from '../../fixtures/generate.ts';
import { MANIFEST, sha256 } from '../../fixtures/manifest.ts';
import { releasesBytes, withRelease } from '../../fixtures/release.ts';
import { goldenFolder, packageFile } from '../../fixtures/schema.ts';
import { storeFiles } from '../../fixtures/store.ts';
import { checkFolder, verifyFixtures } from '../../fixtures/verify.ts';

export interface GenerateCommandOptions {
  as?: ExportName;
  workers?: number;
}

export interface VerifyCommandOptions {
  workers?: number;
  seed: number;
  sample: number;
}

const given = (workers: number | undefined) => (workers === undefined ? {} : { workers });

function say(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function generateExport(folder: string | undefined, as: ExportName, workers?: number) {
  if (folder === undefined) {
    throw new RangeError(`"DIR" expected a folder for the ${as} files, got none`);
  }
  const { files, leftOut } = exportFixtures(await generateFixtures(given(workers)), as);
  storeFiles(folder, files, { marker: INDEX });
  say(
    ...leftOut.map(({ id, reason }) => `left out ${id}: ${reason}`),
    `wrote ${files.size} files to ${folder}; ${leftOut.length} cases left out, see ${INDEX}`,
  );
  return 0;
}

/** Writes the golden cases into `folder`, or into the package's own. */
export async function generateCommand(
  folder: string | undefined,
  { as, workers }: GenerateCommandOptions,
): Promise<number> {
  if (as !== undefined) return generateExport(folder, as, workers);
  const { files, bundles } = await generateFixtures(given(workers));
  const target = folder ?? goldenFolder();
  const own = path.resolve(target) === path.resolve(goldenFolder());
  const manifest = files.get(MANIFEST);
  if (manifest === undefined) throw new Error('the generation expected a manifest, got none');
  const list = own ? withRelease(sha256(manifest)) : null;
  storeFiles(target, files, { check: (fresh) => checkFolder(fresh).problems });
  if (list !== null) writeFileSync(packageFile('releases.json'), releasesBytes(list));
  const bytes = [...files.values()].reduce((sum, one) => sum + one.length, 0);
  say(`wrote ${bundles.length} cases, ${files.size} files, ${bytes} bytes to ${target}`);
  return 0;
}

const SHOWN = 20;

/** Proves that `folder` holds the golden cases; 1 when something is wrong. */
export async function verifyCommand(
  folder: string | undefined,
  { workers, seed, sample }: VerifyCommandOptions,
): Promise<number> {
  const target = folder ?? goldenFolder();
  const problems = await verifyFixtures(target, { ...given(workers), seed, sample });
  if (problems.length === 0) {
    say(`${target}: every file is as generated, ${sample} cases hold in 120 digits`);
    return 0;
  }
  const more = problems.length > SHOWN ? [`and ${problems.length - SHOWN} more`] : [];
  say(
    ...problems.slice(0, SHOWN),
    ...more,
    `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} in ${target}`,
  );
  return 1;
}
