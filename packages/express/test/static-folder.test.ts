import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cedarFromText } from '@countersign/core';
import express5 from 'express';
import express4 from 'express4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentAuth, permit } from '../src/index.js';
import { call, guarded } from './support.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-'));
  for (const folder of ['mine', 'other']) {
    mkdirSync(join(root, folder));
    writeFileSync(join(root, folder, 'a.txt'), folder);
  }
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** Express decodes the path of a file before it resolves dot segments. */
const waysOut = ['..%2fother', '%2e%2e%2Fother', '..%5cother', 'x/..%2f..%2fother', '..;x/other'];

function wayOut(way: string): string {
  return `/mine/${way}/a.txt`;
}

describe.each([
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
])('a static folder of %s behind the guard', (_title, express) => {
  it.each(waysOut)('is not left by %s where policy permits by path [H2]', async (way) => {
    const policies = 'permit(principal, action, resource) when { context.request.path like "/mine/*" };';
    const { guard } = await guarded({ policy: await cedarFromText({ policies }) });
    const app = express().use(agentAuth(guard, { everyRequest: true }), express.static(root));
    expect((await call(app, { target: '/mine/a.txt' })).text).toBe('mine');
    expect((await call(app, { target: '/other/a.txt' })).status).toBe(403);
    expect((await call(app, { target: `/mine/${way}/a.txt` })).body).toMatchObject({ code: 'request_malformed' });
  });

  it.each(['//other/a.txt', '/%6Fther/a.txt', '/other%2fa.txt', '//mine/../other/a.txt', ...waysOut.map(wayOut)])(
    'whose permit is in its own `use` is not read as %s [H2]',
    async (target) => {
      const policies = 'permit(principal, action, resource == Folder::"mine");';
      const { guard } = await guarded({ policy: await cedarFromText({ policies }) });
      const app = express().use(agentAuth(guard));
      for (const name of ['mine', 'other']) {
        app.use(`/${name}`, permit('file.read', { type: 'Folder', id: name }), express.static(join(root, name)));
      }
      expect((await call(app, { target: '/mine/a.txt' })).text).toBe('mine');
      expect((await call(app, { target: '/other/a.txt' })).status).toBe(403);
      expect([400, 403, 404]).toContain((await call(app, { target })).status);
    },
  );

  it.each(waysOut)('is not left by %s where a permit names the folder [H2]', async (way) => {
    const policies = 'permit(principal, action, resource == Folder::"mine");';
    const { guard } = await guarded({ policy: await cedarFromText({ policies }) });
    const folder = permit('file.read', ({ params }) => ({ type: 'Folder', id: String(params['folder']) }));
    const app = express().use(agentAuth(guard)).use('/:folder', folder).use(express.static(root));
    expect((await call(app, { target: '/mine/a.txt' })).text).toBe('mine');
    expect((await call(app, { target: '/other/a.txt' })).status).toBe(403);
    expect((await call(app, { target: `/mine/${way}/a.txt` })).body).toMatchObject({ code: 'request_malformed' });
  });
});
