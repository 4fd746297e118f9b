import { readFileSync } from 'node:fs';
import { generateKeyPairSync, sign } from 'node:crypto';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { type ActingAgent, delegationRefusals } from '../src/index.js';
import { accept, delegate, redelegate, mayRead } from './readme-example.js';
import { NOW, OTHER_THUMBPRINT, RFC8037_THUMBPRINT } from './support.js';

const readLocal = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = readLocal('../README.md');

describe('the README', () => {
  it('contains the compiled example', () => {
    const source = readLocal('readme-example.ts').replace('../src/index.js', '@countersign/delegation');
    expect(readme).toContain(`\`\`\`ts\n${source}\`\`\``);
  });

  it('has an example that runs', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const reviewer = {
      id: 'agent-code-reviewer-01',
      keyId: RFC8037_THUMBPRINT,
      capabilities: ['repo', 'pr:write'],
    } satisfies ActingAgent;
    const runner: ActingAgent = { id: 'agent-test-runner', keyId: OTHER_THUMBPRINT, capabilities: ['repo'] };
    const text = await delegate(privateKey, reviewer.keyId, NOW);
    const signer = { keyId: reviewer.keyId, sign: (bytes: Uint8Array) => sign(null, bytes, privateKey) };
    const handed = await redelegate(text, signer, NOW);
    const token = { text, payload: decodeJwt(text) };
    const link = { text: handed, payload: decodeJwt(handed), delegator: reviewer };

    const acting = accept(token, link, runner, NOW);
    if (!acting.ok) throw new Error(acting.code);
    expect(acting.chain.map((hop) => hop.id)).toEqual(['user_123', 'agent-code-reviewer-01', 'agent-test-runner']);
    expect(acting.effectiveScope).toEqual(['repo:read']);
    expect(mayRead(acting)).toBe(true);
    expect(accept(token, link, { ...runner, id: 'mallory' }, NOW)).toMatchObject({ code: 'link_delegate_mismatch' });
    expect(accept(token, link, runner, NOW + 65)).toMatchObject({ code: 'token_expired' });
  });

  it('lists every refusal', () => {
    const rows = Object.entries(delegationRefusals).map(([code, detail]) => `- \`${code}\`: ${detail}`);
    expect(readme).toContain(rows.join('\n'));
  });
});
