/**
 * A thread of the kernels: takes units of each task it is told until none is left, and keeps nothing.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { fileStorage } from '../../files/stored-file.ts';
import { collect } from './collect.ts';
import { serve, type ThreadMessage } from './threads.ts';

parentPort?.on('message', (message: ThreadMessage) => {
  try {
    serve(message, fileStorage);
  } catch (error) {
    // The main thread has been told by the counters; it is waiting and reads no messages.
    console.error(error);
  }
  // On a turn of its own: only then has the message itself been let go.
  setImmediate(collect);
});
