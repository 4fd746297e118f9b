import { guidePage } from '../../guide-page.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { countText } from '../policy/lines.js';
import { type Route, scopeOf } from '../policy/routes.js';
import type { Application, Framework } from './application.js';
import { type Edits, guardByHand } from './edits.js';
import type { Plan } from './files.js';
import { openHandlers } from './open-handlers.js';
import type { FoundRoute } from './find-routes.js';
import { unreadPlaces } from './route-places.js';
import type { Foreign } from './foreign.js';
import { idsBeside } from './ids-beside.js';
import { firstTestCommand, firstTestPath } from './first-test.js';
import { looksLikeLogin } from './suggest.js';
import { type Choice, closeThem, declarationsOf, notClosed, routesFile } from './routes-file.js';
import { shownPlace, type Source } from './sources.js';
import { warningsOf } from './warnings.js';

export interface Result {
  readonly folder: string;
  readonly application: Application;
  readonly sources: readonly Source[];
  readonly found: readonly FoundRoute[];
  readonly foreign: Foreign;
  readonly choice: Choice;
  readonly plan: Plan;
  readonly edits: Edits;
  readonly guardPath: string;
  /** Undefined if nothing is to change. */
  readonly diffFile: string | undefined;
  readonly origin: string;
  /** The first agent. */
  readonly id: string;
}

/** Says what was written, what a person has to look at, and what comes next. */
export function report(result: Result, io: Io): void {
  const { plan, application, choice, found } = result;
  for (const path of plan.kept) io.err(`kept    ${printable(path)}\n`);
  for (const { path, isSecret } of plan.files) {
    io.err(`written ${path}${isSecret === true ? ' (mode 0600; keep it secret)' : ''}\n`);
  }
  const { framework } = application;
  const open = choice.routes.length;
  io.err(`\n${countText(found.length, 'route')} of ${framework} found. ${countText(open, 'route')} `);
  io.err(`${open === 1 ? 'is' : 'are'} for agents, all other routes stay closed to them: choose in ${routesFile}.\n`);
  if (found.length === 0 && open === 0) {
    io.err(`List your routes there, one METHOD /path a line with the prefixes of routers, and run init again.\n`);
  }
  io.err(`${peopleText(result)}\n`);
  for (const line of toDo(result)) io.err(`${printable(line)}\n`);
  const { folder } = result;
  io.err(`Next${folder === '.' ? '' : `, in ${printable(folder)}`}:\n`);
  for (const step of steps(result)) io.err(`  ${printable(step)}\n`);
  io.err('Undo: git apply -R of each diff that you applied, then countersign init --undo\n');
}

function peopleText({ application: { login, hasUsers }, guardPath, found }: Result): string {
  if (login !== undefined) {
    return `People sign in with ${login}: the guard leaves them to it, and agents act for a user only.`;
  }
  const rest = 'agents act for a user only';
  if (hasUsers) return `${guardPath} says traffic: 'mixed': the guard leaves people to your login, and ${rest}.`;
  const likely = found.filter(looksLikeLogin).slice(0, mostPlaces);
  const places = likely.map(({ method, listed, where }) => `${method} ${listed} (${where})`).join(', ');
  const guess = likely.length === 0 ? '' : ` ${places} ${likely.length === 1 ? 'looks' : 'look'} like one.`;
  const advice = `set traffic: 'mixed' in ${guardPath} and run init again: the policies then ask for a user`;
  return `No login is known here: the guard refuses people.${guess} If people call this API, ${advice}.`;
}

