import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read, path } = inFolder();

const app = "const app = require('express')();\napp.get('/orders', list);\napp.post('/orders', create);\n";
const files = { 'package.json': manifest('express'), 'app.js': app };
const names = ['guard.js', 'agents.json', 'agent.pem', 'agent-routes.txt', 'policies/policies.cedar'];

async function isThere(name: string): Promise<boolean> {
  return await read(name).then(
    () => true,
    () => false,
  );
}

describe('init', () => {
  it('writes nothing when one of its files cannot be written', async () => {
    await put(files);
    // A folder where the last file of all goes.
    await mkdir(path('.countersign/init.diff'), { recursive: true });
    expect(await init()).toMatchObject({ code: 1, out: '', err: expect.stringContaining('Nothing was written.') });
    expect((await readdir(path('.'))).toSorted()).toEqual(['app.js', 'package.json']);
    // A folder where the first one goes.
    await mkdir(path('.gitignore'));
    expect(await init()).toMatchObject({ code: 1, out: '' });
    expect((await readdir(path('.'))).toSorted()).toEqual(['.gitignore', 'app.js', 'package.json']);
  });

  it('leaves the files of an earlier run as they were when a later one fails', async () => {
    await put(files);
    await init();
    const before = await Promise.all([...names, '.countersign/init.json'].map(read));
    await put({ 'agent-routes.txt': 'POST /orders order.create Order\n' });
    before[3] = await read('agent-routes.txt');
    // The last file of all cannot be replaced.
    await mkdir(path('.countersign/new'));
    expect((await init()).err).toContain('Take back what was written: countersign init --undo');
    expect(await Promise.all([...names, '.countersign/init.json'].map(read))).toEqual(before);
  });

  it('takes back a run that was killed in the middle', async () => {
    await put(files);
    await init();
    const list = JSON.parse(await read('.countersign/init.json')) as { files: Record<string, string[]> };
    // As it is while a file is replaced: what was there before counts, too, and some files do not exist yet.
    const { 'guard.js': digests = [] } = list.files;
    await put({
      '.countersign/init.json': JSON.stringify({
        ...list,
        files: { ...list.files, 'guard.js': [...digests, 'next'], 'src/guard.ts': ['never written'] },
      }),
    });
    expect((await init('--undo')).code).toBe(0);
    for (const name of names) expect(await isThere(name)).toBe(false);
  });

  it('keeps policies that a person has changed, and says what they lack', async () => {
    await put(files);
    await init();
    await writeFile(path('policies/policies.cedar'), '// mine');
    await put({ 'agent-routes.txt': 'GET /orders order.read Order\nPOST /orders order.create Order\n' });
    const { err } = await init();
    expect(err).toContain('kept    policies/\n');
    expect(err).toContain('policies/ was changed and is kept. Add to its schema and policies: order.create.');
    expect(await read('policies/policies.cedar')).toBe('// mine');
  });

  it('gives the agent the scopes of a new list, also when its key was moved away', async () => {
    await put(files);
    await init();
    await rm(path('agent.pem'));
    await put({ 'agent-routes.txt': 'POST /orders order.create Order\n' });
    expect((await init()).err).toContain('written agents.json\n');
    expect(JSON.parse(await read('agents.json'))).toMatchObject([{ capabilities: ['order:create'] }]);
    expect(await isThere('agent.pem')).toBe(false);
  });

  it('keeps agents that a person has changed, and says which scopes they lack', async () => {
    await put(files);
    await init();
    await put({
      'agents.json': '[{"capabilities": ["order:read"]}]',
      'agent-routes.txt': 'GET /orders order.read Order\nPOST /orders order.create Order\n',
    });
    const { err } = await init();
    expect(err).toContain('kept    agents.json, agent.pem\n');
    expect(err).toContain('Give an agent the scopes of the routes that it needs: order:create.\n');
  });

  it('names a permit in the source whose action is in no policy any more', async () => {
    await put({ ...files, 'old.js': "app.get('/old', permit('old.read', old), show);\n" });
    await init();
    await put({ 'agent-routes.txt': 'GET /orders order.read Order\n' });
    expect((await init()).err).toContain('old.js asks for old.read, which is in no policy now: remove that permit.');
  });

  it('keeps the diff that was applied, and undo names both', async () => {
    await put(files);
    const first = (await init()).out;
    await put({
      'app.js':
        'const auth = agentAuth(0);\n' + app.replace("'/orders', list", "'/orders', permit('order.read', order), list"),
      'agent-routes.txt': 'GET /orders order.read Order\nPOST /orders order.create Order\n',
    });
    const second = await init();
    expect(second.err).toContain('git apply .countersign/init-2.diff');
    expect(await read('.countersign/init.diff')).toBe(first);
    expect(await read('.countersign/init-2.diff')).toBe(second.out);
    expect((await init('--undo')).err).toContain(
      'git apply -R .countersign/init-2.diff && git apply -R .countersign/init.diff',
    );
  });
});
