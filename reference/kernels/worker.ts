/**
 * A thread of the kernels: takes units of each task it is told until none is left.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { fileStorage } from '../stored-file.ts';
import { serve, type ThreadMessage } from './threads.ts';

parentPort?.on('message', (message: ThreadMessage) => {
  try {
    serve(message, fileStorage);
  } catch (error) {
    // The main thread has been told by the counters; it is waiting and reads no messages.
    console.error(error);
  }
});