function toDo(result: Result): readonly string[] {
  const { application, sources, found, choice, plan, edits } = result;
  const { framework, hasUsers } = application;
  const health = found.filter(({ path }) => /health|ready|live|metrics/.test(path));
  const permits = permitsIn(sources);
  const byHand = [
    ...edits.byHand.map(
      ({ method, path, where, problem }) =>
        `${method} ${path} in ${where}${problem === undefined ? '' : ` (${problem})`}`,
    ),
    ...choice.elsewhere
      .filter(({ action }) => !permits.some((permit) => permit.action === action))
      .map((route) => `${route.method} ${route.path} ${declaredIn(declarationsOf(route, found))}`),
  ];
  const actions = new Set(choice.routes.map(({ action }) => action));
  const isTheirs = plan.kept.includes('policies/');
  const stale = isTheirs ? [] : permits.filter(({ action }) => !actions.has(action));
  return [
    ...application.tooOld.map((what) => `package.json names ${what}.`),
    ...guardAdvice(result),
    ...mountedIn(edits),
    ...byHand.map((route) => `Put a permit by hand: ${route}`),
    ...idsBeside(choice.declared),
    ...(plan.ungranted.length === 0
      ? []
      : [`agents.json is kept. Give an agent the scopes of the routes that it needs: ${plan.ungranted.join(', ')}.`]),
    ...(plan.lacking.length === 0
      ? []
      : [`policies/ was changed and is kept. Add to its schema and policies: ${plan.lacking.join(', ')}.`]),
    ...(plan.permitsNobodys
      ? ['policies/ was changed and is kept. It permits agents that act for nobody: add context has onBehalfOf.']
      : []),
    ...stale.map(({ action, file }) => `${file} asks for ${action}, which is in no policy now: remove that permit.`),
    ...(!hasUsers ? health.map(({ method, path }) => `${method} ${path} ${healthAdvice(framework)}`) : []),
    ...unreadIn(result),
    ...foreignIn(result),
    ...openIn(result),
    ...warningsOf(sources, found),
  ];
}

const mostPlaces = 5;

function unreadIn({ application, sources, found, foreign }: Result): readonly string[] {
  const places = application.framework === 'nestjs' ? [] : unreadPlaces(sources, found, foreign);
  if (places.length === 0) return [];
  return [
    `${countText(places.length, 'place')} like a route cannot be read, and what is there stays closed: ${shortened(places)}. Add such routes to ${routesFile}.`,
  ];
}

function shortened(places: readonly string[]): string {
  return `${places.slice(0, mostPlaces).join(', ')}${places.length > mostPlaces ? ' and more' : ''}`;
}

function foreignIn({ choice: { foreign } }: Result): readonly string[] {
  return foreign.length === 0 ? [] : [`${notClosed}: ${shortened(foreign)}. ${closeThem} ${guidePage('placement')}`];
}

function openIn({ sources, application, foreign }: Result): readonly string[] {
  const places = openHandlers(sources, application.framework, foreign);
  if (places.length === 0) return [];
  const permit = "permit('x.use', { type: 'Path', id: '/x' })";
  return [
    `Open to every verified agent, because these are no routes: ${places.join(', ')}.`,
    `  Put a permit before each handler, as in use('/x', ${permit}, handler), which only policy opens. Without a path it would meet every request. What strangers may reach goes before the guard: ${guidePage('placement')}`,
  ];
}

/** Where a person has to put the guard, and what to write there. */
function guardAdvice({ application, edits, guardPath }: Result): readonly string[] {
  const { unguarded, hasGuard } = edits;
  if (hasGuard && unguarded.length === 0) return [];
  const places = unguarded.map(({ source, at }) => shownPlace(source, at)).join(', ');
  if (hasGuard)
    return [
      `${places} create applications: each that agents may call needs the guard. The routes of one without it do not stay closed.`,
    ];
  const code = guardByHand(unguarded[0]?.source, application, guardPath);
  const what =
    application.framework === 'nestjs'
      ? 'No file has the root module in a way that is known here: put the guard into its imports by hand'
      : unguarded.length === 0
        ? 'No file creates the application in a way that is known here: put the guard there by hand, before parsers and routes'
        : unguarded.length === 1
          ? `${places} creates the application where init places no guard: put it behind by hand, before parsers and routes`
          : `${places} create several applications: put the guard by hand into each that agents may call, before parsers and routes`;
  return [`${what}. The diff has no permits before, because they would refuse people, too:`, ...code.map(indented)];
}

function mountedIn({ mounted }: Edits): readonly string[] {
  const places = mounted.map(({ source, at, by }) => `${shownPlace(source, at)} (in ${by.join(', ')})`);
  return places.length === 0
    ? []
    : [`Mounted by another application, whose guard covers its routes, too: ${places.join(', ')}.`];
}

