import { type Expected, Telling, type Terminal } from '@countersign/example-stage';
import type { World } from './world.js';

/** One request, sent to the application on every platform. */
interface Scene {
  readonly title: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** The sender. Default: the agent, with the scope for releases that user_123 delegated. */
  readonly sender?: Sender;
  readonly expected: Expected;
}

/** Like `fetch`, for a URL. */
type Send = (url: string, init: Init) => Promise<Response>;
type Sender = (world: World) => Promise<Send>;

interface Init {
  readonly method: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

const release = { version: '4.2.0' };

const scenes: readonly Scene[] = [
  {
    title: 'The agent makes a release for user_123',
    method: 'POST',
    path: '/shop/releases',
    expected: { status: 201 },
  },
  {
    title: 'Nobody signed: no parser sees the body',
    method: 'POST',
    path: '/shop/releases',
    sender: async () => fetch,
    expected: { status: 401, code: 'signature_required' },
  },
  {
    title: 'The body is not the one that was signed',
    method: 'POST',
    path: '/shop/releases',
    sender: altering('4.2.0', '6.6.6'),
    expected: { status: 401, code: 'digest_mismatch' },
  },
  {
    title: 'The user delegated less than @Permit requires',
    method: 'POST',
    path: '/shop/releases',
    sender: delegated('release:read'),
    expected: { status: 403, code: 'insufficient_scope' },
  },
  {
    title: 'Policy permits releases of the shop, and not of the bank',
    method: 'POST',
    path: '/bank/releases',
    expected: { status: 403, code: 'policy_denied' },
  },
  {
    title: 'A method without @Permit is closed',
    method: 'DELETE',
    path: '/shop/releases',
    expected: { status: 403, code: 'route_unmapped' },
  },
  {
    title: 'An unverified client does not learn which routes exist',
    method: 'GET',
    path: '/nowhere',
    sender: async () => fetch,
    expected: { status: 401, code: 'signature_required' },
  },
  {
    title: 'What came of it',
    method: 'GET',
    path: '/shop/releases',
    expected: { status: 200 },
  },
];

/**
 * Plays the scenes on every platform and tells them. The answers must be the same on each, refusals to the byte.
 *
 * @throws UnexpectedTurn when a response is not the expected one.
 */
export async function tellStory(worlds: readonly World[], terminal: Terminal): Promise<void> {
  const telling = new Telling(terminal);
  terminal.line(terminal.bold('Countersign on NestJS: one application, on Express and on Fastify'));
  for (const scene of scenes) await playScene(scene, worlds, telling);
  await askByDecoratorOfExpress(worlds, telling);

  const refused = scenes.flatMap(({ expected: { code } }) => code ?? []);
  for (const world of worlds) {
    const recorded = world.recorded().slice(0, refused.length);
    telling.insist(String(recorded) === String(refused), `every refusal in the log on ${world.platform}`);
  }
}

async function playScene(scene: Scene, worlds: readonly World[], telling: Telling): Promise<void> {
  telling.scene(scene.title);
  const answers = new Set<string>();
  for (const world of worlds) {
    const response = await send(world, scene);
    if (scene.expected.code !== undefined) answers.add(await bytesOf(response.clone()));
    const { platform } = world;
    const body = await telling.answer(`${platform.padEnd(7)} ${scene.method} ${scene.path}`, response, scene.expected);
    if (response.ok) answers.add(JSON.stringify(body));
  }
  const [answer = ''] = answers;
  telling.insist(answers.size === 1, `one answer on every platform, got ${[...answers].join(' and ')}`);
  if (scene.expected.code === undefined) telling.note('both', answer);
}

async function askByDecoratorOfExpress([express]: readonly World[], telling: Telling): Promise<void> {
  if (express === undefined) return;
  telling.scene('On Express, a method may also carry the @Permit of @countersign/express');
  for (const [service, expected] of [
    ['shop', { status: 200 }],
    ['bank', { status: 403, code: 'policy_denied' }],
  ] as const) {
    const scene = { title: '', method: 'GET', path: `/${service}/latest`, expected } as const;
    await telling.answer(`express GET ${scene.path}`, await send(express, scene), expected);
  }
}

async function send(world: World, { method, path, sender = delegated('release:create') }: Scene): Promise<Response> {
  const sendAs = await sender(world);
  const headers = { 'content-type': 'application/json' };
  const init = method === 'POST' ? { method, headers, body: JSON.stringify(release) } : { method };
  return sendAs(world.origin + path, init);
}

/** The agent, with the delegation of user_123. */
function delegated(scope: string): Sender {
  return async (world) => (await world.forUser(scope)).fetch;
}

/** The agent, and an attacker in transit who changes the body. */
function altering(text: string, replacement: string): Sender {
  return async ({ agent }) =>
    async (url, { body = '', ...init }) => {
      const { headers } = await agent.signRequest({ url, body, ...init });
      return fetch(url, { ...init, headers, body: body.replace(text, replacement) });
    };
}

/** A refusal as a client sees it, without the parts that change with time. */
async function bytesOf(response: Response): Promise<string> {
  const fields = ['content-type', 'content-length', 'cache-control', 'www-authenticate', 'accept-signature'];
  return [response.status, ...fields.map((name) => response.headers.get(name)), await response.text()].join('\n');
}
