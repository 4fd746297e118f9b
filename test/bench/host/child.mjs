// A child process that answers one message with one message.
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** `quiet`: its standard error is dropped; for a program that is known to abort. */
export function startChild(file, args = [], { quiet = false } = {}) {
  const child = fork(file, args, { stdio: ['ignore', 'inherit', quiet ? 'ignore' : 'inherit', 'ipc'] });
  const exited = once(child, 'exit').then(([code, signal]) => ({ died: signal ?? code }));

  let last = Promise.resolve();

  async function answer() {
    const stop = new AbortController();
    const message = once(child, 'message', { signal: stop.signal }).then(([value]) => value);
    message.catch(() => {});
    const first = await Promise.race([message, exited]);
    stop.abort();
    if (first.died !== undefined) throw new Error(`${args.join(' ')} ended: ${first.died}`);
    if (first.error !== undefined) throw new Error(first.error);
    return first;
  }

  return {
    answer,
    /** One question after the other, so that each gets its own answer. */
    ask(message) {
      const asked = last.then(() => {
        const answered = answer();
        if (child.connected) child.send(message, () => {});
        return answered;
      });
      last = asked.catch(() => {});
      return asked;
    },
    /** The signal or code with which it has ended, or ends within a moment: what broke its connections. */
    died: async (milliseconds = 1000) =>
      (await Promise.race([exited, new Promise((resolve) => setTimeout(resolve, milliseconds, {}).unref())])).died,
    async stop() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
