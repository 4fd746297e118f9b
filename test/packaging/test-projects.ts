import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { link, root } from '../support/workspace.js';

const policies = `
@id("create") permit(principal, action == Action::"pr.create", resource)
when { context has onBehalfOf && context.scope.contains("pr:write:draft") };
`;

const commonJsApp = `
const express = require('express');
const { agentAuth, permit } = require('@countersign/express');
exports.createApp = (guard) => {
  const app = express();
  app.use(agentAuth(guard), express.json());
  app.post('/prs', permit('pr.create', { type: 'Repo', id: 'acme/api' }), (request, response) => {
    response.status(201).json(request.body);
  });
  return app;
};
`;

/** The guard is a promise there, as in the guide. */
const commonJsMain = `
const { createAgent, generateAgentKey } = require('@countersign/agent');
const { agentsFromObjects, cedarFromDirectory, createGuard, memoryAudit } = require('@countersign/core');
const { once } = require('node:events');
const { createServer } = require('node:http');
const { createApp } = require('./app');

const key = generateAgentKey();

async function create(origin) {
  return await createGuard({
    origin,
    agents: agentsFromObjects([key.registration('agent-courier', ['pr:write:draft'])]),
    policy: await cedarFromDirectory('commonjs/policies'),
    audit: memoryAudit(),
  });
}

async function main() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = 'http://127.0.0.1:' + server.address().port;
  const guard = create(origin);
  server.on('request', createApp(guard));
  const agent = await createAgent({ id: 'agent-courier', key });
  const response = await agent.fetch(origin + '/prs', { method: 'POST' });
  console.log(response.status, (await response.json()).by);
  const refused = await fetch(origin + '/prs', { method: 'POST' });
  console.log(refused.status, (await refused.json()).code);
  server.close();
  server.closeAllConnections();
  await guard.then((created) => created.close());
}
void main();
`;

const commonJsServed = `
const express = require('express');
const { agentAuth, permit } = require('@countersign/express');
exports.createApp = (guard) => {
  const app = express();
  app.use(agentAuth(guard));
  app.post('/prs', permit('pr.create', { type: 'Repo', id: 'acme/api' }), (req, res) => {
    res.status(201).json({ by: req.caller.actor.id });
  });
  return app;
};
`;

const jestTest = `
const request = require('supertest');
const { assertRecorded, testKit } = require('@countersign/testing');
const { createApp } = require('./app');

const pr = { title: 'Fix' };
let t, app, bot, alice;
beforeAll(async () => {
  t = await testKit({ policy: 'policies' });
  app = createApp(t.guard);
  bot = t.agent('bot', { capabilities: ['pr:write:draft'] });
  alice = bot.onBehalfOf('alice');
});
afterAll(() => t.close());

test('supertest', async () => {
  await alice.supertest(request(app).post('/prs').send(pr)).expect(201, pr);
  expect(t.audit).toHaveRecorded({ actor: 'bot', subject: 'alice', decision: 'allow' });
  expect(await bot.supertest(request(app).post('/prs').send(pr))).toBeRefusedWith('policy_denied');
});
test('fetch', async () => {
  const response = await alice.fetch(app, '/prs', { method: 'POST', body: pr });
  expect([response.status, await response.json()]).toEqual([201, pr]);
  await assertRecorded(t.audit, { subject: 'alice', outcome: 'finished' });
});
test('attacks', async () => {
  for (const { send, code } of t.attacks.for(alice, { method: 'POST', path: '/prs', body: pr })) {
    expect(await send(app)).toBeRefusedWith(code);
  }
});
test('a second guard on one audit folder fails with a message that says so', async () => {
  const { auditFile } = require('@countersign/core');
  const folder = require('node:fs').mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'audit-'));
  const first = auditFile(folder);
  expect(() => auditFile(folder)).toThrow('is written already, by this process');
  await first.close();
});
test('a module that exports the promise of a guard', async () => {
  const response = await alice.fetch(createApp(Promise.resolve(t.guard)), '/prs', { method: 'POST', body: pr });
  expect(response.status).toBe(201);
});
`;

