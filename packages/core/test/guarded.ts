import { createHash, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { nativeSigningKey, signMessage } from '@countersign/signature';
import { memoryAudit, type MemoryAudit } from '@countersign/audit';
import { bufferedBody } from '../src/stages/body/buffered-body.js';
import type { Caller } from '../src/model/caller.js';
import { createGuard, type Guard } from '../src/guard.js';
import type { HttpRequest } from '../src/model/request.js';
import { agentsFromObjects } from '../src/keys/agents-from-objects.js';
import type { AgentDirectory } from '../src/keys/directory.js';
import type { GuardOptions } from '../src/options/guard-options.js';
import type { PolicyDecision, PolicyEngine } from '@countersign/policy';
import { keyPair } from './stages/chain/link-keys.js';
import { jws, newIssuerKey } from './stages/token/tokens.js';

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const { x = '' } = publicKey.export({ format: 'jwk' });
export const keyId: string = createHash('sha256')
  .update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)
  .digest('base64url');
const agent = { id: 'agent-a', jwk: { kty: 'OKP', crv: 'Ed25519', x }, capabilities: ['thing'], roles: ['reader'] };
const other = keyPair();
/** `agent-b` can delegate to `agent-a`. */
const delegator = { id: 'agent-b', jwk: other.jwk, capabilities: ['thing'], roles: ['orchestrator'] };
export const registrations = [agent, delegator] as const;
export const agents: AgentDirectory = agentsFromObjects(registrations);

export const allow: PolicyDecision = {
  decision: 'allow',
  cause: 'policy',
  policies: ['p#1'],
  policySet: 'hash',
  errors: [],
};
export const engine = (decide: PolicyEngine['decide']): PolicyEngine => ({ scopeVocabulary: [], decide });
export const permission = { action: 'thing.read', resource: { type: 'Thing', id: '1' } } as const;

const issuerKey = newIssuerKey('EdDSA', { kid: 'k' });
const issuers = [{ issuer: 'https://id.acme.dev', jwks: { keys: [issuerKey.jwk] } }];

/** A guard with one agent and a policy that allows everything. */
export async function guarded(options: Partial<GuardOptions> = {}): Promise<{ guard: Guard; audit: MemoryAudit }> {
  const audit = memoryAudit();
  const policy = engine(() => allow);
  const guard = await createGuard({
    origin: 'https://api.acme.dev',
    agents,
    issuers,
    policy,
    audit,
    onTrouble: () => {},
    ...options,
  });
  return { guard, audit };
}

/** With claims, the agent acts by a token of the issuer's; for `agent-b`, by a link of that agent's. */
export async function signedRequest(
  claims?: object | 'agent-b',
  more: Partial<HttpRequest> = {},
  created: number = Math.floor(Date.now() / 1000),
  key: { readonly privateKey: KeyObject; readonly keyId: string } = { privateKey, keyId },
): Promise<HttpRequest> {
  const [name, value] = claims === 'agent-b' ? ['agent-delegation', link()] : ['authorization', bearer(claims)];
  const authorization = claims === undefined ? [] : [name, value];
  const message = {
    method: 'GET',
    target: '/',
    scheme: 'https',
    authority: 'api.acme.dev',
    rawFields: authorization,
  } as const;
  const covered = claims === undefined ? [] : [name];
  const signed = await signMessage(message, {
    key: nativeSigningKey(key.privateKey, { keyId: key.keyId }),
    components: ['@method', '@authority', '@path', '@query', ...covered],
    parameters: { created, nonce: randomUUID(), tag: 'countersign' },
  });
  const signature = ['signature-input', signed.signatureInput, 'signature', signed.signature];
  const rawHeaders = ['host', 'api.acme.dev', ...authorization, ...signature];
  return { method: 'GET', target: '/', rawHeaders, body: bufferedBody(new Uint8Array()), ...more };
}

function link(): string {
  const iat = Math.floor(Date.now() / 1000);
  const handedOn = { iss: 'agent-b', sub: 'agent-a', aud: 'https://api.acme.dev', scope: 'thing', jti: randomUUID() };
  const header = { typ: 'delegation+jwt', alg: 'EdDSA', kid: other.thumbprint };
  return jws(header, { ...handedOn, iat, exp: iat + 60 }, { alg: 'EdDSA', privateKey: other.privateKey });
}

function bearer(claims: object | undefined): string {
  const now = Math.floor(Date.now() / 1000);
  const whole = {
    iss: 'https://id.acme.dev',
    sub: 'user_123',
    aud: 'https://api.acme.dev',
    iat: now,
    exp: now + 300,
    jti: randomUUID(),
    client_id: 'agent-a',
    scope: 'thing',
    act: { sub: 'agent-a' },
    ...claims,
  };
  return `Bearer ${jws({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k' }, whole, issuerKey)}`;
}

export async function letIn(guard: Guard, claims?: object | 'agent-b'): Promise<Caller> {
  return await letInBy(guard, await signedRequest(claims));
}

/** The caller of a request of `agent-b`, for itself. */
export async function letInDelegator(guard: Guard): Promise<Caller> {
  const key = { privateKey: other.privateKey, keyId: other.thumbprint };
  return await letInBy(guard, await signedRequest(undefined, {}, Math.floor(Date.now() / 1000), key));
}

async function letInBy(guard: Guard, request: HttpRequest): Promise<Caller> {
  const answer = await guard.authenticate(request);
  if (!answer.ok || answer.caller === undefined) throw new Error(`not let in: ${JSON.stringify(answer)}`);
  return answer.caller;
}
