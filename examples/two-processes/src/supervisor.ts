import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ApiSettings } from './api.js';

/** Runs processes of the API, and starts one again that has crashed. */
export interface Supervisor {
  /** The ports of the processes that listen, by slot. */
  readonly ports: ReadonlyMap<number, number>;
  readonly slots: readonly number[];
  start(slot: number): Promise<void>;
  /** Crashes a process. It is started again, with its slot. */
  crash(slot: number): Promise<void>;
  /** Resolves once all slots listen. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

export function createSupervisor(settings: Omit<ApiSettings, 'slot'>): Supervisor {
  const ports = new Map<number, number>();
  const children = new Map<number, ChildProcess>();
  const starting = new Map<number, Promise<void>>();
  let isStopped = false;

  async function launch(slot: number): Promise<void> {
    const program = fileURLToPath(new URL('api.js', import.meta.url));
    const child = fork(program, [JSON.stringify({ ...settings, slot })]);
    children.set(slot, child);
    child.once('exit', () => {
      ports.delete(slot);
      if (!isStopped) starting.set(slot, launch(slot));
    });
    const [{ port }] = (await once(child, 'message')) as [{ readonly port: number }];
    ports.set(slot, port);
  }

  return {
    ports,
    get slots() {
      return [...starting.keys()];
    },
    async start(slot) {
      starting.set(slot, launch(slot));
      await starting.get(slot);
    },
    async crash(slot) {
      const child = children.get(slot);
      if (child === undefined) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    async ready() {
      await Promise.all(starting.values());
    },
    async stop() {
      isStopped = true;
      for (const child of children.values()) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const exited = once(child, 'exit');
        child.disconnect();
        await exited;
      }
    },
  };
}