const vitestTest = `
import request from 'supertest';
import { testKit, type TestApp } from '@countersign/testing';
import { expect, test } from 'vitest';
import { createApp } from './app.cjs';

const t = await testKit({ policy: 'policies' });
const app: TestApp = createApp(t.guard);
const pr = { title: 'Fix' };
const alice = t.agent('bot', { capabilities: ['pr:write:draft'] }).onBehalfOf('alice');

test('supertest', async () => {
  await alice.supertest(request(app as never).post('/prs').send(pr)).expect(201, pr);
  expect(t.audit).toHaveRecorded({ actor: 'bot', subject: 'alice', decision: 'allow' });
});
test.each(t.attacks.for(alice, { method: 'POST', path: '/prs', body: pr }))('refuses: $name', async ({ send, code }) => {
  expect(await send(app)).toBeRefusedWith(code);
});
test('a token that has expired', async () => {
  t.clock.advance(600);
  expect(await alice.fetch(app, '/prs', { method: 'POST', body: pr })).toBeRefusedWith('token_expired');
});
`;

const nodeTest = `
import { test } from 'node:test';
import { assertRecorded, assertRefused, testKit } from '@countersign/testing';
import { createApp } from './app.cjs';

test('the kit in node:test', async () => {
  const t = await testKit({ policy: 'policies' });
  const response = await t.agent('bot').fetch(createApp(t.guard), '/prs', { method: 'POST', body: {} });
  await assertRefused(response, 'policy_denied');
  await assertRecorded(t.audit, { actor: 'bot', decision: 'deny' });
  await t.close();
});
`;

/** Makes the projects `commonjs`, `jest`, `vitest` and `node` of users in an application that has our packages. */
export async function makeTestProjects(application: string): Promise<void> {
  const tools = ['express', 'jest', 'jest29', 'supertest', '@swc/core', '@swc/jest'];
  for (const name of tools) await link(join(root, 'test/node_modules', name), join(application, 'node_modules'), name);
  await link(join(root, 'node_modules/vitest'), join(application, 'node_modules'), 'vitest');
  const files = {
    'commonjs/package.json': '{}',
    'commonjs/app.js': commonJsServed,
    'commonjs/main.js': commonJsMain,
    'commonjs/policies/prs.cedar': 'permit(principal, action == Action::"pr.create", resource);',
    'jest/package.json': '{}',
    'jest/jest.config.js': `${await jestRecipe()}
      module.exports.setupFilesAfterEnv = ['@countersign/testing/jest'];`,
    'jest/app.js': commonJsApp,
    'jest/prs.test.js': jestTest,
    'vitest/package.json': '{"type":"module"}',
    'vitest/vitest.config.js': `export default { test: { setupFiles: ['@countersign/testing/vitest'] } };`,
    'vitest/app.cjs': commonJsApp,
    'vitest/prs.test.ts': vitestTest,
    'node/package.json': '{"type":"module"}',
    'node/app.cjs': commonJsApp,
    'node/prs.test.js': nodeTest,
  };
  const policyFiles = ['jest', 'vitest', 'node'].map((name) => [`${name}/policies/prs.cedar`, policies]);
  for (const [file, text] of [...Object.entries(files), ...policyFiles] as [string, string][]) {
    await mkdir(dirname(join(application, file)), { recursive: true });
    await writeFile(join(application, file), text);
  }
}

/** The configuration that the guide gives. */
async function jestRecipe(): Promise<string> {
  const guide = await readFile(join(root, 'docs/guides/commonjs-and-jest.md'), 'utf8');
  const recipe = /```js\n(const swc = .*?)```/s.exec(guide)?.[1];
  if (recipe === undefined) throw new Error('commonjs-and-jest.md has no configuration for Jest');
  return recipe;
}
