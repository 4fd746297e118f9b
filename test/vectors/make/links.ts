import { createHash } from 'node:crypto';
import type { AuthorizationDetail } from '@countersign/delegation';
import { agentKeyOf, type AgentName, api, ids, keyOf, now, tokenOf } from './principals.js';

/** What `delegate` of an agent is called with, and what must come of it. */
export interface LinkCase {
  readonly name: string;
  readonly delegator: AgentName;
  readonly token?: string;
  /** The links that it holds. */
  readonly links: readonly string[];
  readonly now: number;
  readonly delegate: string;
  readonly options: LinkOptions;
  readonly jti: string;
}

export interface LinkOptions {
  readonly scope: readonly string[];
  readonly ttlSeconds?: number;
  readonly audience?: string | readonly string[];
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  readonly maxHops?: number;
  readonly keyId?: string;
}

export interface LinkVector extends LinkCase {
  readonly header: string;
  readonly payload: string;
  readonly link: string;
  /** `pth` of a link that follows it. */
  readonly pth: string;
}

type Given = Omit<Partial<LinkCase>, 'options' | 'links'> & {
  readonly options?: Partial<LinkOptions>;
  /** The names of the cases before it. */
  readonly after?: readonly string[];
};

const reading: AuthorizationDetail = { type: 'Repo', identifier: 'acme/api', actions: ['repo.read'] };
const limits = [{ type: 'Repo', identifier: 'acme/api', actions: ['repo.read', 'pr.create'] }];
const limited = tokenOf({ authorization_details: limits, max_hops: 2 });

const lawful: Readonly<Record<string, Given>> = {
  'its own right': { options: { audience: api } },
  'its own right, handed on': {
    delegator: 'runner',
    delegate: ids.crawler,
    after: ['its own right'],
    now: now + 5,
    options: { ttlSeconds: 60 },
  },
  'read only, after the token': {
    token: tokenOf(),
    now: now + 10,
    jti: '0c9a3f5e-7f0e-4a51-8a0b-6f2f4f0b9d22',
  },
  'a narrower scope below the one held': {
    token: tokenOf({ scope: 'pr:write repo' }),
    options: { scope: ['pr:write:draft', 'repo:read'] },
  },
  'not longer than what is held': { token: tokenOf({ exp: now + 100 }), options: { ttlSeconds: 3600 } },
  'at two APIs': { options: { audience: [api, 'https://mcp.acme.dev'] } },
  'at one of two APIs': { token: tokenOf({ aud: [api, 'https://mcp.acme.dev'] }), options: { audience: api } },
  'the audiences of what is held': { token: tokenOf({ aud: [api, 'https://mcp.acme.dev'] }) },
  'limits of its own': { token: tokenOf(), options: { authorizationDetails: [reading] } },
  'limits within those held': { token: limited, options: { authorizationDetails: [reading], maxHops: 1 } },
  'bound to one key': { token: tokenOf(), options: { keyId: agentKeyOf('runner').keyId, maxHops: 0 } },
  'names that are not ASCII': { delegate: 'agent-übersetzer "eins"', options: { audience: api } },
  'a token about the agent itself, without a scope': {
    token: tokenOf({ sub: ids.orchestrator, act: undefined, scope: undefined, client_id: ids.orchestrator }),
    options: { scope: ['anything'] },
  },
};

