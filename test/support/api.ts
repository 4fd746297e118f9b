import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalPages } from '@countersign/common';
import type { AuditRecord, RefusalCode } from '@countersign/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { HostConfig } from '../hosts/config.js';
import { type Host, type RunningHost, type StartOptions, startHost } from '../hosts/host.js';
import { hosts, nestHosts } from '../hosts/hosts.js';
import { auditRecords } from './audit-log.js';
import { Connection, type RawResponse } from './connection.js';
import { Http2Connection, sendHttp2 } from './http2.js';
import { noteRefusal, noteScenario } from './matrix.js';
import { patiently } from './patiently.js';
import {
  fieldsNamed,
  type RawRequest,
  serialized,
  type SignedRequestOptions,
  signedRequest,
} from './signed-request.js';
import { accessToken, type Claims, type TestIssuer } from './tokens.js';
import { issuer, reviewer, reviewerId, userId, worldConfig } from './world.js';

// In memory if possible, because every record is synced and disks are slow.
export const scratch: string = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

export interface ApiOptions {
  readonly config?: Partial<HostConfig>;
  readonly start?: StartOptions;
}

/** The setup of a host: the path of its mount, and whether it parses bodies. */
type Setup = Pick<HostConfig, 'mount' | 'bodyParser'>;

const usual: Setup = { mount: '', bodyParser: 'after' };
const setups: readonly Setup[] = [
  usual,
  { mount: '/api', bodyParser: 'after' },
  { mount: '', bodyParser: 'none' },
  { mount: '/api', bodyParser: 'none' },
];

/** NestJS mounts its parsers by itself, and its routes below a global prefix. */
const setupsOfNest: readonly Setup[] = [usual, { mount: '/api', bodyParser: 'after' }];

/** Runs scenarios on every host, each with its own server. For behaviour that does not depend on the framework. */
export function onEveryHost(title: string, define: (api: Api) => void, options: ApiOptions = {}): void {
  onHosts(hosts, [usual], title, define, options);
}

/** Runs scenarios on every host in every setup, for behaviour that depends on the framework. */
export function onEverySetup(title: string, define: (api: Api) => void, options: ApiOptions = {}): void {
  onHosts(hosts, setups, title, define, options);
  onHosts(nestHosts, setupsOfNest, title, define, options);
}

function onHosts(
  hosts: readonly Host[],
  on: readonly Setup[],
  title: string,
  define: (api: Api) => void,
  options: ApiOptions,
): void {
  const overHttp2 = options.start?.http2 === true;
  for (const host of hosts.filter(({ http2 }) => http2 || !overHttp2)) {
    for (const setup of on) {
      const where = [host.name, setup.mount, setup.bodyParser === 'none' ? 'no parser' : ''].filter(
        (part) => part !== '',
      );
      describe(`${title}, on ${where.join(', ')}`, () => {
        const api = new Api(host, { ...options, config: { ...setup, ...options.config } });
        beforeAll(() => api.start());
        beforeEach(({ task }) => noteScenario(task.meta, title, host.name));
        afterAll(() => api.close());
        define(api);
      });
    }
  }
}

/** One attack: its title, its request, and its expected refusal. */
export type Attack = readonly [
  title: string,
  request: () => RawRequest | Promise<RawRequest>,
  status: number,
  code: RefusalCode,
];

/** Expects each attack to be refused before its sender is authenticated. */
export function refuseEach(api: Api, attacks: readonly Attack[]): void {
  for (const [title, request, status, code] of attacks) {
    it(`refuses ${title}`, async () => {
      await api.refuses(await request(), status, code);
    });
  }
}

/** The code in the response: it never tells a client without proof of a key whether that key is known. */
function answerFor(code: RefusalCode): RefusalCode {
  return code === 'key_unknown' ? 'signature_invalid' : code;
}

export interface Exchange {
  readonly response: RawResponse;
  /** The new records of the log. */
  readonly records: readonly AuditRecord[];
}

/**
 * Where hosts listen: on Linux an address for each worker, because clients that other tests left behind still knock at
 * ports of 127.0.0.1 that were given away again, and a log would show them.
 */
const addressOfHosts = process.platform === 'linux' ? `127.0.1.${process.env['VITEST_POOL_ID'] ?? 1}` : '127.0.0.1';

/** A guarded API on a host, as its clients and its auditor see it. */
export class Api {
  readonly #host: Host;
  readonly #options: ApiOptions;
  #folder: string | undefined;
  #running: RunningHost | undefined;
  #stopped = false;

