import { type AgentErrorCode, AgentError, createAgent, type Signer } from '@countersign/agent';
import { mintLink, parentHash } from '@countersign/delegation';
import { describe, expect, it } from 'vitest';
import { bundleCases } from './make/bundles.js';
import { claimsOf, type LinkCase, linkCasesUnlawful, linkVectorsLawful } from './make/links.js';
import { agentKeyOf, type AgentName, ids, now } from './make/principals.js';

async function agentAt(name: AgentName, at: number, keyName: AgentName = name) {
  return await createAgent({ id: ids[name], key: agentKeyOf(keyName), clock: () => at * 1000 });
}

async function holder({ delegator, token, links, now: at }: LinkCase): Promise<Signer> {
  const agent = await agentAt(delegator, at);
  if (links.length > 0) return agent.accept({ version: 1, ...(token !== undefined && { token }), links });
  return token === undefined ? agent : agent.withToken(token);
}

async function codeOf(call: () => unknown): Promise<AgentErrorCode | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (error instanceof AgentError) return error.code;
    throw error;
  }
}

describe.each(linkVectorsLawful())('the link: $name', (one) => {
  const { delegator, delegate, options, token, links, jti } = one;
  const parent = links.at(-1) ?? token;

  it('is what mintLink makes of the same options', async () => {
    const { aud = '', exp = 0 } = claimsOf(one.link);
    const minted = await mintLink({
      delegator: ids[delegator],
      signer: agentKeyOf(delegator),
      delegate,
      ...(parent !== undefined && { parent }),
      scope: options.scope,
      audience: aud,
      lifetimeSeconds: exp - one.now,
      now: one.now,
      ...(options.authorizationDetails !== undefined && { authorizationDetails: options.authorizationDetails }),
      ...(options.maxHops !== undefined && { maxHops: options.maxHops }),
      ...(options.keyId !== undefined && { delegateKeyThumbprint: options.keyId }),
      id: jti,
    });
    expect(claimsOf(minted)).toEqual(claimsOf(one.link));
    expect(minted.split('.')[0]).toBe(one.link.split('.')[0]);
    expect(parentHash(one.link)).toBe(one.pth);
  });

  it('has the claims that an agent gives it', async () => {
    const bundle = await (await holder(one)).delegate(delegate, options);
    expect(bundle.token).toBe(token);
    expect(bundle.links.slice(0, -1)).toEqual(links);
    expect(claimsOf(bundle.links.at(-1) ?? '')).toEqual({
      ...claimsOf(one.link),
      jti: expect.any(String) as unknown,
    });
  });
});

it.each(linkCasesUnlawful())('no agent signs: $name [C6]', async (one) => {
  const signer = await holder(one);
  expect(await codeOf(() => signer.delegate(one.delegate, one.options))).toBe('delegation_impossible');
});

it.each(bundleCases)('a bundle: $name', async ({ recipient, now: at, bundle, accepted }) => {
  const agent = await agentAt(recipient, at);
  expect(await codeOf(() => agent.accept(bundle as never))).toBe(accepted ? undefined : 'bundle_invalid');
});

it('a bundle for another key of the same agent is not accepted', async () => {
  const bound = linkVectorsLawful().find(({ name }) => name === 'bound to one key');
  const agent = await agentAt('runner', now + 20, 'crawler');
  const bundle = { version: 1, token: bound?.token ?? '', links: [bound?.link ?? ''] } as const;
  expect(await codeOf(() => agent.accept(bundle))).toBe('bundle_invalid');
});
