/**
 * Options of benchmarks: read like those of the commands, and refused with a sentence and status 2.
 * @module
 */
import { Command, CommanderError } from 'commander';

/** Words and options as `add` declares them, of this process's arguments; leaves where they are wrong. */
export function benchWords<T extends object>(
  name: string,
  description: string,
  add: (command: Command) => Command,
): { readonly words: readonly string[]; readonly options: T } {
  const command = add(new Command(`npm run ${name} --`).description(description)).exitOverride();
  try {
    command.parse();
    return { words: command.args, options: command.opts<T>() };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
}

/** Options alone. */
export const benchOptions = <T extends object>(...how: Parameters<typeof benchWords>): T =>
  benchWords<T>(...how).options;