  constructor(host: Host, options: ApiOptions = {}) {
    this.#host = host;
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#folder = mkdtempSync(join(scratch, 'countersign-'));
    const start = { address: addressOfHosts, ...this.#options.start };
    this.#running = await startHost(this.#host, worldConfig(this.#folder, this.#options.config), start);
  }

  /** Stops the host; its log stays. */
  async stop(): Promise<void> {
    if (!this.#stopped) await this.#running?.close();
    this.#stopped = true;
  }

  async close(): Promise<void> {
    await this.stop();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Another server of the same host and setup, for one test. */
  async variant(options: ApiOptions): Promise<Api> {
    const { mount, bodyParser } = this;
    const api = new Api(this.#host, { ...options, config: { mount, bodyParser, ...options.config } });
    onTestFinished(() => api.close());
    await api.start();
    return api;
  }

  /** The name of the host. */
  get host(): string {
    return this.#host.name;
  }

  get mount(): string {
    return this.#options.config?.mount ?? usual.mount;
  }

  get bodyParser(): Setup['bodyParser'] {
    return this.#options.config?.bodyParser ?? usual.bodyParser;
  }

  /** The path of a route of the table on this host. */
  at(route: string): string {
    return `${this.mount}${route}`;
  }

  get running(): RunningHost {
    if (this.#running === undefined) throw new Error('the host has not been started');
    return this.#running;
  }

  get url(): string {
    return this.running.url;
  }

  get authority(): string {
    return new URL(this.url).host;
  }

  /** The audience of tokens for this API. */
  get audience(): string {
    return this.#options.config?.origin ?? this.url;
  }

  get records(): readonly AuditRecord[] {
    return auditRecords(this.running.auditFolder);
  }

  /** Resolves when the outcome is recorded, which is after the response: a test that sends by itself waits for it. */
  async recordedOutcomes(count: number, run: () => Promise<void>): Promise<void> {
    const outcomes = () => this.records.filter(({ phase }) => phase === 'outcome').length;
    const before = outcomes();
    await run();
    await vi.waitFor(() => expect(outcomes()).toBe(before + count), patiently);
  }

  get auditFolder(): string {
    return this.running.auditFolder;
  }

  /** For a test that sends by itself: the JSON of a response with status 200, after its outcome is recorded. */
  async recorded(call: () => Promise<Response>): Promise<unknown> {
    let answer: unknown;
    await this.recordedOutcomes(1, async () => {
      const response = await call();
      const text = await response.text();
      expect({ status: response.status, text }).toMatchObject({ status: 200 });
      answer = JSON.parse(text);
    });
    return answer;
  }

  /** A signed request; a target that is a path is a route below the mount. */
  signed({ target = '/whoami', ...options }: Partial<SignedRequestOptions> = {}): RawRequest {
    const below = target.startsWith('/') ? this.at(target) : target;
    return signedRequest({ key: reviewer, host: this.authority, target: below, ...options });
  }

  /** The claims of that token. */
  claims(): Claims {
    const now = Math.floor(Date.now() / 1000);
    return {
      iss: issuer.issuer,
      aud: this.audience,
      sub: userId,
      act: { sub: reviewerId },
      scope: 'pr:write:draft repo:read',
      iat: now,
      exp: now + 300,
      jti: crypto.randomUUID(),
      client_id: 'countersign-tests',
    };
  }

  /** A token with which the reviewer acts for the user. */
  token(claims: Claims = {}, header: Claims = {}, by: TestIssuer = issuer): Promise<string> {
    return accessToken(by, { ...this.claims(), iss: by.issuer, ...claims }, header);
  }

  /** The pull request that the reviewer may open for the user. */
  async pull(claims: Claims = {}, options: Partial<SignedRequestOptions> = {}): Promise<RawRequest> {
    const token = await this.token(claims);
    return this.signed({ method: 'POST', target: '/repos/acme/api/pulls', body: '{"title":"x"}', token, ...options });
  }

  connect(): Promise<Connection> {
    return Connection.open(this.url);
  }

  connectHttp2(): Promise<Http2Connection> {
    return Http2Connection.open(this.url);
  }

  async send(request: RawRequest | Buffer, method?: string): Promise<RawResponse> {
    if (this.#options.start?.http2 === true && !Buffer.isBuffer(request)) return await sendHttp2(this.url, request);
    const connection = await this.connect();
    connection.write(Buffer.isBuffer(request) ? request : serialized(request));
    const response = await connection.read({ head: (Buffer.isBuffer(request) ? method : request.method) === 'HEAD' });
    connection.destroy();
    return response;
  }

  /** Expects a request to be accepted and answered, with one recorded outcome. */
  accepts(request: RawRequest, status: number): Promise<Exchange> {
    return this.#letIn(request, 1, { result: 'finished', status });
  }

  /** Expects a verified request to be answered without a handler: no such route, or answered by the framework. */
  answers(request: RawRequest, status: unknown = expect.any(Number)): Promise<Exchange> {
    return this.#letIn(request, 0, { result: expect.stringMatching(/^(?:finished|threw)$/), status });
  }

  async #letIn(
    request: RawRequest,
    handlers: number,
    outcome: { readonly result: unknown; readonly status: unknown },
  ): Promise<Exchange> {
    const { before, handledBefore } = this.#mark();
    const response = await this.send(request);
    expect({ status: response.status, body: response.body }).toMatchObject({ status: outcome.status });
    expect(this.running.handled.length - handledBefore).toBe(handlers);
    const records = await vi.waitFor(() => {
      const gained = this.records.slice(before);
      expect(gained.at(-1)).toMatchObject({ phase: 'outcome', outcome });
      return gained;
    }, patiently);
    expect(records.filter(({ phase }) => phase === 'outcome')).toHaveLength(1);
    return { response, records };
  }

  /** Expects a refusal of an unverified sender: recorded once, with a claimed identity and no actor. */
  async refuses(
    request: RawRequest | Buffer,
    status: number,
    code: RefusalCode,
    answer: RefusalCode = answerFor(code),
  ): Promise<Exchange> {
    const exchange = await this.#refused(request, status, code, answer);
    const [record] = exchange.records;
    expect(record).toMatchObject({ phase: 'authentication', decision: 'deny', code });
    for (const name of ['actor', 'subject', 'chain', 'scope', 'action', 'resource'])
      expect(record).not.toHaveProperty(name);
    return exchange;
  }

  /** Expects a refusal of a verified sender: recorded once, as a decision. */
  async denies(request: RawRequest, status: number, code: RefusalCode, answer = code): Promise<Exchange> {
    const exchange = await this.#refused(request, status, code, answer);
    expect(exchange.records[0]).toMatchObject({
      phase: 'decision',
      decision: 'deny',
      code,
      actor: { id: expect.any(String), keyId: expect.any(String) },
      action: expect.any(String),
    });
    return exchange;
  }

  /** Expects a refusal of a verified sender on an unmapped route: recorded once, as a decision without action. */
  async closes(request: RawRequest, code: RefusalCode): Promise<Exchange> {
    const exchange = await this.#refused(request, 403, code);
    expect(exchange.records[0]).toMatchObject({ phase: 'decision', decision: 'deny', code });
    return exchange;
  }

  async #refused(
    request: RawRequest | Buffer,
    status: number,
    code: RefusalCode,
    answer: RefusalCode = code,
  ): Promise<Exchange> {
    const { before, handledBefore } = this.#mark();
    noteRefusal(code);
    const response = await this.send(request);
    const head = !Buffer.isBuffer(request) && request.method === 'HEAD';
    expect({ status: response.status, body: response.body }).toMatchObject({ status });
    if (!head) expectProblem(response, status, answer);
    expect(this.running.handled.length, 'a handler ran').toBe(handledBefore);
    const records = this.records.slice(before);
    expect(records).toHaveLength(1);
    if (!Buffer.isBuffer(request)) expectNoLeak(request, response, records);
    return { response, records };
  }

  #mark(): { before: number; handledBefore: number } {
    return { before: this.records.length, handledBefore: this.running.handled.length };
  }
}

/** RFC 9457, with only the constant text of the code. */
export function expectProblem(response: RawResponse, status: number, code: RefusalCode): void {
  expect(response.headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(response.body)).toEqual({
    type: `${refusalPages}${code}`,
    title: expect.stringMatching(/^[A-Z][\w ,-]+\.$/),
    status,
    code,
    // What may be asked of people, of which test/scenarios/approvals.test.ts looks at each member.
    ...(status === 403 && code.startsWith('approval_') && { approval: expect.any(Object) }),
  });
  if (status === 401) expect(response.headers).toHaveProperty('www-authenticate');
}

/** Expects no secret in the response and the log, and no internals in the response. */
export function expectNoLeak(request: RawRequest, response: RawResponse, records: readonly AuditRecord[]): void {
  const log = JSON.stringify(records);
  for (const secret of secretsOf(request)) {
    expect(response.text).not.toContain(secret);
    expect(log).not.toContain(secret);
  }
  expect(response.text).not.toMatch(/node_modules|\.[jt]s:\d|\n {4}at |Error:/);
}

function secretsOf(request: RawRequest): string[] {
  const credentials = ['authorization', 'agent-delegation', 'agent-approval'].flatMap((name) =>
    fieldsNamed(request, name).flatMap((value) => value.split(/[ .,]/)),
  );
  const signatures = fieldsNamed(request, 'signature').flatMap((value) => value.split(/[:,]/));
  const query = request.target.split('?').slice(1);
  return [...credentials, ...signatures, ...query, request.body.toString('latin1')].filter(({ length }) => length >= 8);
}
