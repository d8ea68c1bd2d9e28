/**
 * Options of benchmarks: read like those of the commands, and refused with a sentence and status 2.
 * @module
 */
import { Command, CommanderError } from 'commander';

/** Options as `add` declares them, of this process's arguments; leaves where they are wrong. */
export function benchOptions<T extends object>(
  name: string,
  description: string,
  add: (command: Command) => Command,
): T {
  const command = add(new Command(`npm run ${name} --`).description(description)).exitOverride();
  try {
    return command.parse().opts<T>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exit(error.exitCode === 0 ? 0 : 2);
  }
}
