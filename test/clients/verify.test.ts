import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { run } from '../support/run.js';
import { agentNames, ids, keyOf, now } from '../vectors/make/principals.js';
import { requestCases, signCase } from '../vectors/make/requests.js';

// Starts a program that imports the built packages.
it('the verifier of the clients accepts what is right, and nothing else', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-verify-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const cases = requestCases.filter(({ name }) => name !== 'an approval');
  const lines: object[] = [
    {
      origins: [...new Set(cases.map(({ url }) => new URL(url).origin))],
      audience: 'https://api.acme.dev',
      agents: agentNames.map((name) => ({
        id: ids[name],
        publicKey: keyOf(name).publicBase64,
        capabilities: ['repo', 'pr'],
      })),
      issuers: [{ issuer: 'https://id.acme.dev', jwks: { keys: [{ ...keyOf('issuer').publicJwk, kid: 'issuer-1' }] } }],
      now: now + 30,
    },
  ];
  for (const one of cases) {
    const { target, headers } = await signCase(one);
    const request = { method: one.method, target, headers: [['Host', one.authority], ...headers] };
    lines.push({ ...request, body: one.body.toString('base64') });
  }
  lines.push({ ...lines.at(-1), target: '/changed' });
  const file = join(folder, 'requests.jsonl');
  await writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  const { stdout, stderr } = await run(process.execPath, [join(import.meta.dirname, 'verify.mjs'), file]);
  expect(stderr).toBe('');
  const refused = [{ at: cases.length, code: 'signature_invalid' }];
  expect(JSON.parse(stdout)).toEqual({ accepted: cases.length, refused });
});
