import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { OneTimeProof } from '@countersign/core';
import { key, send, signed } from '../support/guarded.js';
import type { RawRequest } from '../support/signed-request.js';

/** Where a process finds the store: the URL of Redis, or the connection to Postgres. */
export type StorePlace = { readonly redis: string } | { readonly postgres: object };

/** A process of its own, with a store of its own over a shared server. */
export interface Reserver {
  /** What the store answered for each proof; `rejected` if it could not answer. */
  reserve(proofs: readonly OneTimeProof[]): Promise<readonly string[]>;
  kill(): Promise<void>;
}

export async function startReserver(place: StorePlace): Promise<Reserver> {
  const { child } = await startProcess('reserver.mjs', place);
  let last = 0;
  return {
    async reserve(proofs) {
      const id = `${last++}`;
      return (await ask(child, { id, proofs })) ?? proofs.map(() => 'rejected');
    },
    kill: () => killed(child),
  };
}

/** A guarded API in a process of its own. */
export interface Api {
  /** A request that is signed now. */
  sign(): RawRequest;
  /** The status of the answer. */
  send(request: RawRequest): Promise<number>;
  /** Revokes the agent that signs, from this process. */
  revoke(): Promise<void>;
  restore(): Promise<void>;
  stop(): Promise<void>;
}

export async function startApi(place: StorePlace): Promise<Api> {
  const { child, ready } = await startProcess('api.mjs', { place, publicKey: key.publicBase64 });
  const url = `http://127.0.0.1:${ready[0] ?? ''}`;
  let last = 0;
  const change = async (what: string): Promise<void> => void (await ask(child, { id: `${last++}`, what }));
  return {
    sign: () => signed(),
    send: async (request) => (await send(url, request)).status,
    revoke: () => change('revoke'),
    restore: () => change('restore'),
    stop: () => killed(child),
  };
}

async function startProcess(
  name: string,
  settings: object,
): Promise<{ readonly child: ChildProcess; readonly ready: readonly string[] }> {
  const child = fork(new URL(name, import.meta.url), [JSON.stringify(settings)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    // Not the conditions of the test: a program runs what is built.
    execArgv: [],
  });
  const ready = await answerTo(child, 'ready');
  if (ready === undefined) throw new Error('a process of the test did not start');
  return { child, ready };
}

async function ask(
  child: ChildProcess,
  message: { readonly id: string; readonly [name: string]: unknown },
): Promise<readonly string[] | undefined> {
  const answer = answerTo(child, message.id);
  // Nobody hears it any more; the answer says so.
  if (child.connected) child.send(message);
  return await answer;
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

interface Message {
  readonly id: string;
  readonly results?: readonly string[];
}

/** Undefined if the process ends first. */
async function answerTo(child: ChildProcess, id: string): Promise<readonly string[] | undefined> {
  if (child.exitCode !== null || child.signalCode !== null) return undefined;
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
    agent: `agent-${index % 10}`,
    keyId: `key-${index % 10}`,
    nonce: randomBytes(16).toString('base64url'),
    created: Math.floor(now),
    until: now + 65,
    now,
  }));
}
