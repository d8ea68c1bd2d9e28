/**
 * Collects this thread's garbage on demand. Node's alone.
 *
 * A thread that waits allocates nothing, so its garbage would stay; and that may be its handles to
 * the tensors of its last task, which keep their memory for everybody.
 * @module
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// Only contexts made from now on see the function. The flag is all threads', so nobody takes it back.
setFlagsFromString('--expose-gc');

export const collect = runInNewContext('gc') as () => void;
