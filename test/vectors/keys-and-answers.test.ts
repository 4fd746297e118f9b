import { createAgent, KeyError, loadAgentKey } from '@countersign/agent';
import { expect, it } from 'vitest';
import { replayUnknown } from './make/answers.js';
import { keyVectors } from './make/keys.js';
import { agentKeyOf, api } from './make/principals.js';

interface KeyFile {
  readonly keys: readonly (Readonly<Record<'name' | 'seed' | 'secretKey' | 'pem' | 'pemWithPublicKey', string>> & {
    readonly jwk: object;
    readonly thumbprint: string;
  })[];
  readonly refused: readonly { readonly name: string; readonly input: string }[];
}

const { keys, refused } = keyVectors() as KeyFile;

it.each(keys)('the key of the $name is one key in every form', (one) => {
  const forms = [one.seed, one.secretKey, one.pem, one.pemWithPublicKey, JSON.stringify(one.jwk)];
  for (const form of forms) expect(loadAgentKey(form).thumbprint).toBe(one.thumbprint);
});

it.each(refused)('no key is read from $name', ({ input }) => {
  expect(() => loadAgentKey(input)).toThrow(KeyError);
});

it.each(replayUnknown)('after $name the agent signs anew, or not', async (one) => {
  const { status = 503, type = 'application/problem+json', retryAfter = '0' } = one;
  let sent = 0;
  const agent = await createAgent({
    id: 'a',
    key: agentKeyOf('runner'),
    fetch: () => {
      sent += 1;
      const headers = { 'content-type': type, 'retry-after': retryAfter };
      const refused = new Response(one.body ?? '{"code":"replay_unknown"}', { status, headers });
      return Promise.resolve(sent === 1 ? refused : new Response('ok'));
    },
  });
  await agent.fetch(api);
  expect(sent).toBe(one.waitSeconds === null ? 1 : 2);
});
