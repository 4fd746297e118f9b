import type { GuardOptions } from './guard-options.js';
import { readOptions, type Settings } from './options.js';

/**
 * Reads the options. If one is wrong, what the others have opened is closed, as `Guard.close` would: the folder of an
 * audit log would stay locked otherwise, and a corrected start in the same process be refused.
 */
export async function readOrRelease(options: GuardOptions): Promise<Settings> {
  try {
    return readOptions(options);
  } catch (error) {
    await Promise.allSettled(partsOf(options).map(close));
    throw error;
  }
}

/** Unchecked: a part may be anything. */
function partsOf(options: Partial<GuardOptions> | null): unknown[] {
  const { agents, policy, audit, revocations } = options ?? {};
  return [agents, policy, revocations, audit].flat();
}

async function close(part: unknown): Promise<void> {
  const { close: closing } = (part ?? {}) as { readonly close?: unknown };
  if (typeof closing === 'function') await closing.call(part);
}
