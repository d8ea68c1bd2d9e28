/**
 * A worker thread: simulates one pass, answers with it, and ends.
 * @module
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type PassTask, simulatePass } from './pass.ts';

parentPort?.postMessage(simulatePass(workerData as PassTask));
