import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { AuditEvent, AuditSink } from '../../src/record/event.js';
import { auditCloudEvents, auditCloudEventsWith } from '../../src/sinks/audit-cloud-events.js';
import type { AuditCloudEventsOptions } from '../../src/sinks/cloud-events-options.js';
import { toOcsf } from '../../src/sinks/to-ocsf.js';
import { ConfigError } from '@countersign/common';
import { patiently } from '../../../../test/support/patiently.js';
import { Deferred } from '../../../core/test/deferred.js';
import { event, type Folder, temporaryFolder } from '../events.js';
import { fillDisk } from '../fill-disk.js';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly events: readonly Record<string, unknown>[];
}

/** A receiver on a real socket that answers as it is told. */
class Receiver {
  readonly received: Received[] = [];
  readonly #server: Server;
  answer: (response: ServerResponse) => void = (response) => response.writeHead(204).end();

  constructor() {
    this.#server = createServer((request, response) => {
      void text(request).then((body) => {
        this.received.push({ headers: request.headers, body, events: JSON.parse(body) as Received['events'] });
        this.answer(response);
      });
    });
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get ids(): unknown[] {
    return this.received.flatMap(({ events }) => events.map(({ id }) => id));
  }

  /** Of batches, each as its own list. */
  get batches(): unknown[][] {
    return this.received.map(({ events }) => events.map(({ id }) => id));
  }
}

const started: AuditSink[] = [];
afterEach(async () => {
  for (const sink of started.splice(0)) await sink.close?.();
});

/** A sink that pauses between tries until the test lets it go on. */
class Sending {
  readonly pauses: { readonly begun: number; readonly milliseconds: number; readonly end: () => void }[] = [];
  readonly told: string[] = [];
  readonly sink: AuditSink;
  now = 1_000_000;

  constructor(address: string, spoolDirectory: string, options: Partial<AuditCloudEventsOptions> = {}) {
    const pause = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
      const { promise, resolve } = new Deferred();
      const end = (): void => resolve();
      signal.addEventListener('abort', end);
      this.pauses.push({ begun: this.now, milliseconds, end });
      await promise;
      signal.removeEventListener('abort', end);
    };
    this.sink = auditCloudEventsWith(pause, address, {
      source: 'https://api.acme.dev',
      spoolDirectory,
      batchSeconds: 0,
      clock: () => this.now,
      onTrouble: (message) => void this.told.push(message),
      ...options,
    });
    started.push(this.sink);
  }

  /** Lets time pass, and ends the pauses that are over then. */
  pass(milliseconds: number): void {
    this.now += milliseconds;
    for (const { begun, milliseconds: length, end } of this.pauses) if (begun + length <= this.now) end();
  }

  /** The next pause, once it has begun. */
  async paused(count: number): Promise<void> {
    await vi.waitFor(() => expect(this.pauses.length).toBeGreaterThanOrEqual(count), patiently);
  }
}

async function receiver(): Promise<{ readonly receiver: Receiver; readonly address: string }> {
  const one = new Receiver();
  await one.listen();
  onTestFinished(() => one.stop());
  return { receiver: one, address: `http://127.0.0.1:${one.port}/events` };
}

const arrived = (one: Receiver, count: number) =>
  vi.waitFor(() => expect(one.ids.length).toBeGreaterThanOrEqual(count), patiently);
const spooled = ({ path }: Folder) => readdirSync(path).filter((name) => name.endsWith('.jsonl'));

describe('auditCloudEvents', () => {
  it('tells how many bytes wait to be sent', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path, { batchRecords: 3, batchSeconds: 60 });
    expect(sink.backlog?.()).toEqual({ unsentBytes: 0 });
    await sink.write(event('a'));
    // A file occupies a block at least.
    expect(sink.backlog?.()).toEqual({ unsentBytes: 4096 });
    await sink.write(event('b', { scope: Array.from({ length: 10 }, () => 'x'.repeat(1000)) }));
    const [name = ''] = spooled(folder);
    const { size } = statSync(join(folder.path, name));
    expect(size).toBeGreaterThan(4096);
    expect(sink.backlog?.()).toEqual({ unsentBytes: size });
    await sink.write(event('c'));
    await arrived(one, 3);
    await vi.waitFor(() => expect(sink.backlog?.()).toEqual({ unsentBytes: 0 }), patiently);
  });

  it('sends batches of CloudEvents 1.0, and removes received batches', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path, {
      authorization: 'Bearer 1234',
      batchRecords: 2,
      batchSeconds: 60,
    });
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => sink.write(event(id))));
    await arrived(one, 4);
    expect(one.batches).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
    expect(one.received[0]).toMatchObject({
      headers: {
        'content-type': 'application/cloudevents-batch+json; charset=utf-8',
        authorization: 'Bearer 1234',
      },
      events: [
        {
          specversion: '1.0',
          id: 'a',
          source: 'https://api.acme.dev',
          type: 'dev.countersign.decision.v1',
          time: '2026-11-24T12:00:00.000Z',
          subject: 'Repo/acme/api',
          partitionkey: 'agent-code-reviewer-01',
          datacontenttype: 'application/json',
          data: event('a'),
        },
        { id: 'b' },
      ],
    });
    await sink.close?.();
    expect(spooled(folder)).toEqual([]);
  });

  it('sends no character in an attribute that CloudEvents forbid [F1]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path);
    await sink.write(event('a', { resource: { type: 'Record', id: '\r\u0000\u001b[2J\u0085\ufffe\ud83d\u{1f511}' } }));
    await arrived(one, 1);
    const { subject, data } = (one.received[0]?.events[0] ?? {}) as { subject: string; data: AuditEvent };
    expect(subject).toBe(String.raw`Record/\u000d\u0000\u001b[2J\u0085\ufffe` + '\ufffd\u{1f511}');
    expect(data.resource?.id).toBe('\r\u0000\u001b[2J\u0085\ufffe\ufffd\u{1f511}');
  });

  it('sends at most batchRecords in one request', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path, { batchRecords: 2, batchSeconds: 60 });
    await sink.write(event('a'));
    await Promise.all([sink.write(event('b')), sink.write(event('c'))]);
    await sink.close?.();
    expect(one.batches).toEqual([['a'], ['b', 'c']]);
  });

  it('sends an incomplete batch after batchSeconds, and at close', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path, { batchSeconds: 0 });
    await sink.write(event('a'));
    await arrived(one, 1);
    const waiting = new Sending(address, join(folder.path, 'other'), { batchSeconds: 3600 });
    await waiting.sink.write(event('b'));
    expect(one.ids).toEqual(['a']);
    await waiting.sink.close?.();
    expect(one.ids).toEqual(['a', 'b']);
  });

  it('sends bounded printable lines whatever a name holds [F1, F3]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path);
    const odd = '\r\n\u001b[2J\u2028\u202e\u0085\0';
    await sink.write(event('a', { action: odd, detail: 'x'.repeat(100_000) }));
    await arrived(one, 1);
    expect(one.received[0]?.body).toMatch(/^[\x20-\x7e…]*$/u);
    expect(one.received[0]?.body.length).toBeLessThan(4096);
    expect(one.received[0]?.events[0]).toMatchObject({ data: { action: odd } });
  });

  it('sends the result of data', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { sink } = new Sending(address, folder.path, { data: toOcsf });
    await sink.write(event('a'));
    await arrived(one, 1);
    expect(one.received[0]?.events[0]).toMatchObject({ id: 'a', data: { class_uid: 6003, metadata: { uid: 'a' } } });
  });

  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['a promise', async () => ({})],
    ['a promise that rejects', async () => Promise.reject(new Error('late'))],
    ['a text', () => 'record'],
  ])('refuses a record when data gives %s [L3]', async (_title, data) => {
    using folder = temporaryFolder();
    const { address } = await receiver();
    const { sink } = new Sending(address, folder.path, { data: data as () => object });
    await expect(sink.write(event('a'))).rejects.toThrow("'data' must give an object");
  });
});

