/**
 * Imported first by the command line: a Node that is too old is told so in a sentence, before anything
 * that it would not understand is run. Written so that Node 12 can read it.
 * @module
 */

/** The first version that has all that is asked of it; package.json says the same. */
export const NODE_MIN = '20.16';

/** Why a version of Node cannot run this; null where it can. */
export function tooOld(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [leastMajor = 0, leastMinor = 0] = NODE_MIN.split('.').map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return null;
  return `xattn: expected Node ${NODE_MIN} or newer, got Node ${version}; see https://nodejs.org`;
}

const complaint = tooOld(process.versions.node);
if (complaint !== null) {
  process.stderr.write(`${complaint}\n`);
  process.exit(2);
}