const unlawful: Readonly<Record<string, Given>> = {
  'a scope that is not held': { token: tokenOf(), options: { scope: ['admin'] } },
  'a wider scope': { token: tokenOf(), options: { scope: ['repo'] } },
  'a scope that only begins alike': { token: tokenOf({ scope: 'repo:rea' }) },
  'no scope': { token: tokenOf(), options: { scope: [] } },
  'a scope with a space': { token: tokenOf(), options: { scope: ['repo:read pr:write:draft'] } },
  'a scope with an empty part': { options: { scope: ['repo::read'], audience: api } },
  'no audience anywhere': {},
  'at another API': { token: tokenOf(), options: { audience: 'https://mcp.acme.dev' } },
  'at one API more': { token: tokenOf(), options: { audience: [api, 'https://mcp.acme.dev'] } },
  'for no time': { token: tokenOf(), options: { ttlSeconds: 0 } },
  'for more than an hour': { token: tokenOf(), options: { ttlSeconds: 3601 } },
  'for part of a second': { token: tokenOf(), options: { ttlSeconds: 1.5 } },
  'what has expired': { token: tokenOf({ exp: now }) },
  'what is bound to another key': { token: tokenOf({ cnf: { jkt: agentKeyOf('runner').keyId } }) },
  'what another agent holds': {
    delegator: 'runner',
    delegate: ids.crawler,
    token: tokenOf(),
    after: ['read only, after the token'],
    options: { scope: ['pr:write:draft'] },
    now: now + 10,
  },
  'what may not be handed on': { token: tokenOf({ max_hops: 0 }) },
  'what may not be handed on again': {
    delegator: 'runner',
    delegate: ids.crawler,
    token: tokenOf(),
    after: ['bound to one key'],
  },
  'as many hops as are held': { token: limited, options: { maxHops: 2 } },
  'a part of a hop': { token: tokenOf(), options: { maxHops: 0.5 } },
  'limits of another resource': {
    token: limited,
    options: { authorizationDetails: [{ ...reading, identifier: 'acme/web' }] },
  },
  'limits of every resource': { token: limited, options: { authorizationDetails: [{ type: 'Repo' }] } },
  'limits, one of which is wider': { token: limited, options: { authorizationDetails: [reading, { type: 'Bucket' }] } },
  'limits with an unknown member': {
    token: tokenOf(),
    options: { authorizationDetails: [{ type: 'Repo', identifiers: ['acme/api'] }] },
  },
  'no limits, but a list of them': { token: tokenOf(), options: { authorizationDetails: [] } },
  'a limit with an empty list': {
    token: tokenOf(),
    options: { authorizationDetails: [{ type: 'Repo', actions: [] }] },
  },
  'to itself': { delegate: ids.orchestrator, options: { audience: api } },
  'to nobody': { delegate: '', options: { audience: api } },
  'to a name with an invisible character': { delegate: 'agent-\u200bcrawler', options: { audience: api } },
  'to a name that is not in NFC': { delegate: 'agent-u\u0308', options: { audience: api } },
  'to a name with a space at its end': { delegate: 'agent-crawler ', options: { audience: api } },
  'to an agent that acted before': { token: tokenOf({ act: { sub: ids.orchestrator, act: { sub: ids.runner } } }) },
  'to an agent that handed it on': {
    delegator: 'runner',
    delegate: ids.orchestrator,
    token: tokenOf(),
    after: ['read only, after the token'],
    now: now + 10,
  },
  'a key that is none': { token: tokenOf(), options: { keyId: 'runner' } },
  'a token that is no JWT': { token: 'opaque' },
  'a token that no API takes': { token: tokenOf({ act: 'agent-orchestrator' }) },
};

function complete(name: string, one: Given): LinkCase {
  const { options = {}, after = [], ...rest } = one;
  return {
    name,
    delegator: 'orchestrator',
    links: after.map((before) => linkVector(before).link),
    now,
    delegate: ids.runner,
    jti: `5f0c2f6e-5b0b-4a8f-9c0e-${createHash('sha256').update(name).digest('hex').slice(0, 12)}`,
    ...rest,
    options: { scope: ['repo:read'], ...options },
  };
}

/** The claims in the order in which `mintLink` writes them; a client may write them in any other. */
function payloadOf({ delegator, delegate, options, token, links, now: at, jti }: LinkCase): object {
  const parent = links.at(-1) ?? token;
  const held = parent === undefined ? {} : claimsOf(parent);
  const ttl = Math.min(options.ttlSeconds ?? 300, (held.exp ?? Infinity) - at);
  return {
    iss: ids[delegator],
    sub: delegate,
    aud: options.audience ?? held.aud,
    scope: options.scope.join(' '),
    authorization_details: options.authorizationDetails,
    iat: at,
    exp: at + ttl,
    jti,
    pth: parent === undefined ? undefined : createHash('sha256').update(parent).digest('base64url'),
    max_hops: options.maxHops,
    cnf: options.keyId === undefined ? undefined : { jkt: options.keyId },
  };
}

export function claimsOf(jwt: string): { readonly aud?: string | readonly string[]; readonly exp?: number } {
  return JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as object;
}

/** The vector of a lawful link, made by hand: the test compares it with what `mintLink` and an agent make. */
export function linkVector(name: string): LinkVector {
  const one = complete(name, lawful[name] ?? {});
  const header = JSON.stringify({ typ: 'delegation+jwt', alg: 'EdDSA', kid: keyOf(one.delegator).thumbprint });
  const payload = JSON.stringify(payloadOf(one));
  const signed = [header, payload].map((part) => Buffer.from(part).toString('base64url')).join('.');
  const link = `${signed}.${keyOf(one.delegator).sign(Buffer.from(signed)).toString('base64url')}`;
  return { ...one, header, payload, link, pth: createHash('sha256').update(link).digest('base64url') };
}

export const linkVectorsLawful = (): LinkVector[] => Object.keys(lawful).map(linkVector);
export const linkCasesUnlawful = (): LinkCase[] => Object.entries(unlawful).map(([name, one]) => complete(name, one));

/** links.json: links that an agent signs, and those that it must not sign. */
export function linkVectors(): object {
  const refused = linkCasesUnlawful().map(({ jti: _unused, ...one }) => ({ ...one, code: 'delegation_impossible' }));
  return { links: linkVectorsLawful(), refused };
}