describe('auditCloudEvents during an outage', () => {
  it.each([500, 429, 408, 404, 403, 401, 302])(
    'sends the same records again, with growing pauses, after %i [F4]',
    async (status) => {
      using folder = temporaryFolder();
      const { receiver: one, address } = await receiver();
      one.answer = (response) => response.writeHead(status, { Location: '/elsewhere' }).end('no');
      const sending = new Sending(address, folder.path, { maxRetrySeconds: 3 });
      await sending.sink.write(event('a'));
      for (const count of [1, 2, 3, 4]) {
        await sending.paused(count);
        if (count === 4) {
          one.answer = (response) => response.writeHead(202).end();
          sending.now += 10_000;
        }
        sending.pauses[count - 1]?.end();
      }
      await vi.waitFor(() => expect(spooled(folder)).toEqual([]), patiently);
      expect(one.batches).toEqual([['a'], ['a'], ['a'], ['a'], ['a']]);
      for (const [index, most] of [1000, 2000, 3000, 3000].entries()) {
        expect(sending.pauses[index]?.milliseconds).toBeLessThanOrEqual(most);
        expect(sending.pauses[index]?.milliseconds).toBeGreaterThanOrEqual(most / 2);
      }
      expect(sending.told.map((message) => /(once|\d+ times) now/.exec(message)?.[1])).toEqual([
        'once',
        '2 times',
        '4 times',
        undefined,
      ]);
      expect(sending.told.at(-1)).toMatch(/^countersign: 127\.0\.0\.1:\d+ takes audit records again\.$/);
      one.answer = (response) => response.writeHead(503).end();
      await sending.sink.write(event('b'));
      await sending.paused(5);
      expect(sending.pauses[4]?.milliseconds).toBeLessThanOrEqual(1000);
      expect(sending.told.at(-1)).toContain('once now');
    },
  );

  it('keeps records in order while the receiver is down, also across a restart [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { port } = one;
    await one.stop();
    const before = new Sending(address, folder.path);
    await before.sink.write(event('a'));
    await before.paused(1);
    await before.sink.write(event('b'));
    await before.sink.close?.();
    expect(spooled(folder).length).toBeGreaterThan(0);
    expect(before.told[0]).toMatch(/took no audit records, once now: .*ECONNREFUSED/);

    const again = new Receiver();
    await again.listen(port);
    onTestFinished(() => again.stop());
    const after = new Sending(address, folder.path);
    await after.sink.write(event('c'));
    await arrived(again, 3);
    expect(again.ids).toEqual(['a', 'b', 'c']);
    await after.sink.close?.();
    expect(spooled(folder)).toEqual([]);
  });

  it('throttles reports of a receiver that takes every second attempt, and reports recovery at close [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(one.received.length % 2 === 1 ? 503 : 204).end();
    const sending = new Sending(address, folder.path, { batchRecords: 1 });
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(spooled(folder)).toEqual([]));
    expect(sending.told).toHaveLength(1);
    await sending.sink.close?.();
    expect(sending.told).toHaveLength(2);
    expect(sending.told.at(-1)).toContain('takes audit records again');
  });

  it('sends a record again with the same id when the answer is lost [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.socket?.destroy();
    const sending = new Sending(address, folder.path);
    await sending.sink.write(event('a'));
    await sending.paused(1);
    one.answer = (response) => response.writeHead(200).end();
    sending.pauses[0]?.end();
    await arrived(one, 2);
    expect(one.ids).toEqual(['a', 'a']);
  });

  it('refuses records when the spool is full, and takes them again after a delivery [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(503).end();
    const sending = new Sending(address, folder.path, { maxSpoolBytes: 64 * 1024 });
    const long = { scope: Array.from({ length: 10 }, () => 'x'.repeat(1000)) };
    const written: string[] = [];
    const fill = async (): Promise<void> => {
      for (;;) {
        await sending.sink.write(event(`${written.length}`, long));
        written.push(`${written.length}`);
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: 'overloaded' });
    expect(written.length).toBeGreaterThan(3);
    await sending.paused(1);
    one.answer = (response) => response.writeHead(200).end();
    sending.pauses[0]?.end();
    await vi.waitFor(() => expect(spooled(folder)).toEqual([]), patiently);
    await sending.sink.write(event('after', long));
    await vi.waitFor(() => expect(one.ids).toContain('after'), patiently);
    expect(new Set(one.ids)).toEqual(new Set([...written, 'after']));
  });

  it('fills a quarter of the spool with requests of strangers, half with denials, and keeps room for outcomes [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(503).end();
    const most = 256 * 1024;
    const { sink } = new Sending(address, folder.path, { maxSpoolBytes: most });
    /** Many at once, more than the spool holds. Resolves to the share of the spool that is full then. */
    const fillWith = async (record: Partial<AuditEvent>): Promise<number> => {
      const scope = Array.from({ length: 8 }, () => 'x'.repeat(250));
      const writes = Array.from({ length: 200 }, async (_, at) => sink.write(event(`${at}`, { ...record, scope })));
      const failed = (await Promise.allSettled(writes)).filter(({ status }) => status === 'rejected');
      expect(failed).not.toEqual([]);
      for (const failure of failed) expect(failure).toMatchObject({ reason: { code: 'overloaded' } });
      return (sink.backlog?.().unsentBytes ?? 0) / most;
    };
    const shares = [
      await fillWith({ phase: 'authentication', decision: 'deny' }),
      await fillWith({ decision: 'deny' }),
      await fillWith({ decision: 'allow' }),
      await fillWith({ phase: 'outcome' }),
    ];
    for (const [at, share] of [1 / 4, 1 / 2, 7 / 8 + 1 / 64, 1].entries()) {
      expect(shares[at]).toBeLessThanOrEqual(share);
      expect(shares[at]).toBeGreaterThan(share - 1 / 8);
    }
  });

  it('counts at least a block of the disk for each batch against the limit [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(503).end();
    for (let number = 10; number < 26; number++) {
      writeFileSync(join(folder.path, `spool-0000000000${number}.jsonl`), '{"id":"a"}\n');
    }
    const { sink } = new Sending(address, folder.path, { maxSpoolBytes: 64 * 1024 });
    await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'overloaded' });
  });

  it('keeps records of an outage in full batches, not in one file for each pause [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(503).end();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const sending = new Sending(address, folder.path, { batchRecords: 3, batchSeconds: 1 });
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const id of ids) {
      await sending.sink.write(event(id));
      await vi.advanceTimersByTimeAsync(1000);
      await sending.sink.write(event(`${id}2`));
    }
    expect(spooled(folder)).toHaveLength(5);
    vi.useRealTimers();
    one.answer = (response) => response.writeHead(200).end();
    await untilIn(sending, () => expect(spooled(folder)).toEqual([]));
    expect(new Set(one.ids)).toEqual(new Set(ids.flatMap((id) => [id, `${id}2`])));
  });

  it('leaves no file behind for a record that a full disk refuses [F4]', async () => {
    using folder = temporaryFolder();
    expect(await fillDisk('spool', folder.path)).toBe(3);
    expect(spooled(folder).map((name) => statSync(join(folder.path, name)).size)).toEqual([903]);
  });

  it('sends the complete lines that a crash left, and no torn one [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    writeFileSync(join(folder.path, 'spool-000000000007.jsonl'), '{"id":"a"}\n{"id":"b"}\n{"id":"to');
    writeFileSync(join(folder.path, 'spool-000000000008.jsonl'), '');
    const { sink } = new Sending(address, folder.path);
    await arrived(one, 2);
    await sink.write(event('c'));
    await arrived(one, 3);
    expect(one.batches).toEqual([['a', 'b'], ['c']]);
    await sink.close?.();
    expect(spooled(folder)).toEqual([]);
  });

  it('reports a batch whose file was removed, and sends the next [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(503).end();
    const sending = new Sending(address, folder.path, { batchRecords: 1 });
    await sending.sink.write(event('a'));
    await sending.paused(1);
    await Promise.all([sending.sink.write(event('b')), sending.sink.write(event('c'))]);
    rmSync(join(folder.path, spooled(folder)[1] ?? ''));
    one.answer = (response) => response.writeHead(200).end();
    sending.pauses[0]?.end();
    await vi.waitFor(() => expect(spooled(folder)).toEqual([]), patiently);
    expect(one.batches).toEqual([['a'], ['c'], ['a']]);
    expect(sending.told).toContainEqual(expect.stringContaining('was removed before it was sent'));
  });

  it('refuses a record when another process wrote to the spool, and continues in another file [F4]', async () => {
    using folder = temporaryFolder();
    const { address } = await receiver();
    const { sink } = new Sending(address, folder.path, { batchSeconds: 3600 });
    await sink.write(event('a'));
    appendFileSync(join(folder.path, spooled(folder)[0] ?? ''), '{"id":"foreign"}\n');
    await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'file_replaced' });
    await sink.write(event('c'));
  });

  it('takes no record after close [F4]', async () => {
    using folder = temporaryFolder();
    const { address } = await receiver();
    const { sink } = new Sending(address, folder.path);
    await sink.close?.();
    await expect(sink.write(event('a'))).rejects.toMatchObject({ code: 'closed' });
    await sink.close?.();
  });
});

