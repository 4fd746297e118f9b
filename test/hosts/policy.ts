import { type CedarEngine, cedarFromText } from '@countersign/core';
import type { HostConfig } from './config.js';

const engines = new Map<string, Promise<CedarEngine>>();

/** Hosts of one process with the same policies share one engine, because reading policies dominates their start. */
export function policyOf({ policies, schema }: HostConfig): Promise<CedarEngine> {
  const key = JSON.stringify([policies, schema]);
  const engine = engines.get(key) ?? cedarFromText({ policies, ...(schema === undefined ? {} : { schema }) });
  engines.set(key, engine);
  return engine;
}
