import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { trustDomain } from '../../../test/support/trust-domain.js';
import { fakeSpireAgent, fakeWorkloadApi, field, x509Answer } from '../../../test/support/workload-api.js';
import { WorkloadApiError } from '../src/index.js';
import { type Call, callWorkloadApi } from '../src/grpc-call.js';
import { fetchJwtSvid, followX509, type X509Update } from '../src/workload-api.js';

const audience = 'https://id.acme.dev';
const domain = trustDomain();

async function fake(...parameters: Parameters<typeof fakeWorkloadApi>) {
  const api = await fakeWorkloadApi(...parameters);
  onTestFinished(() => api.close());
  return api;
}

/** Follows the X.509-SVIDs of a fake until the test ends. */
function following(socket: string) {
  const stop = new AbortController();
  const updates: X509Update[] = [];
  const troubles: WorkloadApiError[] = [];
  const done = (async () => {
    const stream = followX509({ socket, signal: stop.signal, onTrouble: (error) => troubles.push(error) });
    for await (const update of stream) updates.push(update);
  })();
  onTestFinished(async () => {
    stop.abort();
    await done;
  });
  return { updates, troubles, stop, done };
}

function federated(name: string, bundle: Buffer): Buffer {
  return field(3, Buffer.concat([field(1, `spiffe://${name}`), field(2, bundle)]));
}

async function problemOf(promise: Promise<unknown>): Promise<WorkloadApiError> {
  const error = await promise.catch((reason: unknown) => reason);
  if (error instanceof WorkloadApiError) return error;
  throw new Error('no WorkloadApiError', { cause: error });
}

describe('fetchJwtSvid', () => {
  it('asks for an audience and an identity', async () => {
    const asked: unknown[] = [];
    const api = await fake((call) => {
      asked.push([...call.texts]);
      call.send(field(1, Buffer.concat([field(1, domain.id('/a')), field(2, 'a.b.c')])));
      call.end();
    });
    const svid = await fetchJwtSvid(api.socket, { audience, id: domain.id('/a') });
    expect(svid).toEqual({ id: domain.id('/a'), token: 'a.b.c' });
    const long = `https://id.acme.dev/${'a'.repeat(300)}`;
    await fetchJwtSvid(api.socket, { audience: long });
    expect(asked).toEqual([
      [
        [1, audience],
        [2, domain.id('/a')],
      ],
      [[1, long]],
    ]);
  });

  it('rejects with the status and the reason of a refusal, escaped', async () => {
    const api = await fake((call) => call.fail(7, 'no identity issued\n'));
    expect(await problemOf(fetchJwtSvid(api.socket, { audience }))).toMatchObject({
      status: 7,
      message: String.raw`no identity issued\u000a`,
    });
  });

  it('rejects as unavailable if nobody listens, or the answer breaks or cannot be read [A16]', async () => {
    const answers: Buffer[] = [
      Buffer.from([0x0a, 0x7f]),
      Buffer.from([0xff, 0xff]),
      Buffer.from([0x0b]),
      Buffer.alloc(0),
    ];
    const api = await fake((call) => {
      call.send(answers.shift() ?? Buffer.alloc(0));
      call.end();
    });
    const statuses: number[] = [];
    while (answers.length > 0) statuses.push((await problemOf(fetchJwtSvid(api.socket, { audience }))).status);
    expect(statuses).toEqual([14, 14, 14, 7]);
    await api.close();
    expect(await problemOf(fetchJwtSvid(api.socket, { audience }))).toMatchObject({ status: 14 });
    api.close = async () => {};
  });
});

/** A way to a Workload API that the test closes as SIGSTOP would: connections are accepted, and nothing is answered. */
async function freezable(target: string) {
  const folder = await mkdtemp(join(tmpdir(), 'frozen-'));
  const socket = join(folder, 'agent.sock');
  const open = new Set<Socket>();
  let isFrozen = false;
  const server = createServer((client) => {
    const upstream = connect(target);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy()).on('close', () => to.destroy());
      if (isFrozen) from.pause();
      else from.pipe(to);
    }
  }).listen(socket);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.close();
    for (const each of open) each.destroy();
    await rm(folder, { recursive: true });
  });
  return {
    socket,
    freeze() {
      isFrozen = true;
      for (const each of open) each.unpipe().pause();
    },
  };
}

function call(socket: string): Call {
  return { socket, method: 'FetchX509SVID', request: Buffer.alloc(0) };
}