const rejectedIn = ({ path }: Folder) => readdirSync(path).filter((name) => name.startsWith('rejected-'));
const idsIn = (path: string): unknown[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => (JSON.parse(line) as { id: unknown }).id);

/** Ends the pauses as they come, and no others, until what is expected is so. */
async function untilIn(sending: Sending, check: () => void): Promise<void> {
  await vi.waitFor(() => {
    for (const { end } of sending.pauses) end();
    check();
  }, patiently);
}

let written = 0;
/** The same, with another record for each look. */
async function untilWith(sending: Sending, check: () => void): Promise<void> {
  await vi.waitFor(
    async () => {
      for (const { end } of sending.pauses) end();
      await sending.sink.write(event(`more ${(written += 1)}`));
      check();
    },
    { ...patiently, interval: 20 },
  );
}

/** Others are received while records are refused: without them these wait. */
async function untilRefused(sending: Sending, folder: Folder, count: number): Promise<void> {
  const refused = () => rejectedIn(folder).flatMap((name) => idsIn(join(folder.path, name)));
  await untilWith(sending, () => expect(refused().length).toBeGreaterThanOrEqual(count));
  await untilIn(sending, () => expect(spooled(folder)).toEqual(rejectedIn(folder)));
}

/** Until what fails has failed twice, with others received in between, and waits in the second queue. */
async function untilDelayed(sending: Sending, folder: Folder, count = 1): Promise<void> {
  const delayed = () => spooled(folder).filter((name) => name.startsWith('delayed-')).length;
  await untilWith(sending, () => expect(delayed()).toBeGreaterThanOrEqual(count));
  await untilIn(sending, () => expect(spooled(folder).every((name) => name.startsWith('delayed-'))).toBe(true));
}

/** Answers by what was sent. */
const judging =
  (one: Receiver, judge: (ids: readonly unknown[]) => number) =>
  (response: ServerResponse): void =>
    void response.writeHead(judge(one.batches.at(-1) ?? [])).end();

