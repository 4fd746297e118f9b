import { readFile } from 'node:fs/promises';
import { cedarFromText, type PolicyEngine } from '@countersign/core';
import { opaServer, opaWasm } from '@countersign/opa';

const read = (name: string) => readFile(new URL(`../policies/${name}`, import.meta.url));

/** `policy.wasm` was made from `authz.rego`; a server has to hold that file itself. */
export async function opa(server: string | undefined): Promise<PolicyEngine> {
  if (server !== undefined) return opaServer({ url: server, path: 'agent/authz/allow' });
  return opaWasm({ wasm: await read('policy.wasm'), entrypoint: 'agent/authz/allow' });
}

export async function cedar(): Promise<PolicyEngine> {
  const [policies, schema] = await Promise.all([read('authz.cedar'), read('schema.cedarschema')]);
  return await cedarFromText({ policies: policies.toString(), schema: schema.toString() });
}
