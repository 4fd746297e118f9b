import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cedarFromText } from '@countersign/core';
import { type Route, scopeOf } from '../policy/routes.js';
import { withCliErrors } from '../policy/load.js';
import { scaffold } from '../policy/scaffold.js';
import { agentFiles } from './agent-files.js';
import type { Application } from './application.js';
import { firstTestPath, firstTestText, routeToTest } from './first-test.js';
import { type Choice, routesFile } from './routes-file.js';
import { guardText } from './texts.js';
import { type PlannedFile, stateOf, type Written } from './written.js';

/** What to write, and what somebody else has made and keeps. */
export interface Plan {
  readonly files: readonly PlannedFile[];
  readonly kept: readonly string[];
  /** Actions of routes that the policies lack, because these are somebody else's. */
  readonly lacking: readonly string[];
  /** Whether policies of somebody else permit agents that act for nobody, though people call this API. */
  readonly permitsNobodys: boolean;
  /** Scopes of routes that no agent has, because agents.json is somebody else's. */
  readonly ungranted: readonly string[];
}

export interface FilesToPlan {
  readonly folder: string;
  readonly application: Application;
  readonly origin: string;
  readonly id: string;
  readonly choice: Choice;
  readonly guardPath: string;
  readonly written: Written;
}

/** Reads, and writes nothing. */
export async function planFiles(wanted: FilesToPlan): Promise<Plan> {
  const { folder, application, origin, id, choice, guardPath, written } = wanted;
  const { routes } = choice;
  const made = await policiesFor(routes, application);
  const foreign = await foreignPolicies(folder, written);
  const policies = await textsOfPolicies(folder);
  // A test of a controller needs the compiler of the application.
  const tested = application.framework === 'nestjs' ? undefined : routeToTest(routes);
  const testPath = firstTestPath(application);
  const agents = await agentFiles(folder, id, routes, written);

  const files: PlannedFile[] = [];
  const kept: string[] = [];
  // Its origin and options are a person's from then on, also if nobody has changed them yet.
  if ((await stateOf(folder, guardPath, written)) === 'absent') {
    files.push({ path: guardPath, text: guardText(application, origin) });
  } else kept.push(guardPath);
  if (foreign) kept.push('policies/');
  else files.push(...Object.entries(made).map(([name, text]) => ({ path: `policies/${name}`, text })));
  if ((await stateOf(folder, routesFile, written)) !== 'foreign') files.push({ path: routesFile, text: choice.text });
  if (tested !== undefined && !foreign) {
    if ((await stateOf(folder, testPath, written)) === 'foreign') kept.push(testPath);
    else files.push({ path: testPath, text: firstTestText(tested, application) });
  }
  if (agents === undefined) kept.push('agents.json, agent.pem');
  return {
    files: await changed(folder, [...files, ...(agents ?? [])]),
    kept,
    lacking: foreign ? lackingIn(policies, routes) : [],
    permitsNobodys:
      foreign &&
      application.hasUsers &&
      !policies.some(({ name, text }) => name.endsWith('.cedar') && text.includes('onBehalfOf')),
    ungranted: agents === undefined ? await ungrantedIn(folder, routes) : [],
  };
}

/** The guard starts with it; no engine starts without a policy. */
const closedPolicy = `// No route is for agents yet. init replaces this file once agent-routes.txt names one.
@id("no-route-yet")
forbid (principal, action, resource);
`;

/** The policies of the routes. They are loaded once, before anything is written. */
async function policiesFor(
  routes: readonly Route[],
  { hasUsers }: Application,
): Promise<Readonly<Record<string, string>>> {
  if (routes.length === 0) return { 'policies.cedar': closedPolicy };
  const made = scaffold(routes, hasUsers);
  const { 'policies.cedar': policies = '', 'schema.cedarschema': schema = '' } = made;
  await withCliErrors(() => cedarFromText({ policies, schema }));
  return made;
}

/** One file that a person has made or changed makes all of them a person's: they have to fit each other. */
async function foreignPolicies(folder: string, written: Written): Promise<boolean> {
  const names = await readdir(join(folder, 'policies')).catch(() => []);
  const states = await Promise.all(names.map((name) => stateOf(folder, `policies/${name}`, written)));
  return states.includes('foreign');
}

async function textsOfPolicies(folder: string): Promise<readonly { readonly name: string; readonly text: string }[]> {
  const names = await readdir(join(folder, 'policies')).catch(() => []);
  return await Promise.all(
    names.map(async (name) => ({ name, text: await readFile(join(folder, 'policies', name), 'utf8').catch(() => '') })),
  );
}

function lackingIn(
  policies: readonly { readonly name: string; readonly text: string }[],
  routes: readonly Route[],
): readonly string[] {
  const schema = policies.flatMap(({ name, text }) => (name.endsWith('.cedarschema') ? [text] : [])).join('\n');
  const actions = [...new Set(routes.map(({ action }) => action))];
  return schema === '' ? [] : actions.filter((action) => !schema.includes(`"${action}"`));
}

async function ungrantedIn(folder: string, routes: readonly Route[]): Promise<readonly string[]> {
  const text = await readFile(join(folder, 'agents.json'), 'utf8').catch(() => '');
  return [...new Set(routes.map(scopeOf))].filter((scope) => !text.includes(`"${scope}"`));
}

async function changed(folder: string, files: readonly PlannedFile[]): Promise<readonly PlannedFile[]> {
  const now = await Promise.all(files.map(({ path }) => readFile(join(folder, path), 'utf8').catch(() => undefined)));
  return files.filter(({ text }, place) => now[place] !== text);
}
