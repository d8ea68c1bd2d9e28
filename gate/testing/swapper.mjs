/**
 * A candidate that turns its first question folder, or the folder around it, into a link to elsewhere,
 * and tells in its log what of the host it can reach. It declines every case.
 * Usage: swapper.mjs folder|parent TARGET SOCKET
 */
import { closeSync, constants, existsSync, openSync, renameSync, symlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';

const [manner, target, socket] = process.argv.slice(2);
console.log('{"xattn":1,"name":"swapper","supports":["forward","f32","gqa"],"profile":"f32"}');

function attempt(name, act) {
  try {
    console.error(`${name}: ${act()}`);
  } catch (error) {
    console.error(`${name}: ${error.code}`);
  }
}

function look() {
  attempt('socket', () => existsSync(socket));
  attempt('core_pattern', () =>
    closeSync(openSync('/proc/sys/kernel/core_pattern', constants.O_WRONLY)),
  );
  attempt('run', () => existsSync('/run/lock'));
}

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line).case;
  if (count++ === 0) {
    const at = manner === 'folder' ? asked : dirname(asked);
    attempt('swap', () => {
      renameSync(at, manner === 'folder' ? `${at}-away` : `${process.env.TMPDIR}/away`);
      symlinkSync(target, at);
      return 'done';
    });
    look();
    console.log('{"case":"none","status":"ok"}');
    continue;
  }
  console.log(JSON.stringify({ case: asked, status: 'unsupported' }));
}