describe('records that the receiver refuses for good [F4]', () => {
  it.each([400, 415, 422])(
    'are quarantined after five attempts answered %i, and the next batch is sent',
    async (status) => {
      using folder = temporaryFolder();
      const { receiver: one, address } = await receiver();
      let refusals = 2;
      one.answer = judging(one, (ids) => {
        if (!ids.includes('c')) return status;
        refusals -= 1;
        return refusals >= 0 ? status : 204;
      });
      const sending = new Sending(address, folder.path, { batchRecords: 2 });
      await Promise.all(['a', 'b', 'c'].map((id) => sending.sink.write(event(id))));
      await untilIn(sending, () => expect(spooled(folder)).toEqual(rejectedIn(folder)));
      // Twice with others, until 'c' is received; then alone, five times unless others are received meanwhile.
      expect(one.batches.filter(({ length }) => length === 2).length).toBeGreaterThanOrEqual(4);
      expect(one.ids.filter((id) => id === 'c').length).toBeGreaterThanOrEqual(3);
      expect(rejectedIn(folder)).toHaveLength(1);
      const [name = ''] = rejectedIn(folder);
      expect(idsIn(join(folder.path, name))).toEqual(['a', 'b']);
      expect(statSync(join(folder.path, name)).mode & 0o777).toBe(0o600);
      expect(sending.told).toContainEqual(expect.stringContaining(`it answered ${status}). They were put aside as `));
      expect(sending.told).toContainEqual(expect.stringContaining(join(folder.path, name)));
      await sending.sink.close?.();

      // Over a restart nobody sends it; under the name of one that waits it is sent again.
      one.answer = (response) => response.writeHead(204).end();
      const after = new Sending(address, folder.path);
      await after.sink.write(event('d'));
      await after.sink.close?.();
      expect(one.batches.at(-1)).toEqual(['d']);
      expect(rejectedIn(folder)).toEqual([name]);
      renameSync(join(folder.path, name), join(folder.path, name.replace('rejected', 'spool')));
      await new Sending(address, folder.path).sink.close?.();
      expect(one.batches.at(-1)).toEqual(['a', 'b']);
      expect(readdirSync(folder.path)).toEqual([]);
    },
  );

  it('split a batch answered 413 until it fits, each record once and in order', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken: unknown[] = [];
    one.answer = judging(one, (ids) => {
      if (ids.length > 3) return 413;
      taken.push(...ids);
      return 204;
    });
    const sending = new Sending(address, folder.path, { batchRecords: 16 });
    const ids = Array.from({ length: 40 }, (_, index) => `${index}`);
    await Promise.all(ids.map((id) => sending.sink.write(event(id))));
    await vi.waitFor(() => expect(taken).toEqual(ids), patiently);
    await vi.waitFor(() => expect(spooled(folder)).toEqual([]), patiently);
    expect(sending.pauses).toEqual([]);
    expect(sending.told).toEqual([]);
    // The limit is learned once, not with each batch.
    expect(one.batches.filter(({ length }) => length > 3).length).toBeLessThan(5);
  });

  it('are quarantined alone when one record is answered 413', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken: unknown[] = [];
    one.answer = judging(one, (ids) => {
      if (ids.includes('b')) return 413;
      taken.push(...ids);
      return 204;
    });
    const sending = new Sending(address, folder.path, { batchRecords: 4 });
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(new Set(taken)).toEqual(new Set(['a', 'c', 'd'])));
    await untilIn(sending, () => expect(spooled(folder)).toEqual(rejectedIn(folder)));
    expect(rejectedIn(folder).map((name) => idsIn(join(folder.path, name)))).toEqual([['b']]);
  });

  it('are found among many, and the next bad batch is split at once', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken: unknown[] = [];
    const bad = ['3', '11', '20', '21', '50'];
    one.answer = judging(one, (ids) => {
      if (ids.some((id) => bad.includes(String(id)))) return 400;
      taken.push(...ids);
      return 204;
    });
    const sending = new Sending(address, folder.path, { batchRecords: 16 });
    const ids = Array.from({ length: 64 }, (_, index) => `${index}`);
    await Promise.all(ids.map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(spooled(folder)).toEqual(rejectedIn(folder)));
    expect(taken).toHaveLength(59);
    expect(new Set(taken)).toEqual(new Set(ids.filter((id) => !bad.includes(id))));
    expect(rejectedIn(folder).map((name) => idsIn(join(folder.path, name)))).toEqual([
      ['3', '11'],
      ['20', '21'],
      ['50'],
    ]);
    expect(sending.pauses.length).toBeLessThanOrEqual(4);
    expect(one.batches.length).toBeLessThan(50);
    // The first and the second quarantine are reported, the third is not.
    expect(sending.told.filter((message) => message.includes('put aside as'))).toHaveLength(2);
  });

  it('are sent at most ten times for each batch when the receiver refuses all', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = judging(one, () => 400);
    const sending = new Sending(address, folder.path, { batchRecords: 2 });
    await Promise.all(['a', 'b', 'c', 'd'].map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(spooled(folder)).toEqual(rejectedIn(folder)));
    for (const id of ['a', 'c']) {
      const together = one.batches.filter((ids) => ids.length === 2 && ids.includes(id));
      expect(together.length).toBeGreaterThanOrEqual(5);
      expect(together.length).toBeLessThanOrEqual(10);
    }
    expect(rejectedIn(folder).map((name) => idsIn(join(folder.path, name)))).toEqual([
      ['a', 'b'],
      ['c', 'd'],
    ]);
  });

  it.each<[string, number | undefined]>([
    ['401', 401],
    ['403', 403],
    ['404', 404],
    ['500', 500],
    ['503', 503],
    ['no answer', undefined],
  ])('are found when a firewall gives %s to them alone, and delay no others [F4]', async (_name, status) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken = new Set<unknown>();
    const bad = ['0', '5', '40', '41', '42', '43'];
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      if (!ids.some((id) => bad.includes(String(id)))) {
        for (const id of ids) taken.add(id);
        response.writeHead(204).end();
      } else if (status === undefined) response.socket?.destroy();
      else response.writeHead(status).end('blocked');
    };
    const ids = Array.from({ length: 96 }, (_, index) => `${index}`);
    const sending = new Sending(address, folder.path, { batchRecords: 4 });
    await Promise.all(ids.map((id) => sending.sink.write(event(id))));
    await untilRefused(sending, folder, bad.length);
    expect([...taken]).toEqual(expect.arrayContaining(ids.filter((id) => !bad.includes(id))));
    expect(new Set(rejectedIn(folder).flatMap((name) => idsIn(join(folder.path, name))))).toEqual(new Set(bad));
    expect(sending.told).toContainEqual(
      expect.stringMatching(/refuses 1 audit records for good \(.+\). They were put/),
    );
    expect(sending.pauses.length).toBeLessThan(60);
    // A bad record is sent a few times, and only it: another that was received is not sent again.
    expect(one.batches.length).toBeLessThan(200);
    const good = one.batches.filter((batch) => !batch.some((id) => bad.includes(String(id)))).flat();
    expect(good).toHaveLength(new Set(good).size);
  });

  it.each<[string, number | undefined]>([
    ['401', 401],
    ['403', 403],
    ['404', 404],
    ['429', 429],
    ['500', 500],
    ['503', 503],
    ['no answer', undefined],
  ])(
    'are none when the receiver gives %s to everything, before and after it took records [F4]',
    async (_name, status) => {
      using folder = temporaryFolder();
      const { receiver: one, address } = await receiver();
      const taken: unknown[] = [];
      const fail = (response: ServerResponse): void => {
        if (status === undefined) response.socket?.destroy();
        else response.writeHead(status).end();
      };
      const take = (response: ServerResponse): void => {
        taken.push(...(one.batches.at(-1) ?? []));
        response.writeHead(204).end();
      };
      const sending = new Sending(address, folder.path, { batchRecords: 4 });
      for (const round of [1, 2]) {
        one.answer = fail;
        const ids = Array.from({ length: 8 }, (_, index) => `${round}.${index}`);
        await Promise.all(ids.map((id) => sending.sink.write(event(id))));
        const begun = sending.pauses.length;
        await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(begun + 20));
        expect(spooled(folder)).toHaveLength(2);
        one.answer = take;
        await untilIn(sending, () => expect(spooled(folder)).toEqual([]));
        expect([...new Set(taken)]).toEqual(expect.arrayContaining(ids));
      }
      expect(readdirSync(folder.path).filter((name) => name.startsWith('rejected-'))).toEqual([]);
    },
  );

  it.each([403, 429, 500, 503, 507])(
    'are none when a receiver answers %i to new records, and takes those whose id it knows [F4]',
    async (status) => {
      using folder = temporaryFolder();
      const { receiver: one, address } = await receiver();
      const taken = new Set<unknown>();
      let isFull = false;
      one.answer = judging(one, (ids) => {
        if (ids.includes('bad')) return 403;
        if (isFull && ids.some((id) => !taken.has(id))) return status;
        for (const id of ids) taken.add(id);
        return 204;
      });
      const sending = new Sending(address, folder.path, { batchRecords: 4 });
      // A record was quarantined just before, for one of these answers.
      const before = Array.from({ length: 12 }, (_, index) => (index === 1 ? 'bad' : `0.${index}`));
      await Promise.all(before.map((id) => sending.sink.write(event(id))));
      await untilRefused(sending, folder, 1);
      isFull = true;
      const ids = Array.from({ length: 40 }, (_, index) => `1.${index}`);
      await Promise.all(ids.map((id) => sending.sink.write(event(id))));
      const begun = sending.pauses.length;
      await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(begun + 20));
      isFull = false;
      await untilIn(sending, () => expect(spooled(folder)).toEqual(rejectedIn(folder)));
      expect(rejectedIn(folder).map((name) => idsIn(join(folder.path, name)))).toEqual([['bad']]);
      expect([...taken]).toEqual(expect.arrayContaining(ids));
    },
  );

  it('cost at most eight requests each when a firewall blocks every second record [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken = new Set<unknown>();
    one.answer = judging(one, (ids) => {
      if (ids.some((id) => String(id).startsWith('bad'))) return 403;
      for (const id of ids) taken.add(id);
      return 204;
    });
    const sending = new Sending(address, folder.path, { batchRecords: 50 });
    const ids = Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? `bad ${index}` : `${index}`));
    await Promise.all(ids.map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(taken.size).toBe(100));
    expect(one.batches.length).toBeLessThan(800);
    expect(sending.pauses.length).toBeLessThan(30);
  });

  it('are none when a receiver fails at random, whatever was quarantined before [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    let count = 0;
    const taken = new Set<unknown>();
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      // Half of the attempts fail, in no step with the attempts of the sink.
      count = (count * 1103515245 + 12345) % 2 ** 31;
      const fails = (count >> 16) % 2 === 0;
      if (!fails && !ids.includes('bad')) for (const id of ids) taken.add(id);
      response.writeHead(ids.includes('bad') ? 403 : fails ? 503 : 204).end();
    };
    const sending = new Sending(address, folder.path, { batchRecords: 4 });
    const ids = Array.from({ length: 40 }, (_, index) => (index === 5 ? 'bad' : `${index}`));
    await Promise.all(ids.map((id) => sending.sink.write(event(id))));
    await untilRefused(sending, folder, 1);
    expect(rejectedIn(folder).map((name) => idsIn(join(folder.path, name)))).toEqual([['bad']]);
    expect([...taken].filter((id) => ids.includes(String(id)))).toHaveLength(39);
  });

  it('are found after a restart, when no record is known that the receiver takes [F4]', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken = new Set<unknown>();
    one.answer = judging(one, (ids) => {
      if (ids.some((id) => String(id).startsWith('bad'))) return 403;
      for (const id of ids) taken.add(id);
      return 204;
    });
    writeFileSync(join(folder.path, 'spool-000000000001.jsonl'), '{"id":"bad 1"}\n{"id":"bad 2"}\n');
    const sending = new Sending(address, folder.path);
    await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(10));
    expect(rejectedIn(folder)).toEqual([]);
    await untilRefused(sending, folder, 2);
    expect([...taken].filter((id) => !String(id).startsWith('more'))).toEqual([]);
  });

  it('are dropped and counted when the quarantine is full, and the good ones are sent', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const full = join(folder.path, 'rejected-000000000001.jsonl');
    writeFileSync(full, `${'x'.repeat(64 * 1024 - 1)}\n`);
    const taken: unknown[] = [];
    one.answer = judging(one, (ids) => {
      if (ids.some((id) => String(id).startsWith('bad'))) return 422;
      taken.push(...ids);
      return 204;
    });
    const sending = new Sending(address, folder.path, { maxSpoolBytes: 64 * 1024, batchRecords: 3 });
    await Promise.all(['a', 'bad 1', 'b', 'c', 'bad 2', 'bad 3'].map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(new Set(taken)).toEqual(new Set(['a', 'b', 'c'])));
    await untilIn(sending, () => expect(spooled(folder)).toEqual(['rejected-000000000001.jsonl']));
    expect(sending.told.filter((message) => message.includes('They are dropped'))).toEqual([
      expect.stringMatching(/refuses 1 .*\(it answered 422\).*no room for more.* dropped, 1 so far; those beside/),
      expect.stringMatching(/refuses 2 .*\(it answered 422\).*no room for more.* dropped, 3 so far; those beside/),
    ]);
    rmSync(full);
    await Promise.all(['bad 4', 'd'].map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(taken).toContain('d'));
    await untilIn(sending, () => expect(rejectedIn(folder)).toHaveLength(1));
  });

  it('fill the quarantine by the blocks that their files occupy', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = judging(one, () => 422);
    for (let count = 1; count <= 16; count++)
      writeFileSync(join(folder.path, `rejected-00000000000${count}.jsonl`), 'x\n');
    const sending = new Sending(address, folder.path, { maxSpoolBytes: 64 * 1024 });
    await sending.sink.write(event('a'));
    await untilIn(sending, () => expect(sending.told).toContainEqual(expect.stringContaining('They are dropped, 1')));
    expect(rejectedIn(folder)).toHaveLength(16);
  });

  it('overwrite no file in the quarantine, nor a dangling link', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = judging(one, () => 400);
    const sending = new Sending(address, folder.path);
    const link = join(folder.path, 'rejected-000000000001.jsonl');
    symlinkSync(join(folder.path, 'nowhere'), link);
    await sending.sink.write(event('a'));
    await untilIn(sending, () => expect(rejectedIn(folder)).toHaveLength(2));
    expect(idsIn(`${link}-2`)).toEqual(['a']);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(sending.told.at(-1)).toContain(`${link}-2`);
  });

  it.each<[string, Record<string, string>, number]>([
    ['seconds', { 'Retry-After': '7' }, 7000],
    ['a date', { 'Retry-After': 'Tue, 24 Nov 2026 12:00:09 GMT', Date: 'Tue, 24 Nov 2026 12:00:00 GMT' }, 9000],
    ['more than the maximum', { 'Retry-After': '86400' }, 20_000],
    ['nonsense', { 'Retry-After': '-1 soon' }, 0],
    ['a time that has passed', { 'Retry-After': 'Tue, 24 Nov 2020 12:00:00 GMT' }, 0],
  ])('a Retry-After of %s sets the pause', async (_name, fields, milliseconds) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = (response) => response.writeHead(503, fields).end();
    const sending = new Sending(address, folder.path, { maxRetrySeconds: 20 });
    await sending.sink.write(event('a'));
    await sending.paused(1);
    if (milliseconds > 0) expect(sending.pauses[0]?.milliseconds).toBe(milliseconds);
    else expect(sending.pauses[0]?.milliseconds).toBeLessThanOrEqual(1000);
  });
});

