/**
 * Interruption: waiting that ends when the run is to end.
 * @module
 */

/** What `promise` gives, or 'aborted' as soon as `stop` is; then nobody waits for the promise. */
export function unlessAborted<T>(
  stop: AbortSignal | undefined,
  promise: Promise<T>,
): Promise<T | 'aborted'> {
  if (stop === undefined) return promise;
  if (stop.aborted) {
    promise.catch(() => {});
    return Promise.resolve('aborted');
  }
  return new Promise((resolve, reject) => {
    const end = (): void => resolve('aborted');
    stop.addEventListener('abort', end, { once: true });
    promise.then(resolve, reject).finally(() => stop.removeEventListener('abort', end));
  });
}
