import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, run, read, path } = inFolder();

const app = (routes: string): string => `const app = express();\napp.get('/notes', list);\n${routes}`;

describe('init says that the guard refuses people where it knows no login', () => {
  it.each([
    ["app.post('/account/login', login);", ' POST /account/login (app.js:3) looks like one.'],
    ["app.post('/users/sign_in', login);", ' POST /users/sign_in (app.js:3) looks like one.'],
    ["app.post('/auth/:provider', login);", ' POST /auth/:provider (app.js:3) looks like one.'],
    [
      "app.post('/signIn', login);\napp.post('/sessions', create);",
      ' POST /signIn (app.js:3), POST /sessions (app.js:4) look like one.',
    ],
    ["app.get('/login', page);\napp.post('/login-hints', hint);\napp.post('/device-tokens', add);", ''],
  ])('%s', async (routes, guess) => {
    await put({ 'package.json': manifest('express'), 'app.js': app(routes) });
    expect((await init()).err).toContain(
      `No login is known here: the guard refuses people.${guess} If people call this API, set traffic: 'mixed' in guard.js and run init again: the policies then ask for a user.\n`,
    );
  });

  it('and not where it knows one', async () => {
    await put({ 'package.json': manifest('express', 'jsonwebtoken'), 'app.js': app("app.post('/login', login);") });
    expect((await init()).err).not.toContain('No login is known');
  });
});

const mixed = async (): Promise<void> => {
  const text = await read('guard.js');
  await put({ 'guard.js': text.replace('origin:', "traffic: 'mixed',\n    origin:") });
};

describe('init run again after a person has made the guard expect people', () => {
  const files = { 'package.json': manifest('express'), 'app.js': app('') };

  it('writes policies, cases and a test for agents that act for a user', async () => {
    await put(files);
    await init();
    expect(await read('policies/policies.cedar')).not.toContain('onBehalfOf');
    await mixed();
    const { err } = await init();
    expect(err).toContain(
      "guard.js says traffic: 'mixed': the guard leaves people to your login, and agents act for a user only.\n",
    );
    expect(err).not.toContain('No login is known');
    expect(err).toContain('  let your login skip agents; until then it answers them with its own 401: ');
    expect(err).toContain('npx @countersign/cli token --user ID');
    expect(await read('policies/policies.cedar')).toContain('context has onBehalfOf');
    expect(await read('test/agents.test.mjs')).toContain(".onBehalfOf('a-user')");
    expect((await run('policy', 'test', path('policies'))).code).toBe(0);
  });

  it.each(["// traffic: 'mixed',", "/* traffic: 'mixed', */", "traffic: 'agents',"])(
    'and not after: %s',
    async (line) => {
      await put(files);
      await init();
      await put({ 'guard.js': (await read('guard.js')).replace('origin:', `${line}\n    origin:`) });
      expect((await init()).err).toContain('No login is known');
      expect(await read('policies/policies.cedar')).not.toContain('onBehalfOf');
    },
  );

  it('says that policies which it keeps ask for no user', async () => {
    await put(files);
    await init();
    await mixed();
    await put({ 'policies/policies.cedar': `${await read('policies/policies.cedar')}// mine\n` });
    const warning =
      'policies/ was changed and is kept. It permits agents that act for nobody: add context has onBehalfOf.\n';
    expect((await init()).err).toContain(warning);
    await put({ 'policies/more.cedar': '// context has onBehalfOf\n' });
    expect((await init()).err).not.toContain(warning);
  });
});
