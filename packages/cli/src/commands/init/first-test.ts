import type { Application, Framework } from './application.js';
import { importLine } from './import-lines.js';
import { isReading, type Route, scopeOf } from '../policy/routes.js';
import { parametersOf, permitText } from './texts.js';

/** NestJS gets no test: see `files.ts`. */
type Tested = Exclude<Framework, 'nestjs'>;

/** Those that every framework has a function for. */
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** The route that the first test is of: one whose path can be called as it is written, rather one that only reads. */
export function routeToTest(routes: readonly Route[]): Route | undefined {
  const plain = routes.filter(({ method, path }) => methods.includes(method) && /^\/[\w:.~/-]*$/.test(path));
  return plain.find(isReading) ?? plain[0];
}

/** Where the first test goes. Beside the sources, a compiler would take it into what is published. */
export function firstTestPath({ runner, esm, typescript }: Application): string {
  if ((runner === 'vitest' || runner === 'jest') && typescript) return 'test/agents.test.ts';
  // node:test and mocha run no TypeScript on Node 20, and vitest no `require`.
  return `test/agents.test.${esm || runner === 'jest' || isCommonMocha({ runner, typescript }) ? 'js' : 'mjs'}`;
}

function isCommonMocha({ runner, typescript }: Pick<Application, 'runner' | 'typescript'>): boolean {
  return runner === 'mocha' && !typescript;
}

const commands = { vitest: 'npx vitest run', jest: 'npx jest', mocha: 'npx mocha', node: 'node --test' } as const;

/** The command that runs it. */
export function firstTestCommand(application: Application): string {
  return `${commands[application.runner]} ${firstTestPath(application)}`;
}

/**
 * A test of one route with `@countersign/testing`. It stands on an application of its own, because this one may need a
 * database or start to listen when it is imported.
 */
export function firstTestText(route: Route, application: Application): string {
  const { runner, esm, typescript, hasUsers } = application;
  const framework = application.framework as Tested;
  const { method } = route;
  const isModule = esm || (runner === 'jest' ? typescript : !isCommonMocha(application));
  const imported = (names: readonly string[] | string, from: string): string => importLine(names, from, isModule);
  const modules = [
    imported(['equal'], 'node:assert/strict'),
    ...(runner === 'jest' || runner === 'mocha'
      ? []
      : [imported(['test'], runner === 'node' ? 'node:test' : 'vitest')]),
    imported(['assertRefused', 'testKit'], '@countersign/testing'),
    imported(['agentAuth', 'permit'], `@countersign/${framework}`),
    framework === 'fastify' ? imported(['fastify'], 'fastify') : imported(creators[framework], framework),
  ];
  const path = route.path.replaceAll(/:\w+/g, '1');
  const body = isReading(route) || method === 'DELETE' ? '' : ", body: { text: 'a test' }";
  const scope = scopeOf(route);
  const forUser = hasUsers ? ".onBehalfOf('a-user')" : '';
  // Cedar starts slower than mocha's two seconds on a busy machine.
  const start = runner === 'mocha' ? 'function () {\n  this.timeout(30_000);' : '() => {';
  return `${modules.join('\n')}

${runner === 'mocha' ? 'it' : 'test'}('${method} ${route.path} is for agents with the scope ${scope}', async ${start}
  const t = await testKit({ policy: 'policies' });
  try {
    // Replace it by your own application once a function creates it: createApp(t.guard).
${applicationText(route, framework)}
    const route = { method: '${method}', path: '${path}'${body} };
    const roles = ['reader', 'writer'];
    const able = t.agent('able', { capabilities: ['${scope}'], roles })${forUser};
    // It lacks the scope, and nothing else.
    const unable = t.agent('unable', { capabilities: ['another:scope'], roles })${forUser};

    equal((await able.fetch(app, route.path, route)).status, 204);
    await assertRefused(await unable.fetch(app, route.path, route), 'policy_denied');
    // More than forty requests that no guarded route may let in: altered, replayed, stolen, forged.
    for (const { send, code } of t.attacks.for(able, route)) await assertRefused(await send(app), code);
  } finally {
    await t.close();
  }
});
`;
}

const creators = { express: 'express', koa: 'Koa' } as const;

function applicationText(route: Route, framework: Tested): string {
  const permit = permitText(route, framework);
  const call = `app.${route.method.toLowerCase()}('${route.path}', ${permit}`;
  const lines = {
    express: [
      'const app = express();',
      'app.use(agentAuth(t.guard));',
      `${call}, (req, res) => void res.sendStatus(204));`,
    ],
    fastify: [
      'const app = fastify();',
      'await app.register(agentAuth, { guard: t.guard });',
      `${call}, async (request, reply) => reply.code(204).send());`,
    ],
    // Without a router, which a test of one route does not need.
    koa: [
      'const app = new Koa();',
      'app.use(agentAuth(t.guard));',
      `app.use(permit('${route.action}', { type: '${route.resource}', id: '${parametersOf(route.path).length === 0 ? '*' : '1'}' }));`,
      'app.use((ctx) => {',
      '  ctx.status = 204;',
      '});',
    ],
  };
  return lines[framework].map((line) => `    ${line}`).join('\n');
}