function indented(line: string): string {
  return `    ${line}`;
}

function declaredIn(declarations: readonly FoundRoute[]): string {
  if (declarations.length === 0) return '(it was not found in the source)';
  return `(declared in ${declarations.map(({ where }) => where).join(', ')})`;
}

function healthAdvice(framework: Framework): string {
  if (framework !== 'nestjs') return 'stays open only before agentAuth(guard): move it there.';
  return `needs a signature, too, unless people call this API: ${guidePage('nestjs')}`;
}

function permitsIn(sources: readonly Source[]): readonly { readonly action: string; readonly file: string }[] {
  return sources.flatMap(({ path, text }) =>
    [...text.matchAll(/\b[pP]ermit\(\s*['"]([^'"\n]+)['"]/g)].map(([, action = '']) => ({ action, file: path })),
  );
}

function steps(result: Result): readonly string[] {
  const { application, choice, plan, edits, diffFile } = result;
  const { framework, adapters } = application;
  const hasTest = plan.files.some(({ path }) => path === firstTestPath(application));
  return [
    ...installStep(application, '', ['@countersign/core', ...adapters]),
    ...(hasTest ? [...installStep(application, '-D ', ['@countersign/testing']), firstTestCommand(application)] : []),
    ...(diffFile === undefined ? [] : [`git apply ${diffFile}`]),
    ...(edits.hasGuard ? [] : ['put the guard where this says above, and run init again: it prints the permits']),
    ...(framework === 'nestjs' ? [`give your tests a guard of their own: ${guidePage('nestjs')}`] : []),
    ...(choice.routes.length > 0 && !edits.hasGuard
      ? []
      : choice.routes.length === 0
        ? [`choose routes for agents in ${routesFile}, then run init again`]
        : callSteps(result)),
  ];
}

function installStep({ install, packages }: Application, flag: string, wanted: readonly string[]): readonly string[] {
  const missing = wanted.filter((name) => !packages.includes(name));
  return missing.length === 0 ? [] : [`${install} ${flag}${missing.join(' ')}`];
}

function callSteps({ application: { login, hasUsers }, sources, choice, origin, id }: Result): readonly string[] {
  const isWhole = choice.declared.every(({ isMountRead }) => isMountRead);
  // NestJS puts them before the paths of controllers.
  const isPrefixed = sources.some(({ text }) => /\.(?:setGlobalPrefix|enableVersioning)\(/.test(text));
  const hint = isPrefixed
    ? ' (with the global prefix and the version before the path)'
    : isWhole
      ? ''
      : ' (with the prefix of its router before the path)';
  const send = `start your application, then send a signed request${hint}:`;
  const curl = `npx @countersign/cli curl GET ${origin}${firstPath(choice)} --key agent.pem`;
  if (!hasUsers) return [send, curl];
  return [
    `let ${login ?? 'your login'} skip agents; until then it answers them with its own 401: ${guidePage(loginPage(login ?? ''))}`,
    `npx @countersign/cli token --user ID --agent ${id} --scope ${firstScope(choice)} --audience ${origin} > token.jwt (it prints lines for the guard, for development only; ${guidePage('tokens')} says more)`,
    send,
    `${curl} --token @token.jwt`,
  ];
}

function loginPage(login: string): string {
  if (login.includes('passport')) return 'adopt-login-passport';
  return login.includes('session') ? 'adopt-login-sessions' : 'adopt-login';
}

function firstScope(choice: Choice): string {
  const route = firstRoute(choice) ?? choice.routes[0];
  return route === undefined ? 'SCOPE' : scopeOf(route);
}

function firstRoute({ routes }: Choice): Route | undefined {
  const reading = routes.filter(({ method }) => method === 'GET');
  return reading.find((route) => !route.path.includes(':')) ?? reading[0];
}

function firstPath(choice: Choice): string {
  const { path } = firstRoute(choice) ?? { path: '/' };
  return path.replaceAll(/[:*](\w+)/g, '1');
}