describe('a call of the Workload API', () => {
  it('ends as unavailable when its server stops answering, at once or later [A14]', async () => {
    const agent = await fakeSpireAgent(domain, '/a');
    onTestFinished(() => agent.close());
    const { socket, freeze } = await freezable(agent.socket);
    const asking = { everyMilliseconds: 1, limitMilliseconds: 1000 };
    const stream = callWorkloadApi(call(socket), asking);
    expect((await stream.next()).value).toBeDefined();
    freeze();
    const problem = { status: 14, message: 'it does not answer' };
    expect(await problemOf(stream.next())).toMatchObject(problem);
    expect(await problemOf(callWorkloadApi(call(socket), asking).next())).toMatchObject(problem);
  });

  it('throws nothing later when it is aborted before it is connected [A16]', async () => {
    const agent = await fakeSpireAgent(domain, '/a');
    onTestFinished(() => agent.close());
    const aborted = { ...call(agent.socket), signal: AbortSignal.abort() };
    expect(await problemOf(callWorkloadApi(aborted).next())).toMatchObject({ status: 14 });
    // By the end of this one, the first is connected.
    expect((await callWorkloadApi(call(agent.socket)).next()).done).toBe(false);
  });

  it('goes on while its server answers, however long no message comes', async () => {
    let send: ((message: Buffer) => void) | undefined;
    const api = await fake((asked) => void (send = (message) => asked.send(message)));
    const next = callWorkloadApi(call(api.socket), { everyMilliseconds: 1, limitMilliseconds: 10_000 }).next();
    await vi.waitFor(() => expect(api.pings()).toBeGreaterThan(3), patiently);
    send?.(Buffer.from('late'));
    expect((await next).value?.toString()).toBe('late');
  });
});

describe('the stream of X.509-SVIDs', () => {
  it('yields each update, with the bundles of the own domain and of federated ones', async () => {
    const other = trustDomain('other.org');
    const svids = [domain.x509Svid('/a'), domain.x509Svid('/a')];
    const sends: (() => void)[] = [];
    const api = await fake((call) => {
      const bundle = federated('other.org', other.ca.certificate.raw);
      for (const svid of svids) sends.push(() => call.send(Buffer.concat([x509Answer(domain, '/a', svid), bundle])));
      sends.shift()?.();
    });
    const { updates } = following(api.socket);
    await vi.waitFor(() => expect(updates).toHaveLength(1), patiently);
    sends.shift()?.();
    await vi.waitFor(() => expect(updates).toHaveLength(2), patiently);
    expect(updates.map(({ svids: [svid] }) => svid?.chain[0]?.serialNumber)).toEqual(
      svids.map(({ certificate }) => certificate.serialNumber),
    );
    expect([...(updates[0]?.bundles.keys() ?? [])].toSorted()).toEqual(['example.org', 'other.org']);
  });

  it('goes on when the bundle of a federated domain is too large, and reports that domain alone [A14]', async () => {
    const other = trustDomain('other.org');
    const api = await fake((asked) => {
      const parts = [
        x509Answer(domain, '/a', domain.x509Svid('/a')),
        federated('large.org', Buffer.alloc(4 * 1024 * 1024 + 1)),
        federated('other.org', other.ca.certificate.raw),
      ];
      asked.send(Buffer.concat(parts));
      asked.send(x509Answer(domain, '/a', domain.x509Svid('/a')));
    });
    const { updates, troubles } = following(api.socket);
    await vi.waitFor(() => expect(updates).toHaveLength(2), patiently);
    expect([...(updates[0]?.bundles.keys() ?? [])].toSorted()).toEqual(['example.org', 'other.org']);
    expect([...(updates[0]?.unreadable ?? [])]).toEqual([['large.org', 'it has more than 4194304 bytes']]);
    expect(troubles).toEqual([]);
  });

  it('has an outage when a message has more than 64 MiB [A14]', async () => {
    const api = await fake((asked) => asked.send(Buffer.alloc(64 * 1024 * 1024 + 1)));
    const { troubles } = following(api.socket);
    await vi.waitFor(() => expect(troubles.length).toBeGreaterThan(0), patiently);
    expect(troubles[0]).toMatchObject({ status: 14, message: 'a message is compressed or too long' });
  });

  it('goes on when the agent comes back after a crash, and when the workload is registered late', async () => {
    let registered = false;
    const api = await fakeSpireAgent(domain, '/a');
    onTestFinished(() => api.close());
    const late = await fake((call) => {
      if (registered) call.send(x509Answer(domain, '/a', domain.x509Svid('/a')));
      else call.fail(7, 'no identity issued');
    });
    const [crashed, unregistered] = [following(api.socket), following(late.socket)];
    await vi.waitFor(() => expect(crashed.updates).toHaveLength(1), patiently);
    await api.kill();
    await vi.waitFor(() => expect(crashed.troubles.length).toBeGreaterThan(1), patiently);
    await api.restart();
    await vi.waitFor(() => expect(crashed.updates).toHaveLength(2), patiently);
    await vi.waitFor(() => expect(unregistered.troubles.length).toBeGreaterThan(1), patiently);
    expect(unregistered.troubles[0]?.status).toBe(7);
    registered = true;
    await vi.waitFor(() => expect(unregistered.updates).toHaveLength(1), patiently);
  });

  it('has an outage when the agent ends it, also with status 0 [A14]', async () => {
    const api = await fake((call) => {
      call.send(x509Answer(domain, '/a', domain.x509Svid('/a')));
      call.end();
    });
    const { updates, troubles } = following(api.socket);
    await vi.waitFor(() => expect(updates.length).toBeGreaterThan(1), patiently);
    expect(troubles[0]).toMatchObject({ status: 14, message: 'the stream ended' });
  });

  it('ends with the signal, also while it waits', async () => {
    const { stop, done, troubles } = following('/nowhere/agent.sock');
    await vi.waitFor(() => expect(troubles.length).toBeGreaterThan(0), patiently);
    stop.abort();
    await done;
  });
});
