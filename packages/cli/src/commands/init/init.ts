import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generateAgentKey } from '@countersign/agent';
import { cedarFromText } from '@countersign/core';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { countText } from '../policy/lines.js';
import { withCliErrors } from '../policy/load.js';
import { readRoutes, type Route, scopeOf } from '../policy/routes.js';
import { scaffold } from '../policy/scaffold.js';
import { writePrivateFile } from '../private-file.js';
import { type Application, exists, readApplication } from './application.js';
import { unifiedDiff } from './diff.js';
import { findCreation, planEdits } from './edits.js';
import { firstTestCommand, firstTestPath, firstTestText, routeToTest } from './first-test.js';
import { type FoundRoute, findRoutes, isForPeople } from './find-routes.js';
import { readSources, type Source } from './sources.js';
import { guardText } from './texts.js';
import { ownFolder, remember, undo } from './written.js';

export interface InitOptions {
  readonly origin: string;
  readonly id: string;
  readonly framework?: string;
  readonly routes?: string;
  readonly undo: boolean;
}

const diffFile = `${ownFolder}/init.diff`;
const ignoredLines = ['/agent.pem', '/audit/', `/${ownFolder}/`];

/** Puts a guard into an application: writes what is new, and prints the diff of what is there. */
export async function init(folder: string, options: InitOptions, io: Io): Promise<void> {
  if (options.undo) return await undoInit(folder, io);
  const application = await readApplication(folder, options.framework);
  const sources = await readSources(folder);
  const all = findRoutes(sources, application.framework);
  const found = all.filter((route) => !isForPeople(route));
  const routes = await routesFor(options, found);
  const guardPath = `${sources.some(({ path }) => path.startsWith('src/')) ? 'src/' : ''}guard.${application.typescript ? 'ts' : 'js'}`;
  const kept = (await exists(join(folder, 'policies'))) ? 'policies/' : undefined;
  const files = await filesFor(application, options, kept === undefined ? routes : [], guardPath);
  if (kept !== undefined) io.err(`kept    ${kept}\n`);

  const written: string[] = [];
  for (const [path, text] of Object.entries(files)) if (await writeNew(folder, path, text, io)) written.push(path);
  if (await writeAgent(folder, options.id, routes, io)) written.push('agents.json', 'agent.pem');
  const ignored = await ignore(folder);
  await remember(folder, written, ignored);

  const edits = planEdits(sources, found, application, guardPath);
  const diff = unifiedDiff(edits);
  if (diff !== '') await writeFile(join(folder, diffFile), diff);
  io.out(diff);
  for (const { method, path } of all.filter(isForPeople)) {
    io.err(`closed  ${printable(`${method} ${path}`)}: agents get nothing that people sign in with\n`);
  }
  const test = written.includes(firstTestPath(application)) ? firstTestCommand(application) : undefined;
  report({ application, sources, found, diff, test, folder }, options, io);
}

async function undoInit(folder: string, io: Io): Promise<void> {
  const user = (await readSources(folder)).find(({ text }) => text.includes('agentAuth'));
  if (user !== undefined) {
    throw new CliError(`${user.path} still uses the guard. First: git apply -R ${diffFile}`);
  }
  const { removed, kept } = await undo(folder);
  for (const path of removed) io.err(`removed ${printable(path)}\n`);
  for (const path of kept) io.err(`kept ${printable(path)}: it was changed since\n`);
  if (removed.length + kept.length === 0) io.err('There is nothing that an init wrote.\n');
}

async function routesFor({ routes: file }: InitOptions, found: readonly FoundRoute[]): Promise<readonly Route[]> {
  if (file !== undefined) return readRoutes(await readFile(file, 'utf8'), file);
  return found;
}

async function filesFor(
  application: Application,
  { origin }: InitOptions,
  routes: readonly Route[],
  guardPath: string,
): Promise<Readonly<Record<string, string>>> {
  if (!/^https?:\/\/[\w.:[\]-]+$/.test(origin)) {
    throw new CliError('--origin must be like http://localhost:3000, without a path', exitCodes.usage);
  }
  const guard = { [guardPath]: guardText(application, origin) };
  if (routes.length === 0) return guard;
  const made = scaffold(routes);
  const tested = routeToTest(routes);
  const { 'policies.cedar': policies = '', 'schema.cedarschema': schema = '' } = made;
  // Before anything is written: the name of a type may be reserved in Cedar.
  await withCliErrors(() => cedarFromText({ policies, schema }));
  return {
    ...guard,
    ...Object.fromEntries(Object.entries(made).map(([name, text]) => [`policies/${name}`, text])),
    ...(tested && { [firstTestPath(application)]: firstTestText(tested, application) }),
  };
}

