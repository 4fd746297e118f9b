import { readFile } from 'node:fs/promises';
import { agentsFromFile, auditFile, cedarFromDirectory, createGuard, type Guard } from '@countersign/core';

export const guard: Guard = await createGuard({
  origin: 'https://api.acme.dev',
  traffic: 'mixed', // people are left to the application's own login
  agents: await agentsFromFile('agents.json'),
  issuers: [{ issuer: 'https://id.acme.dev', jwks: JSON.parse(await readFile('issuer-jwks.json', 'utf8')) }],
  policy: await cedarFromDirectory('policies'),
  audit: auditFile('audit'),
});