/** A firewall before a receiver that may be down. */
class Firewall {
  readonly #one: Receiver;
  readonly #status: number | undefined;
  readonly taken = new Set<unknown>();
  isReceiverDown = false;

  /** `status`: its answer to bad records; undefined: none. */
  constructor(one: Receiver, status: number | undefined) {
    this.#one = one;
    this.#status = status;
    one.answer = (response) => this.#answer(response);
  }

  #answer(response: ServerResponse): void {
    const ids = this.#one.batches.at(-1) ?? [];
    if (!this.isReceiverDown && !ids.some((id) => String(id).startsWith('bad'))) {
      for (const id of ids) this.taken.add(id);
      response.writeHead(204).end();
    } else if (this.#status === undefined) response.socket?.destroy();
    else response.writeHead(this.#status).end('blocked');
  }
}

const byAgent = (id: string): Partial<AuditEvent> => ({ actor: { id } });
const { actor: _actor, ...byNobody } = event('', {
  phase: 'authentication',
  decision: 'deny',
  code: 'missing_signature',
});
/** One second of a flood: ten bad records of a stranger or an agent, and one of another agent, anywhere among them. */
async function floodIn({ sink }: Sending, round: number, writer: 'stranger' | 'agent'): Promise<void> {
  const bad = Array.from({ length: 10 }, (_, index) => {
    const id = `bad ${round}.${index}`;
    return writer === 'stranger' ? { ...byNobody, id } : event(id, byAgent('agent-bad'));
  });
  await Promise.all(bad.toSpliced(round % 11, 0, event(`good ${round}`)).map((each) => sink.write(each)));
}

function lineBy(partitionkey: string, id: string): string {
  return `${JSON.stringify({ id, partitionkey })}\n`;
}

/** Each look lets a second pass in the sink; in between, requests must be answered also on a busy machine. */
const slowly = { ...patiently, interval: 20 };

describe('a flood of records that a firewall blocks [F4]', () => {
  it.each<[string, 'stranger' | 'agent', number | undefined]>([
    ['a stranger, with 403', 'stranger', 403],
    ['a stranger, with 500', 'stranger', 500],
    ['a stranger, with no answer', 'stranger', undefined],
    ['an agent, with 403', 'agent', 403],
    ['an agent, with 500', 'agent', 500],
  ])('of %s, delays no record of another agent by a minute', async (_name, writer, status) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, status);
    const sending = new Sending(address, folder.path, { batchRecords: 20 });
    for (let round = 0; round < 40; round++) {
      const begun = sending.now;
      await floodIn(sending, round, writer);
      await vi.waitFor(() => {
        sending.pass(1000);
        expect(taken).toContain(`good ${round}`);
      }, slowly);
      expect(sending.now - begun).toBeLessThan(60_000);
    }
    expect(taken.size).toBe(40);
  });

