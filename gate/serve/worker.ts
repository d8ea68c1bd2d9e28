/**
 * One thread of the server: gets a request, answers it, and waits for the next.
 * @module
 */
import { parentPort } from 'node:worker_threads';
import { answerTo } from './answer.ts';
import type { JudgeRequest } from './request.ts';

parentPort?.on('message', (request: JudgeRequest) => parentPort?.postMessage(answerTo(request)));
