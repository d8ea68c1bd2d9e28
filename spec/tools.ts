/**
 * Which tools are installed that npm does not bring, and what to do when one is not.
 *
 * A missing tool is a counted skip with its name and the command that installs it; with
 * XATTN_REQUIRE_TOOLS=1 (as in CI) it is a failure.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { describe, it } from 'vitest';

/** Debian packages that provide a tool. */
const PACKAGES: Readonly<Record<string, string>> = {
  coqc: 'coq libcoq-coquelicot libcoq-flocq libcoq-interval',
  spin: 'spin',
  gcc: 'gcc libc6-dev',
  chromium: 'chromium',
  bwrap: 'bubblewrap',
};

/** Tools of the list that cannot be found. */
function missing(tools: readonly string[]): string[] {
  return tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
}

/** A group of checks that needs tools: run when they are there, skipped or failed aloud otherwise. */
export function describeWithTools(name: string, tools: readonly string[], body: () => void): void {
  const absent = missing(tools);
  if (absent.length === 0) {
    describe(name, body);
    return;
  }
  const packages = absent.map((tool) => PACKAGES[tool] ?? tool).join(' ');
  const sentence = `${name} needs ${absent.join(', ')}: apt-get install ${packages}`;
  if (process.env.XATTN_REQUIRE_TOOLS === '1') {
    it(name, () => {
      throw new Error(sentence);
    });
    return;
  }
  console.warn(`SKIPPED: ${sentence}`);
  describe.skip(`${name} [${sentence}]`, body);
}