  it('is searched in one batch, and known in the next, though batches come faster than they are searched', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, undefined);
    for (let batch = 10; batch < 40; batch++) {
      const good = Array.from({ length: 15 }, (_, index) => lineBy(`agent-${index}`, `good ${batch}.${index}`));
      const lines = good.toSpliced(batch % 16, 0, lineBy('agent-bad', `bad ${batch}`));
      writeFileSync(join(folder.path, `spool-0000000000${batch}.jsonl`), lines.join(''));
    }
    const sending = new Sending(address, folder.path, { batchRecords: 16 });
    await untilIn(sending, () => expect(taken.size).toBe(30 * 15));
    // One for each batch, and a few to find the agent.
    expect(one.batches.filter((ids) => ids.length > 1).length).toBeLessThan(2 * 30);
  });

  it('is not sent with records of others while one that failed waits', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, undefined);
    const sending = new Sending(address, folder.path, { batchRecords: 20 });
    const mixed = () =>
      one.batches.filter((ids) => ['bad', 'good'].every((word) => ids.some((id) => String(id).startsWith(word))))
        .length;
    const flood = async (round: number) => {
      await floodIn(sending, round, 'stranger');
      await untilIn(sending, () => expect(taken).toContain(`good ${round}`));
    };
    await flood(0);
    const first = mixed();
    expect(first).toBeGreaterThan(0);
    for (let round = 1; round < 3; round++) await flood(round);
    expect(mixed()).toBe(first);
    await untilRefused(sending, folder, 30);
    await flood(10);
    expect(mixed()).toBeGreaterThan(first);
  });

  it.each([403, 500])(
    'quarantines nothing else when the receiver answers %i to everything, also across restarts',
    async (status) => {
      using folder = temporaryFolder();
      const { receiver: one, address } = await receiver();
      const firewall = new Firewall(one, status);
      let sending = new Sending(address, folder.path, { batchRecords: 20 });
      for (let round = 0; round < 5; round++) {
        await sending.sink.write({ ...byNobody, id: `innocent ${round}` });
        await floodIn(sending, round, 'stranger');
        await untilIn(sending, () => expect(firewall.taken).toContain(`good ${round}`));
      }
      firewall.isReceiverDown = true;
      for (let restart = 0; restart < 3; restart++) {
        for (let count = 0; count < 10; count++) {
          await sending.sink.write(event(`outage ${restart}.${count}`, byAgent(`agent-${count}`)));
        }
        const begun = sending.pauses.length;
        const requests = one.batches.length;
        await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(begun + 20));
        // Each attempt of the two queues is a request and a few controls.
        expect(one.batches.length - requests).toBeLessThan(200);
        await sending.sink.close?.();
        sending = new Sending(address, folder.path, { batchRecords: 20 });
      }
      firewall.isReceiverDown = false;
      for (let count = 0; spooled(folder).length > rejectedIn(folder).length; count++) {
        await sending.sink.write(event(`after ${count}`));
        await untilIn(sending, () => expect(firewall.taken).toContain(`after ${count}`));
      }
      for (let round = 0; round < 5; round++) expect(firewall.taken).toContain(`innocent ${round}`);
      expect([...firewall.taken].filter((id) => String(id).startsWith('outage'))).toHaveLength(30);
      const rejected = rejectedIn(folder).flatMap((name) => idsIn(join(folder.path, name)));
      expect(rejected.filter((id) => !String(id).startsWith('bad'))).toEqual([]);
      expect(new Set(rejected).size).toBe(50);
    },
  );

  it('of an agent, fills no more of the spool than requests of strangers may, and leaves room for its outcomes', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 500);
    const most = 256 * 1024;
    const sending = new Sending(address, folder.path, { maxSpoolBytes: most });
    const { sink } = sending;
    const bad = (id: string) => event(`bad ${id}`, { ...byAgent('agent-bad'), scope: ['x'.repeat(200)] });
    await Promise.all([sink.write(bad('first')), sink.write(event('good'))]);
    await untilDelayed(sending, folder);
    await untilIn(sending, () => expect(taken).toContain('good'));
    const writes = Array.from({ length: 200 }, (_, count) => sink.write(bad(`${count}`)));
    const failed = (await Promise.allSettled(writes)).filter(({ status }) => status === 'rejected');
    expect(failed).not.toEqual([]);
    expect(sink.backlog?.().unsentBytes).toBeLessThanOrEqual(most / 4);
    await sink.write({ ...bad('outcome'), phase: 'outcome' });
    await sink.write(event('another', byAgent('agent-good')));
  });

  it('holds up no record between bad ones, even if nothing else is sent', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 403);
    for (let number = 10; number < 40; number++) {
      const lines = number === 20 ? '{"id":"good"}\n' : `{"id":"bad ${number}"}\n{"id":"bad also ${number}"}\n`;
      writeFileSync(join(folder.path, `delayed-0000000000${number}.jsonl`), lines);
    }
    const sending = new Sending(address, folder.path);
    await sending.sink.write(event('first'));
    await untilIn(sending, () => expect(taken).toEqual(new Set(['first', 'good'])));
    expect(rejectedIn(folder)).toEqual([]);
  });

  it('loses no record that a crash left on its way to the second queue', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 403);
    writeFileSync(join(folder.path, 'spool-000000000001.jsonl'), '{"id":"a"}\n{"id":"b"}\n');
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), '{"id":"0"}\n{"id":"a"}\n{"id":"to');
    const { sink } = new Sending(address, folder.path);
    expect(sink.backlog?.()).toEqual({ unsentBytes: 8192 });
    await vi.waitFor(() => expect(spooled(folder)).toEqual([]), patiently);
    expect(taken).toEqual(new Set(['0', 'a', 'b']));
    await sink.write(event('c'));
    await arrived(one, 5);
  });
});