/** Nothing that is there is replaced. */
async function writeNew(folder: string, path: string, text: string, io: Io): Promise<boolean> {
  try {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    io.err(`kept    ${path}\n`);
    return false;
  }
  io.err(`written ${path}\n`);
  return true;
}

/** The first agent may do all that the policies permit, so that a first call works; narrow it then. */
async function writeAgent(folder: string, id: string, routes: readonly Route[], io: Io): Promise<boolean> {
  if ((await exists(join(folder, 'agents.json'))) || (await exists(join(folder, 'agent.pem')))) {
    io.err('kept    agents.json, agent.pem\n');
    return false;
  }
  const key = generateAgentKey();
  const scopes = [...new Set(routes.map(scopeOf))];
  const entry = { ...key.registration(id, scopes), roles: ['reader', 'writer'] };
  await writePrivateFile(join(folder, 'agent.pem'), key.exportPem(), { overwrite: false, holds: 'the key in it' });
  await writeFile(join(folder, 'agents.json'), `${JSON.stringify([entry], null, 2)}\n`, { flag: 'wx' });
  io.err('written agents.json, agent.pem (mode 0600; keep it secret)\n');
  return true;
}

/** Resolves to the lines that were added. */
async function ignore(folder: string): Promise<readonly string[]> {
  const path = join(folder, '.gitignore');
  const text = await readFile(path, 'utf8').catch(() => '');
  const present = text.split(/\r?\n/).map((line) => line.trim());
  const missing = ignoredLines.filter((line) => !present.includes(line));
  if (missing.length === 0) return [];
  await writeFile(path, `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${missing.join('\n')}\n`);
  return missing;
}

interface Result {
  readonly application: Application;
  readonly sources: readonly Source[];
  readonly found: readonly FoundRoute[];
  readonly diff: string;
  /** The command that runs the test that was written. */
  readonly test: string | undefined;
  readonly folder: string;
}

function report({ application, sources, found, diff, test, folder }: Result, { origin }: InitOptions, io: Io): void {
  const { framework, install, login } = application;
  const byHand = found.filter(({ place, file }) => place === undefined && !hasPermits(sources, file));
  io.err(`\n${countText(found.length, 'route')} of ${framework} found`);
  io.err(login === undefined ? '.\n' : `; people sign in with ${login}, so the guard lets them through to it.\n`);
  if (findCreation(sources, framework) === undefined) {
    io.err('No file creates the application in a way that is known here: put agentAuth(guard) there by hand.\n');
  }
  for (const { method, path, file } of byHand)
    io.err(`Put a permit by hand: ${printable(`${method} ${path} in ${file}`)}\n`);
  for (const { method, path } of found.filter(({ path }) => /health|ready|live|metrics/.test(path))) {
    if (login === undefined)
      io.err(`${printable(`${method} ${path}`)} stays open only before agentAuth(guard): move it there.\n`);
  }
  const steps = [
    `${install} @countersign/core @countersign/${framework}`,
    ...(test === undefined ? [] : [`${install} -D @countersign/testing`, test]),
    ...(diff === '' ? [] : [`git apply ${diffFile}`]),
    'start your application, then send a signed request:',
    `npx @countersign/cli curl GET ${origin}${firstPath(found)} --key agent.pem`,
  ];
  io.err(`Next${folder === '.' ? '' : `, in ${printable(folder)}`}:\n${steps.map((step) => `  ${step}\n`).join('')}`);
  io.err(`To act for users: countersign dev. Undo: git apply -R ${diffFile}, then countersign init --undo\n`);
}

function hasPermits(sources: readonly Source[], file: string): boolean {
  return sources.find(({ path }) => path === file)?.text.includes('permit(') === true;
}

function firstPath(found: readonly FoundRoute[]): string {
  const { path } = found.find(({ method }) => method === 'GET') ?? { path: '/' };
  return path.replaceAll(/[:*](\w+)/g, '1');
}
