import { randomUUID } from 'node:crypto';
import { type Agent, type AgentPrivateKey, createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import { ConfigError, containRejection, testKeyId } from '@countersign/common';
import { createClient, type TestClient } from './clients/client.js';
import type { TestClock } from './clock.js';
import type { TestIssuer, TokenOptions } from './issuer.js';

/** An agent, for itself or for somebody. */
export interface TestCaller extends TestClient {
  /** The id of the agent. */
  readonly id: string;
  /**
   * Hands on less than it holds to another agent, which then acts in this chain.
   *
   * @example
   * const runner = alice.delegate(t.agent('runner', { capabilities: ['repo:read'] }), { scope: 'repo:read' });
   */
  delegate(to: TestAgent, options: Parameters<Signer['delegate']>[1]): TestCaller;
}

/** A registered agent with a key of its own. */
export interface TestAgent extends TestCaller {
  /** The RFC 7638 thumbprint of its key, as for `revocations.revoke({ key })`. */
  readonly keyId: string;
  /** Its entry for an `agents.json`. The key is marked, so that a guard outside the kit refuses it. */
  readonly registration: TestRegistration;
  /**
   * The same agent with a token to act for a user.
   *
   * @throws ConfigError without a scope, if the agent has no capabilities.
   */
  onBehalfOf(user: string, options?: TokenOptions): TestDelegate;
}

/** An agent that acts for a user, with a token. */
export interface TestDelegate extends TestCaller {
  /** The access token. */
  readonly token: Promise<string>;
  /** Names the delegation, as for `revocations.revoke(alice.delegation)`. */
  readonly delegation: { readonly delegation: string; readonly issuer: string };
}

export interface TestRegistration {
  readonly id: string;
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string; readonly kid: string };
  readonly capabilities: readonly string[];
  readonly roles: readonly string[];
}

/** What a caller acts with. */
export interface Held {
  readonly id: string;
  readonly key: AgentPrivateKey;
  readonly capabilities: readonly string[];
  readonly roles: readonly string[];
  readonly agent: Promise<Agent>;
  readonly signer: Promise<Signer>;
  /** The token of an agent that acts for a user, and was handed on to it by nobody. */
  readonly token: HeldToken | undefined;
  /** Whether another agent handed on to it. */
  readonly linked: boolean;
}

export interface HeldToken {
  readonly user: string;
  readonly options: TokenOptions & { readonly scope: string | readonly string[] };
  readonly text: Promise<string>;
}

/** What callers are made with. */
export interface World {
  readonly origin: string;
  readonly clock: TestClock;
  readonly issuer: TestIssuer;
}

const holdings = new WeakMap<object, Held>();

/** @throws ConfigError if it is no caller of a test kit. */
export function heldBy(caller: TestCaller, owner: string): Held {
  const held = holdings.get(caller);
  if (held !== undefined) return held;
  throw new ConfigError(`${owner}: this is no agent of a test kit. Make one with t.agent('bot', { capabilities }).`);
}

export function createTestAgent(
  world: World,
  { id, capabilities, roles }: Omit<TestRegistration, 'jwk'>,
): { readonly caller: TestAgent; readonly held: Held } {
  const { issuer, clock } = world;
  const key = generateAgentKey();
  const agent = createAgent({ id, key, clock: () => clock.now() });
  containRejection(agent);
  const held: Held = { id, key, capabilities, roles, agent, signer: agent, token: undefined, linked: false };

  function onBehalfOf(user: string, options: TokenOptions = {}): TestDelegate {
    if (options.scope === undefined && capabilities.length === 0) {
      throw new ConfigError(
        `onBehalfOf: the agent '${id}' has no capabilities, which are the default of 'scope'. Give it some, or name a scope.`,
      );
    }
    const scoped = { ...options, scope: options.scope ?? capabilities };
    const jti = randomUUID();
    const token = issuer.mint({ id: jti, user, agent: id, keyId: key.keyId, options: scoped });
    containRejection(token);
    const signer = withToken(agent, token);
    containRejection(signer);
    const caller = callerOf(world, { ...held, signer, token: { user, options: scoped, text: token } });
    const delegate = { ...caller, token, delegation: { delegation: jti, issuer: issuer.issuer } };
    return remember(delegate, caller);
  }

  const own = callerOf(world, held);
  const registration = { id, jwk: { ...key.publicJwk, kid: testKeyId }, capabilities, roles };
  return { caller: remember({ ...own, keyId: key.keyId, registration, onBehalfOf }, own), held };
}

function callerOf(world: World, held: Held): TestCaller {
  const { origin } = world;
  const client = createClient(origin, async ({ method, path, headers, body }) => {
    const signer = await held.signer;
    const url = origin + path;
    const signed = await signer.signRequest({ method, url, headers, ...(body !== undefined && { body }) });
    return { ...signed.headers, host: new URL(origin).host };
  });
  const caller: TestCaller = {
    ...client,
    id: held.id,
    delegate(to, options) {
      const other = heldBy(to, 'delegate');
      const signer = handOn(held, other, { audience: origin, ...options });
      containRejection(signer);
      return callerOf(world, { ...other, signer, token: undefined, linked: true });
    },
  };
  holdings.set(caller, held);
  return caller;
}

/** A caller with more members holds the same. */
function remember<T extends TestCaller>(made: T, caller: TestCaller): T {
  holdings.set(made, heldBy(caller, 'agent'));
  return made;
}

async function withToken(agent: Promise<Agent>, token: Promise<string>): Promise<Signer> {
  return (await agent).withToken(await token);
}

async function handOn(from: Held, to: Held, options: Parameters<Signer['delegate']>[1]): Promise<Signer> {
  const bundle = await (await from.signer).delegate(to.id, options);
  return (await to.agent).accept(bundle);
}
