import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { OneTimeProof } from '@countersign/core';

/** Where a process finds the store: the URL of Redis, or the connection to Postgres. */
export type StorePlace = { readonly redis: string } | { readonly postgres: object };

/** A process of its own, with a store of its own over a shared server. */
export interface Reserver {
  /** What the store answered for each proof; `rejected` if it could not answer. */
  reserve(proofs: readonly OneTimeProof[]): Promise<readonly string[]>;
  kill(): Promise<void>;
}

export async function startReserver(place: StorePlace): Promise<Reserver> {
  const program = new URL('reserver.mjs', import.meta.url);
  const child = fork(program, [JSON.stringify(place)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Not the conditions of the test: a program runs what is built.
    execArgv: [],
  });
  if ((await answerTo(child, 'ready')) === undefined) throw new Error('a process of the test did not start');
  let last = 0;
  return {
    async reserve(proofs) {
      const id = `${last++}`;
      const answer = answerTo(child, id);
      child.send({ id, proofs });
      return (await answer) ?? proofs.map(() => 'rejected');
    },
    async kill() {
      const exited = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      child.kill('SIGKILL');
      await exited;
    },
  };
}

interface Message {
  readonly id: string;
  readonly results?: readonly string[];
}

/** Undefined if the process ends first. */
async function answerTo(child: ChildProcess, id: string): Promise<readonly string[] | undefined> {
  return await new Promise((resolve) => {
    const listener = (message: unknown) => {
      const { id: answered, results } = message as Message;
      if (answered === id) end(results);
    };
    const end = (results?: readonly string[]) => {
      child.off('message', listener);
      child.off('exit', onExit);
      resolve(results);
    };
    const onExit = () => end();
    child.on('message', listener);
    child.on('exit', onExit);
  });
}

/** As many proofs as asked for, made now. `created` has no fractions, like that of a signature. */
export function freshProofs(count: number): readonly OneTimeProof[] {
  const now = Date.now() / 1000;
  return Array.from({ length: count }, (_, index) => ({
    keyId: `key-${index % 10}`,
    nonce: randomBytes(16).toString('base64url'),
    created: Math.floor(now),
    until: now + 65,
    now,
  }));
}