describe('records beside those that fail [F4]', () => {
  it.each<[string, number, Record<string, string>]>([
    ['429', 429, {}],
    ['503 with Retry-After', 503, { 'Retry-After': '1' }],
  ])('cost one request for each pause while the receiver answers %s', async (_name, status, fields) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    let isLimited = false;
    const taken = new Set<unknown>();
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      if (isLimited) return void response.writeHead(status, fields).end();
      if (ids.includes('bad')) return void response.writeHead(403).end();
      for (const id of ids) taken.add(id);
      response.writeHead(204).end();
    };
    const sending = new Sending(address, folder.path, { batchRecords: 21 });
    await sending.sink.write(event('bad'));
    await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(2));
    isLimited = true;
    const ids = Array.from({ length: 20 }, (_, index) => `${index}`);
    await Promise.all(ids.map((id) => sending.sink.write(event(id, byAgent(`agent-${id}`)))));
    const begun = sending.pauses.length;
    const requests = one.batches.length;
    await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(begun + 20));
    expect(one.batches.length - requests).toBeLessThanOrEqual(sending.pauses.length - begun + 2);
    isLimited = false;
    await untilIn(sending, () => expect([...taken]).toEqual(expect.arrayContaining(ids)));
    expect(rejectedIn(folder)).toEqual([]);
  });

  it('are never quarantined by a receiver that takes two requests for each pause, and answers 429 to more', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken = new Set<unknown>();
    let room = 2;
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      room -= 1;
      if (room < 0) return void response.writeHead(429).end();
      if (ids.some((id) => String(id).startsWith('bad'))) return void response.writeHead(403).end();
      for (const id of ids) taken.add(id);
      response.writeHead(204).end();
    };
    const sending = new Sending(address, folder.path, { batchRecords: 21 });
    for (let round = 0; round < 10; round++) {
      await sending.sink.write({ ...byNobody, id: `bad ${round}` });
      const ids = Array.from({ length: 20 }, (_, index) => `${round}.${index}`);
      await Promise.all(ids.map((id, index) => sending.sink.write(event(id, byAgent(`agent-${index}`)))));
      await vi.waitFor(() => {
        room = 2;
        for (const { end } of sending.pauses) end();
        expect([...taken]).toEqual(expect.arrayContaining(ids));
      }, slowly);
    }
    const rejected = rejectedIn(folder).flatMap((name) => idsIn(join(folder.path, name)));
    expect(rejected.filter((id) => !String(id).startsWith('bad'))).toEqual([]);
  });

  it.each([
    ['429', 429],
    ['502, down for three seconds', 502],
  ])('are delivered past three batches that the receiver answers with %s', async (_how, status) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    for (const [at, id] of ['bad 1', 'bad 2', 'bad 3'].entries()) {
      writeFileSync(join(folder.path, `spool-00000000000${at + 1}.jsonl`), lineBy(`agent-${at}`, id));
    }
    const sending = new Sending(address, folder.path, { batchRecords: 2 });
    const taken = new Set<unknown>();
    let downUntil = 0;
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      const isBad = ids.some((id) => String(id).startsWith('bad'));
      if (isBad && status === 502 && sending.now >= downUntil) downUntil = sending.now + 3000;
      if (isBad || sending.now < downUntil) return void response.writeHead(status).end();
      for (const id of ids) taken.add(id);
      response.writeHead(204).end();
    };
    const ids = Array.from({ length: 6 }, (_, index) => `${index}`);
    for (const id of ids) await sending.sink.write(event(id));
    await vi.waitFor(() => {
      sending.pass(1000);
      expect([...taken]).toEqual(expect.arrayContaining(ids));
    }, slowly);
  });

  it('are delivered within one pause, all of them, past a batch that a gateway answers with Retry-After', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken = new Set<unknown>();
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      if (ids.includes('bad')) return void response.writeHead(503, { 'Retry-After': '30' }).end();
      for (const id of ids) taken.add(id);
      response.writeHead(204).end();
    };
    const sending = new Sending(address, folder.path, { batchRecords: 2 });
    await sending.sink.write({ ...byNobody, id: 'bad' });
    await sending.paused(1);
    for (let round = 1; round <= 3; round++) {
      const ids = Array.from({ length: 20 }, (_, index) => `${round}.${index}`);
      await Promise.all(ids.map((id) => sending.sink.write(event(id))));
      expect(sending.pauses).toHaveLength(round);
      sending.pass(30_000);
      await vi.waitFor(() => expect([...taken]).toEqual(expect.arrayContaining(ids)), patiently);
      await sending.paused(round + 1);
    }
    expect(rejectedIn(folder)).toEqual([]);
  });

  it('wait in both queues for as long as the receiver asks', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const asked = ['30', '1'];
    one.answer = (response) => response.writeHead(503, { 'Retry-After': asked.shift() ?? '30' }).end();
    writeFileSync(join(folder.path, 'spool-000000000001.jsonl'), lineBy('agent-a', 'a'));
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), lineBy('agent-b', 'b'));
    const sending = new Sending(address, folder.path);
    await sending.paused(2);
    expect(one.batches).toHaveLength(2);
    sending.pass(29_000);
    await sending.paused(2);
    expect(sending.pauses).toHaveLength(2);
    expect(one.batches).toHaveLength(2);
    sending.pass(1000);
    await vi.waitFor(() => expect(one.batches.length).toBeGreaterThan(2), patiently);
  });

  it('are delivered past a batch that the receiver answers with 429', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const taken = new Set<unknown>();
    one.answer = judging(one, (ids) => {
      if (ids.includes('bad')) return 429;
      for (const id of ids) taken.add(id);
      return 204;
    });
    const sending = new Sending(address, folder.path, { batchRecords: 1 });
    const ids = ['a', 'b', 'c'];
    await Promise.all(['bad', ...ids].map((id) => sending.sink.write(event(id))));
    await untilIn(sending, () => expect(taken).toEqual(new Set(ids)));
    expect(rejectedIn(folder)).toEqual([]);
  });

  it.each<[string, number | undefined]>([
    ['that blocks the sender for five seconds', 403],
    ['that crashes, and is back after five seconds', undefined],
  ])('are delivered and not quarantined, by a receiver %s after a bad one', async (_name, status) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const sending = new Sending(address, folder.path, { batchRecords: 20 });
    const taken = new Set<unknown>();
    let downUntil = 0;
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      if (sending.now >= downUntil && ids.includes('bad')) downUntil = sending.now + 5000;
      if (sending.now < downUntil) {
        if (status === undefined) response.socket?.destroy();
        else response.writeHead(status).end();
        return;
      }
      for (const id of ids) taken.add(id);
      response.writeHead(204).end();
    };
    const ids: string[] = [];
    const good = async (): Promise<void> => {
      const id = `${ids.length}`;
      ids.push(id);
      await sending.sink.write(event(id, byAgent(`agent-${ids.length % 8}`)));
    };
    await Promise.all([sending.sink.write({ ...byNobody, id: 'bad' }), ...Array.from({ length: 8 }, good)]);
    const rejected = () => rejectedIn(folder).flatMap((name) => idsIn(join(folder.path, name)));
    await vi.waitFor(async () => {
      sending.pass(1000);
      await good();
      expect(rejected()).toContain('bad');
    }, slowly);
    await vi.waitFor(() => {
      sending.pass(1000);
      expect(ids.filter((id) => !taken.has(id) && !rejected().includes(id))).toEqual([]);
    }, slowly);
    expect(rejected()).toEqual(['bad']);
  });

  it('are delivered past a batch that cannot move to the second queue', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 403);
    const sending = new Sending(address, folder.path, { batchRecords: 3 });
    const blocking = Array.from({ length: 300 }, (_, index) =>
      join(folder.path, `delayed-${String(index + 1).padStart(12, '0')}.jsonl`),
    );
    for (const path of blocking) mkdirSync(path);
    const ids = Array.from({ length: 60 }, (_, index) => `${index}`);
    await Promise.all(
      [{ ...byNobody, id: 'bad' }, ...ids.map((id) => event(id))].map((each) => sending.sink.write(each)),
    );
    await untilIn(sending, () => expect(taken).toEqual(new Set(ids)));
    // In batches, and not one by one as evidence that the receiver works.
    expect(one.batches.filter((batch) => !batch.includes('bad')).length).toBeLessThan(40);
    for (const path of blocking) rmSync(path, { recursive: true });
    await untilRefused(sending, folder, 1);
  });

  it('are kept when a receiver that was down answers 400 for a moment', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    let status = 503;
    one.answer = (response) => response.writeHead(status).end();
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), '{"id":"a"}\n{"id":"b"}\n');
    const sending = new Sending(address, folder.path);
    await untilIn(sending, () => expect(sending.pauses.length).toBeGreaterThan(8));
    status = 400;
    const requests = one.batches.length;
    for (const count of [1, 2, 3]) {
      for (const { end } of sending.pauses) end();
      await vi.waitFor(() => expect(one.batches.length).toBeGreaterThanOrEqual(requests + count), patiently);
    }
    status = 204;
    await untilIn(sending, () => expect(spooled(folder)).toEqual([]));
  });

  it('stay in the first queue when a writer fails alone once', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const isDelayed = () => spooled(folder).some((name) => name.startsWith('delayed-'));
    let wasDelayed = false;
    let alone = 0;
    one.answer = judging(one, (ids) => {
      wasDelayed ||= isDelayed();
      if (ids.includes('a') && ids.includes('b')) return 503;
      if (!ids.includes('b')) return 204;
      alone += 1;
      return alone === 1 ? 503 : 204;
    });
    const sending = new Sending(address, folder.path, { batchRecords: 2 });
    const b = event('b', byAgent('agent-b'));
    await Promise.all([sending.sink.write(event('a')), sending.sink.write(b)]);
    await untilIn(sending, () => expect(spooled(folder)).toEqual([]));
    expect([alone, wasDelayed]).toEqual([2, false]);
  });

  it('return to the first queue once the records that failed are received, while others wait in the second', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 503);
    const answer = one.answer;
    const isDelayed = (id: string) =>
      readdirSync(folder.path).some(
        (name) => name.startsWith('delayed-') && readFileSync(join(folder.path, name), 'utf8').includes(`"id":"${id}"`),
      );
    let wasDelayed = false;
    one.answer = (response) => {
      const ids = one.batches.at(-1) ?? [];
      if (ids.includes('c')) wasDelayed ||= isDelayed('c');
      if (ids.includes('b') && !isDelayed('b')) response.writeHead(503).end();
      else answer(response);
    };
    const type = 'dev.countersign.authentication.v1';
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), `${JSON.stringify({ id: 'bad', type })}\n`);
    const sending = new Sending(address, folder.path, { batchRecords: 2 });
    await Promise.all([sending.sink.write(event('a')), sending.sink.write(event('b', byAgent('agent-b')))]);
    await untilDelayed(sending, folder, 2);
    await untilIn(sending, () => expect(taken).toContain('b'));
    expect(isDelayed('bad')).toBe(true);
    await sending.sink.write(event('c', byAgent('agent-b')));
    await untilIn(sending, () => expect(taken).toContain('c'));
    expect(wasDelayed).toBe(false);
  });

  it('of an agent with a bad one, are accepted while records of strangers fill their quarter of the spool', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 403);
    const type = 'dev.countersign.authentication.v1';
    const lines = Array.from({ length: 80 }, (_, index) =>
      JSON.stringify({ id: `bad ${index}`, type, x: 'x'.repeat(900) }),
    );
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), `${lines.join('\n')}\n`);
    const sending = new Sending(address, folder.path, { maxSpoolBytes: 256 * 1024, batchRecords: 100 });
    await Promise.all([sending.sink.write(event('bad own', byAgent('agent-b'))), sending.sink.write(event('a'))]);
    await untilDelayed(sending, folder, 2);
    await sending.sink.write(event('b', byAgent('agent-b')));
    await untilIn(sending, () => expect(taken).toContain('b'));
  });

  it('that are received in a pause keep the pauses of the second queue short', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 403);
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), '{"id":"bad 1"}\n{"id":"bad 2"}\n');
    writeFileSync(join(folder.path, 'delayed-000000000002.jsonl'), '{"id":"bad 3"}\n{"id":"bad 4"}\n');
    const sending = new Sending(address, folder.path);
    for (let count = 1; count <= 6; count++) {
      await sending.paused(count);
      await sending.sink.write(event(`${count}`));
      await vi.waitFor(() => expect(taken).toContain(`${count}`), patiently);
      sending.pauses[count - 1]?.end();
    }
    expect(Math.max(...sending.pauses.map(({ milliseconds }) => milliseconds))).toBeLessThanOrEqual(1000);
  });

  it('do not wait in the second queue until the bad records of older batches are judged', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const { taken } = new Firewall(one, 403);
    const numbers = Array.from({ length: 20 }, (_, index) => 20 + index);
    writeFileSync(join(folder.path, 'delayed-000000000001.jsonl'), '{"id":"bad"}\n{"id":"good"}\n');
    for (const number of numbers) {
      writeFileSync(
        join(folder.path, `delayed-0000000000${number}.jsonl`),
        `{"id":"${number}"}\n{"id":"${number}+"}\n`,
      );
    }
    const sending = new Sending(address, folder.path);
    await untilIn(sending, () => expect(taken.size).toBe(41));
    expect(one.ids.filter((id) => id === 'bad').length).toBeLessThan(4);
    expect(rejectedIn(folder)).toEqual([]);
  });
});

