import type { Application, Framework } from './application.js';
import { asText, type Code } from './read-use.js';
import type { Route } from '../policy/routes.js';

/** The module of the guard. It exports a promise, so that it is the same for ES modules and CommonJS. */
export function guardText({ framework, esm, typescript, login }: Application, origin: string): string {
  const names = ['agentsFromFile', 'auditFile', 'cedarFromDirectory', 'createGuard'];
  const imported = typescript
    ? // `import { type Guard }` needs TypeScript 4.5.
      `import { ${names.join(', ')} } from '@countersign/core';\nimport type { Guard } from '@countersign/core';`
    : esm
      ? `import { ${names.join(', ')} } from '@countersign/core';`
      : `const { ${names.join(', ')} } = require('@countersign/core');`;
  const traffic =
    login === undefined
      ? "  // Every request must be signed by an agent. If people call this API too: traffic: 'mixed',\n"
      : `  traffic: 'mixed', // people sign in with ${login}, agents sign their requests\n`;
  const untilIssuers =
    login === undefined
      ? 'Agents act for themselves until an issuer of tokens is trusted'
      : 'The policies permit agents to act for users only, by the tokens of an issuer that is trusted here';
  const isNest = framework === 'nestjs';
  const create = `${isNest ? 'export async function createAppGuard' : 'async function create'}()${typescript ? ': Promise<Guard>' : ''} {
  // The paths begin at the folder in which the process is started.
  return await createGuard({
    origin: '${origin}',
    agents: await agentsFromFile('agents.json'),
    policy: await cedarFromDirectory('policies'),
    audit: auditFile('audit'),
  ${traffic}    // ${untilIssuers}: issuers: [{ issuer: 'https://id.acme.dev' }],
  });
}
`;
  const exported = typescript
    ? 'export const guard: Promise<Guard> = create();'
    : esm
      ? 'export const guard = create();'
      : 'exports.guard = create();';
  // Its module creates it, and closes it with the application.
  if (isNest) return `${imported}\n\n${create}`;
  return `${imported}\n\n${create}\n// Close it when the process ends: server.close(), await (await guard).close(), which seals the log, then process.exit().\n${exported}\n`;
}

const parameterOf: Readonly<Record<Framework, string>> = {
  express: 'req',
  fastify: 'request',
  koa: 'ctx',
  nestjs: 'request',
};

/** How a handler uses the parameters of its path; undefined if the id has no part of that name. */
export type Conversions = (name: string) => Code | undefined;

/** The permit of a route. Its resource is made of the parameters of the path, as far and as the handler uses them. */
export function permitText(route: Route, framework: Framework, conversions?: Conversions): string {
  const name = framework === 'nestjs' ? '@Permit' : 'permit';
  return `${name}('${route.action}', ${resourceText(route, framework, conversions)})`;
}

/** The same for the `config` of a route of Fastify. */
export function permitObjectText(route: Route, framework: Framework, conversions?: Conversions): string {
  return `{ action: '${route.action}', resource: ${resourceText(route, framework, conversions)} }`;
}

function resourceText({ resource, path }: Route, framework: Framework, conversions?: Conversions): string {
  const names = parametersOf(path);
  const by = parameterOf[framework];
  const values = names.flatMap((name) => {
    const code = conversions === undefined ? asText : conversions(name);
    return code?.replace('$', () => `${by}.params['${name}']`) ?? [];
  });
  const id = values.length === 1 ? values[0] : `\`${values.map((value) => `\${${value}}`).join('/')}\``;
  const type = `type: '${resource}'`;
  return names.length === 0 ? `{ ${type}, id: '*' }` : `(${by}) => ({ ${type}, id: ${id} })`;
}

export function parametersOf(path: string): readonly string[] {
  return [...path.matchAll(/[:*](\w+)/g)].map(([, name = '']) => name);
}

/** The parameters that an address may lack: `/:id{/:extra}`, `/:extra?`. */
export function optionalIn(path: string): ReadonlySet<string> {
  const optional = new Set<string>();
  let depth = 0;
  let last = '';
  for (const [token, name] of path.matchAll(/[:*](\w+)|[{}()]|(?<=[\w)])[?*]/g)) {
    if (/[{(]/.test(token)) depth += 1;
    else if (/[})]/.test(token)) depth -= 1;
    else if (name === undefined) optional.add(last);
    else {
      last = name;
      if (depth > 0) optional.add(name);
    }
  }
  return optional;
}
