/**
 * The program of a rank's child process: `node rank-main.js HOST PORT`, token and name in the
 * environment, where other users of the machine do not see them.
 * @module
 */
import { serveRank } from './rank-server.ts';

const [host = '127.0.0.1', port = '0'] = process.argv.slice(2);
const { XATTN_TOKEN: token = '', XATTN_RANK_NAME: name = '' } = process.env;
try {
  await serveRank({ host, port: Number(port), token, name });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
process.exit();