describe('a waiting batch that is not a regular file [G5, F6]', () => {
  it.each<[string, (path: string) => void]>([
    ['a link to a file', (path) => symlinkSync('/etc/hosts', path)],
    ['a dangling link', (path) => symlinkSync('/nowhere', path)],
    ['a folder', (path) => mkdirSync(path)],
  ])('stops the start when it is %s', async (_name, put) => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    const path = join(folder.path, 'spool-000000000001.jsonl');
    put(path);
    expect(() => new Sending(address, folder.path)).toThrow(ConfigError);
    expect(() => new Sending(address, folder.path)).toThrow(`'${path}' is not a regular file. Remove it`);
    rmSync(path, { recursive: true });
    const { sink } = new Sending(address, folder.path);
    await sink.write(event('a'));
    await arrived(one, 1);
    expect(one.batches).toEqual([['a']]);
  });

  it('is not followed when it becomes a link', async () => {
    using folder = temporaryFolder();
    const { receiver: one, address } = await receiver();
    one.answer = judging(one, () => 503);
    const sending = new Sending(address, folder.path, { batchRecords: 1 });
    await sending.sink.write(event('a'));
    await sending.paused(1);
    await sending.sink.write(event('b'));
    const path = join(folder.path, spooled(folder)[1]!);
    rmSync(path);
    writeFileSync(join(folder.path, 'secret'), '{"id":"secret"}\n');
    symlinkSync(join(folder.path, 'secret'), path);
    one.answer = judging(one, () => 204);
    sending.pauses[0]?.end();
    await sending.paused(2);
    expect(one.batches).toEqual([['a'], ['a']]);
    expect(sending.told.at(-1)).toContain('ELOOP');
  });
});

describe('options [G5]', () => {
  it('a second process is refused the spool', async () => {
    using folder = temporaryFolder();
    const { address } = await receiver();
    const first = new Sending(address, folder.path);
    expect(() => new Sending(address, folder.path)).toThrow(/auditCloudEvents: .* is written already/);
    await first.sink.close?.();
    expect(() => new Sending(address, folder.path)).not.toThrow();
  });

  const source = 'https://api.acme.dev';
  it.each<[string, object, string]>([
    ['ftp://x', {}, 'must begin with https://'],
    ['http://siem.example/', {}, 'must begin with https://'],
    ['https://user:secret@siem.example/', {}, 'without credentials'],
    ['https://siem.example/', { source: '' }, "'source' is missing"],
    ['https://siem.example/', { source: 'not a uri <>' }, "'source' must be a URI reference"],
    ['https://siem.example/', { source: 'https://api.acme.dev/%zz' }, "'source' must be a URI reference"],
    ['https://siem.example/', { source: '1st:segment' }, "'source' must be a URI reference"],
    ['https://siem.example/', { source: 'https://[api' }, "'source' must be a URI reference"],
    ['https://siem.example/', { source: '/a#b#c' }, "'source' must be a URI reference"],
    ['https://siem.example/', { spoolDirectory: undefined }, "'spoolDirectory' is missing"],
    ['https://siem.example/', { spoolDirectory: '/dev/null/x' }, 'cannot be used'],
    ['https://siem.example/', { maxSpoolBytes: 1 }, 'maxSpoolBytes'],
    ['https://siem.example/', { batchRecords: 0 }, 'batchRecords'],
    ['https://siem.example/', { batchSeconds: -1 }, 'batchSeconds'],
    ['https://siem.example/', { timeoutSeconds: 0 }, 'timeoutSeconds'],
    ['https://siem.example/', { authorization: 'Bearer a\nb' }, 'printable ASCII'],
    ['https://siem.example/', { clock: 1 }, "'clock' must be a function"],
    ['https://siem.example/', { data: {} }, "'data' must be a function"],
    ['https://siem.example/', { spool: 'x' }, 'unknown option'],
  ])('%s %j', (address, change, message) => {
    using folder = temporaryFolder();
    const options = { source, spoolDirectory: folder.path, ...change };
    expect(() => auditCloudEvents(address, options)).toThrow(ConfigError);
    expect(() => auditCloudEvents(address, options)).toThrow(message);
  });

  it.each(['https://api.acme.dev/a?b#c', 'urn:acme:api', '/audit/1', 'audit/1', '//[::1]:8080/%7Ex', "a-b_c~(d)'!*"])(
    'the source %s is accepted',
    async (name) => {
      using folder = temporaryFolder();
      await auditCloudEvents('https://siem.example/', { source: name, spoolDirectory: folder.path }).close?.();
    },
  );
});
