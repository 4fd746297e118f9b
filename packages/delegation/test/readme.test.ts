import { readFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { delegationRefusals } from '../src/index.js';
import { accept, delegate, mayWrite } from './readme-example.js';
import { NOW, OTHER_THUMBPRINT, RFC8037_THUMBPRINT } from './support.js';

const readLocal = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const readme = readLocal('../README.md');

describe('the README', () => {
  it('shows the example that is compiled and run here', () => {
    const source = readLocal('readme-example.ts').replace('../src/index.js', '@countersign/delegation');
    expect(readme).toContain(`\`\`\`ts\n${source}\`\`\``);
  });

  it('has an example that does what it says', async () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const payload = decodeJwt(await delegate(privateKey, RFC8037_THUMBPRINT, NOW));
    const acting = accept(payload, RFC8037_THUMBPRINT, NOW);
    if (!acting.ok) throw new Error(acting.code);
    expect(acting.chain.map((hop) => hop.id)).toEqual(['user_123', 'agent-code-reviewer-01']);
    expect(acting.effectiveScope).toEqual(['pr:write:draft', 'repo:read']);
    expect(mayWrite(acting)).toBe(false);
    expect(accept(payload, OTHER_THUMBPRINT, NOW)).toMatchObject({ code: 'confirmation_mismatch' });
    expect(accept(payload, RFC8037_THUMBPRINT, NOW + 305)).toMatchObject({ code: 'token_expired' });
  });

  it('lists every refusal', () => {
    const rows = Object.entries(delegationRefusals).map(([code, detail]) => `- \`${code}\`: ${detail}`);
    expect(readme).toContain(rows.join('\n'));
  });
});
