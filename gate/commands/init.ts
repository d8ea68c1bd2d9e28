/**
 * `xattn init`: a first candidate in a folder, which runs as it is written.
 * @module
 */
import { initialise, type Language } from '../init.ts';

export function initCommand(language: Language, folder: string): number {
  const { written, steps } = initialise(language, folder);
  const lines = [
    ...written.map((file) => `wrote ${file}`),
    'now run:',
    ...steps.map((step) => `  $ ${step}`),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}
