import { randomUUID, sign } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type TrustDomain, trustDomain } from '../../../../test/support/trust-domain.js';
import type { AuthorityOptions, WorkloadRule } from '../../src/index.js';
import { type RunningAuthority, startAuthority } from './authority.js';
import { type AgentKey, newKey, type TokenAnswer } from './client.js';

export const rules: readonly WorkloadRule[] = [
  { id: 'spiffe://example.org/agent/reviewer', capabilities: ['repo:read', 'pr:write'], tags: ['reviewers'] },
  { id: 'spiffe://example.org/ci/*', capabilities: ['repo:read'], owner: 'team:ci' },
];

export interface ProofChange {
  readonly header?: object;
  readonly claims?: object;
}

export interface WorkloadWorld {
  readonly running: RunningAuthority;
  readonly domain: TrustDomain;
  /** Posts a form as a workload; `change` replaces parameters and headers. */
  post(path: string, parameters: Readonly<Record<string, string>>, change?: PostChange): Promise<Response>;
  token(path: string, parameters?: Readonly<Record<string, string>>, change?: PostChange): Promise<TokenAnswer>;
}

interface PostChange {
  readonly key?: AgentKey;
  readonly svid?: string;
  readonly endpoint?: string;
  readonly proof?: ProofChange;
  readonly headers?: Readonly<Record<string, string>>;
  readonly parameters?: Readonly<Record<string, string>>;
}

/** A DPoP proof of a key, for a POST to a URL. */
export function keyProof(url: string, key: AgentKey, { header, claims }: ProofChange = {}): string {
  const parts = [
    { typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.jwk, ...header },
    { htm: 'POST', htu: url, jti: randomUUID(), iat: Math.floor(Date.now() / 1000), ...claims },
  ];
  const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`;
}

/** An authority that trusts a trust domain. */
export async function startWithWorkloads(
  options: Partial<AuthorityOptions> & { readonly bundle?: object } = {},
): Promise<WorkloadWorld> {
  const domain = trustDomain();
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'bundle.json');
  await writeFile(file, JSON.stringify(domain.bundle()));
  const spiffe = { trustDomains: { 'example.org': { file } }, workloads: rules };
  const running = await startAuthority({ spiffe, ...options });
  const ownKey = newKey();

  const world: WorkloadWorld = {
    running,
    domain,
    async post(path, parameters, change = {}) {
      const { key = ownKey, endpoint = '/token', proof, headers } = change;
      const url = running.issuer + endpoint;
      return await fetch(url, {
        method: 'POST',
        headers: { dpop: keyProof(url, key, proof), ...headers },
        body: new URLSearchParams({
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe',
          client_assertion: change.svid ?? domain.jwtSvid(path, running.issuer),
          ...parameters,
          ...change.parameters,
        }),
      });
    },
    async token(path, parameters = {}, change = {}) {
      const response = await world.post(path, { grant_type: 'client_credentials', ...parameters }, change);
      return (await response.json()) as TokenAnswer;
    },
  };
  return world;
}
