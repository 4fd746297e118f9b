import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { openCheckpoint, readKeptCheckpoints, splitCheckpoints, verifyLog } from '@countersign/audit-verifier';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { auditFile, auditFileWith } from '../../src/log/audit-file.js';
import { fileWitness } from '../../src/witnesses/file-witness.js';
import { httpWitness } from '../../src/witnesses/http-witness.js';
import type { CheckpointWitness } from '../../src/witnesses/witness.js';
import { WitnessQueue } from '../../src/witnesses/witness-queue.js';
import { ConfigError } from '@countersign/common';
import { hangPool, pendingFileOperations } from '../../../../test/support/hung-open.js';
import { patiently } from '../../../../test/support/patiently.js';
import { Deferred } from '../../../core/test/deferred.js';
import { event, type Folder, temporaryFolder } from '../events.js';
import { fullFor } from '../disk/faults.js';
import { fillDisk } from '../fill-disk.js';

async function writeLog(
  folder: Folder,
  witnesses: readonly CheckpointWitness[],
  troubles: string[] = [],
): Promise<void> {
  const sink = auditFile(folder.path, {
    witnesses,
    checkpointEvery: { records: 2 },
    onTrouble: (message) => void troubles.push(message),
  });
  for (let count = 0; count < 8; count++) await sink.write(event(`${count}`));
  await sink.close?.();
}

const keyOf = (folder: Folder): string => readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8').trim();

let server: Server | undefined;
afterEach(() => server?.close());

/** A witness that keeps what it is sent, and answers as it is told. */
async function listen(status: number): Promise<{ url: string; received: IncomingMessage[]; bodies: string[] }> {
  const received: IncomingMessage[] = [];
  const bodies: string[] = [];
  server = createServer((request, response) => {
    received.push(request);
    void text(request).then((body) => {
      bodies.push(body);
      response.writeHead(status, { Location: '/elsewhere' }).end('kept');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/checkpoints`, received, bodies };
}

describe('the backlog of a log', () => {
  it('has the records without a checkpoint, and those that the slowest witness has no checkpoint of', async () => {
    using folder = temporaryFolder();
    const taken = new Deferred();
    const slow = { name: 'slow', receive: () => taken.promise };
    const fast = { name: 'fast', receive: async () => {} };
    const sink = auditFile(folder.path, { witnesses: [fast, slow], checkpointEvery: { records: 3 } });
    const size = () =>
      readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8')
        .split('\n')
        .filter((line) => /^\d+$/.test(line))
        .at(-1);
    for (const id of ['a', 'b']) await sink.write(event(id));
    const { unsealed = 0, unwitnessed = 0 } = sink.backlog?.() ?? {};
    expect(unsealed).toBe(2);
    expect(unwitnessed).toBeGreaterThan(2);
    await sink.write(event('c'));
    await vi.waitFor(() => expect(sink.backlog?.().unsealed).toBe(0), patiently);
    expect(sink.backlog?.().unwitnessed).toBe(Number(size()) + 1);
    taken.resolve();
    // The log's own record of the checkpoint is the only one after it.
    await vi.waitFor(() => expect(sink.backlog?.().unwitnessed).toBe(1), patiently);
    await sink.close?.();
  });

  it('has no witnesses if there are none', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    await sink.write(event('a'));
    expect(Object.keys(sink.backlog?.() ?? {})).toEqual(['unsealed']);
    await sink.close?.();
  });
});

describe('a witness', () => {
  it('delays a close by ten seconds at most when it never answers, and releases the folder at once [F4]', async () => {
    using folder = temporaryFolder();
    const troubles: string[] = [];
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const silent = { name: 'the silent one', receive: () => new Promise<void>(() => {}) };
      const sink = auditFile(folder.path, { witnesses: [silent], onTrouble: (text) => void troubles.push(text) });
      await sink.write(event('a'));
      const closed = sink.close?.();
      while (existsSync(join(folder.path, 'audit.lock'))) await setImmediate();
      await auditFile(folder.path).close?.();
      expect(troubles).toEqual([]);
      await vi.advanceTimersByTimeAsync(10_000);
      await closed;
      expect(troubles).toEqual([expect.stringContaining('the silent one did not take the last checkpoint')]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  it('gets a checkpoint even if the log could not write its record [F6]', async () => {
    using folder = temporaryFolder();
    const notes: string[] = [];
    const witness = { name: 'test', receive: async (note: string) => void notes.push(note) };
    const sink = auditFileWith(fullFor('"phase":"checkpoint"'), folder.path, { witnesses: [witness], onTrouble() {} });
    await sink.write(event('a'));
    await sink.close?.();
    expect(notes.map((note) => note.split('\n')[1])).toEqual(['1', '2']);
    expect(await verifyLog(folder.path, { key: keyOf(folder) })).toMatchObject({ ok: true, sealed: 2 });
  });

  it('gets the last checkpoint again at each start [F6]', async () => {
    using folder = temporaryFolder();
    await writeLog(folder, []);
    const own = splitCheckpoints(readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8'));
    const notes: string[] = [];
    const sink = auditFile(folder.path, {
      witnesses: [{ name: 'test', receive: async (note) => void notes.push(note) }],
    });
    await setImmediate();
    expect(notes).toEqual([own.at(-1)]);
    await sink.close?.();
  });

  it('is reported at the start, and stops nothing, when it cannot be reached [G5, F4]', async () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    const path = join(elsewhere.path, 'no', 'such', 'folder');
    const troubles: string[] = [];
    const onTrouble = (text: string): void => void troubles.push(text);
    const sink = auditFile(folder.path, { witnesses: [fileWitness(path)], onTrouble });
    await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
    expect(troubles[0]).toContain(
      `the witness ${path} took no checkpoint, once now: Error: there is no folder '${dirname(path)}'. Make it`,
    );
    await sink.write(event('a'));
    await sink.close?.();
  });

  it('never writes its file through a symbolic link [F6]', async () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    writeFileSync(elsewhere.log, 'precious');
    const path = join(elsewhere.path, 'checkpoints');
    const witness = fileWitness(path);
    symlinkSync(elsewhere.log, path);
    const troubles: string[] = [];
    await writeLog(folder, [witness], troubles);
    expect(readFileSync(elsewhere.log, 'utf8')).toBe('precious');
    expect(troubles[0]).toMatch(/checkpoints' is not a regular file .* Name the file itself/);
  });

  it('writes to the file that its path named when it was made [G6]', async () => {
    using start = temporaryFolder();
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(start.path);
    const witness = fileWitness('checkpoints');
    cwd.mockRestore();
    await witness.receive('note\n');
    expect(readFileSync(join(start.path, 'checkpoints'), 'utf8')).toBe('note\n\n');
  });

  it.skipIf(process.platform === 'win32')('occupies one thread while its file system hangs [F4]', async () => {
    using elsewhere = temporaryFolder();
    const path = join(elsewhere.path, 'checkpoints');
    const witness = fileWitness(path);
    const release = await hangPool();
    const before = pendingFileOperations();
    const receipts = ['1\n', '2\n', '3\n'].map((note) => witness.receive(note));
    await setImmediate();
    expect(pendingFileOperations()).toBe(before + 1);
    release();
    await Promise.all(receipts);
    expect(readFileSync(path, 'utf8')).toBe('1\n\n2\n\n3\n\n');
  });

  it('takes the next checkpoint after its file could not be written [F4]', async () => {
    using elsewhere = temporaryFolder();
    const path = join(elsewhere.path, 'new', 'checkpoints');
    const witness = fileWitness(path);
    await expect(witness.receive('1\n')).rejects.toThrow('there is no folder');
    mkdirSync(dirname(path));
    await witness.receive('2\n');
    expect(readFileSync(path, 'utf8')).toBe('2\n\n');
  });

  it('keeps checkpoints in a file for verifyLog [F6]', async () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    const path = join(elsewhere.path, 'checkpoints');
    await writeLog(folder, [fileWitness(path)]);
    const checkpoints = readFileSync(path, 'utf8');
    const report = await verifyLog(folder.path, { key: keyOf(folder), checkpoints });
    expect(report).toMatchObject({ ok: true, sealed: report.size - 1 });
    const own = splitCheckpoints(readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8'));
    expect(splitCheckpoints(checkpoints).at(-1)).toBe(own.at(-1));
  });

  it('removes the note that a full disk tore from its file [F6]', async () => {
    using elsewhere = temporaryFolder();
    const path = join(elsewhere.path, 'checkpoints');
    const written = await fillDisk('witness', path);
    const { notes, strays } = readKeptCheckpoints(readFileSync(path, 'utf8'));
    expect([notes.length, strays]).toEqual([written, []]);
    expect(notes.length).toBeGreaterThan(1);
  });

  it('keeps checkpoints whole behind a torn one that nobody removed [F6]', async () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    const whole = join(elsewhere.path, 'whole');
    await writeLog(folder, [fileWitness(whole)]);
    const [note = ''] = splitCheckpoints(readFileSync(whole, 'utf8'));
    for (let length = 1; length <= note.length; length++) {
      const path = join(elsewhere.path, `${length}`);
      writeFileSync(path, note.slice(0, length));
      for (let count = 0; count < 2; count++) await fileWitness(path).receive(note);
      const kept = readKeptCheckpoints(readFileSync(path, 'utf8')).notes;
      expect(kept.filter((one) => one === note).length, `${length}`).toBeGreaterThanOrEqual(2);
    }
  });

  it('keeps two logs with the same origin and key apart in one file [N1]', async () => {
    using one = temporaryFolder();
    using two = temporaryFolder();
    using elsewhere = temporaryFolder();
    const file = join(elsewhere.path, 'shared.checkpoints');
    const options = { origin: 'acme.dev/audit/1', checkpointKey: join(elsewhere.path, 'key.pem') };
    for (const folder of [one, two, one]) {
      const sink = auditFile(folder.path, { ...options, witnesses: [fileWitness(file)] });
      await sink.write(event('a'));
      await sink.close?.();
    }
    const checkpoints = readFileSync(file, 'utf8');
    for (const folder of [one, two]) {
      expect(await verifyLog(folder.path, { key: keyOf(folder), checkpoints })).toMatchObject({ ok: true });
    }
    // The whole of one log in the place of the other is not what its auditor has the key of.
    const swapped = await verifyLog(two.path, { key: keyOf(one), checkpoints });
    expect(swapped.findings.map(({ kind }) => kind)).toContain('wrong_key');
  });

  it('gets each signed checkpoint over HTTP with its authorization [F6]', async () => {
    using folder = temporaryFolder();
    const { url, received, bodies } = await listen(204);
    await writeLog(folder, [httpWitness(url, { authorization: 'Bearer 1234' })]);
    expect(bodies.length).toBeGreaterThan(0);
    for (const body of bodies) expect(openCheckpoint(body, keyOf(folder)).ok).toBe(true);
    expect(received[0]).toMatchObject({
      method: 'POST',
      headers: { authorization: 'Bearer 1234', 'content-type': 'text/plain; charset=utf-8' },
    });
  });

  it.each([500, 302, 404])('is reported when it answers %i, and the log continues [F4]', async (status) => {
    using folder = temporaryFolder();
    const { url, received } = await listen(status);
    const troubles: string[] = [];
    await writeLog(folder, [httpWitness(url)], troubles);
    expect(troubles.length).toBeGreaterThan(0);
    expect(troubles[0]).toContain(`the witness ${new URL(url).host} took no checkpoint, once now`);
    expect(received.every(({ url: path }) => path === '/checkpoints')).toBe(true);
    expect((await verifyLog(folder.path, { key: keyOf(folder) })).ok).toBe(true);
  });

  it('delays nobody when it is slow, and gets the latest checkpoint next [F4]', async () => {
    using folder = temporaryFolder();
    const first = new Deferred();
    const notes: string[] = [];
    const slow: CheckpointWitness = {
      name: 'slow',
      async receive(note) {
        notes.push(note);
        if (notes.length === 1) await first.promise;
      },
    };
    const sink = auditFile(folder.path, { witnesses: [slow], checkpointEvery: { records: 2 } });
    for (let count = 0; count < 8; count++) await sink.write(event(`${count}`));
    expect(notes).toHaveLength(1);
    first.resolve();
    await sink.close?.();
    const sizes = notes.map((note) => Number(note.split('\n')[1]));
    expect(sizes.length).toBeLessThanOrEqual(3);
    const own = splitCheckpoints(readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8'));
    expect(own.length).toBeGreaterThan(3);
    expect(notes.at(-1)).toBe(own.at(-1));
  });

  it('is reported when it never answers, and gets the latest checkpoint later [L2]', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const notes: string[] = [];
    const troubles: string[] = [];
    const first = new Deferred();
    const mute: CheckpointWitness = {
      name: 'mute',
      receive(note) {
        notes.push(note);
        return notes.length === 1 ? first.promise : Promise.resolve();
      },
    };
    const queue = new WitnessQueue(mute, (text) => void troubles.push(text), Date.now);
    for (const note of ['1', '2', '3']) queue.enqueue(note);
    expect(notes).toEqual(['1']);
    vi.advanceTimersByTime(600_001);
    queue.enqueue('4');
    expect(notes).toEqual(['1', '4']);
    expect(troubles).toEqual([expect.stringContaining('took no checkpoint, once now: no answer within 600 s')]);
    first.resolve();
    await setImmediate();
    queue.enqueue('5');
    await setImmediate();
    expect(notes).toEqual(['1', '4', '5']);
  });

  it('gets a checkpoint that it did not take again, at the latest when the log is closed [F4, F6]', async () => {
    const taken: string[] = [];
    let isDown = true;
    const witness: CheckpointWitness = {
      name: 'sometimes',
      receive: async (note) => {
        if (isDown) throw new Error('down');
        taken.push(note);
      },
    };
    const queue = new WitnessQueue(witness, () => {}, Date.now);
    queue.enqueue('log\n1\n');
    queue.enqueue('log\n2\n');
    await setImmediate();
    isDown = false;
    await queue.close(1);
    expect([taken, queue.size]).toEqual([['log\n2\n'], 2]);
  });

  it('has its failures throttled, and its recovery reported [F4]', async () => {
    using folder = temporaryFolder();
    const troubles: string[] = [];
    let calls = 0;
    const failing: CheckpointWitness = {
      name: 'failing',
      receive() {
        calls += 1;
        if (calls <= 9) throw new Error('gone');
        return Promise.resolve();
      },
    };
    const onTrouble = (text: string): void => void troubles.push(text);
    const sink = auditFile(folder.path, { witnesses: [failing], checkpointEvery: { records: 1 }, onTrouble });
    for (let count = 0; count < 12; count++) await sink.write(event(`${count}`));
    await sink.close?.();
    expect(troubles).toEqual([
      ...['once', '2 times', '4 times', '8 times'].map((times) =>
        expect.stringContaining(`the witness failing took no checkpoint, ${times} now: Error: gone`),
      ),
      'countersign: the witness failing takes checkpoints again.',
    ]);
  });

  it('is not reported each time when it takes every second checkpoint [F4]', async () => {
    using folder = temporaryFolder();
    const troubles: string[] = [];
    let calls = 0;
    const flapping: CheckpointWitness = {
      name: 'flapping',
      async receive() {
        calls += 1;
        if (calls % 2 === 0) throw new Error('gone');
      },
    };
    let now = Date.parse('2026-11-24T12:00:00Z');
    const sink = auditFile(folder.path, {
      witnesses: [flapping],
      checkpointEvery: { records: 1 },
      clock: () => now,
      onTrouble: (text) => void troubles.push(text),
    });
    for (let count = 0; count < 19; count++) await sink.write(event(`${count}`));
    expect(calls).toBe(20);
    expect(troubles.map((text) => /no checkpoint, (.*) now/.exec(text)?.[1])).toEqual([
      'once',
      '2 times',
      '4 times',
      '8 times',
    ]);
    now += 10_000;
    await sink.write(event('last'));
    expect(troubles.slice(4)).toEqual(['countersign: the witness flapping takes checkpoints again.']);
    await sink.close?.();
  });

  it('is reported with the cause when nobody listens [F4]', async () => {
    using folder = temporaryFolder();
    const { url } = await listen(204);
    server?.close();
    await once(server!, 'close');
    const troubles: string[] = [];
    await writeLog(folder, [httpWitness(url)], troubles);
    expect(troubles[0]).toMatch(/it cannot be reached: TypeError: fetch failed \(.*ECONNREFUSED/);
  });

  it('is refused when its file is in the folder of the log, by any name [F6, G5]', () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    symlinkSync(folder.path, join(elsewhere.path, 'link'));
    const within = ['checkpoints', join('sub', 'checkpoints'), '..checkpoints'].map((name) => join(folder.path, name));
    const linked = join(elsewhere.path, 'link', 'checkpoints');
    for (const path of [...within, relative('.', within[0]!), linked]) {
      const witnesses = [fileWitness(path)];
      expect(() => auditFile(folder.path, { witnesses }), path).toThrow(/lies in the folder of the log, and goes/);
    }
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it.each(['Bearer SECRET\nx', 'Bearer SECRET\r', 'Bearer ä', '', ' ', 'Bearer SECRET ', 7])(
    'is refused at the start, without a quote, when its authorization cannot be sent: %j [F2]',
    (authorization) => {
      const make = () => httpWitness('https://auditors.example/', { authorization: authorization as string });
      expect(make).toThrow(ConfigError);
      expect(make).not.toThrow(/SECRET/);
    },
  );

  it('is refused when its address is invalid or not https [G5]', () => {
    for (const address of ['', 'x', 'ftp://x', 'http://auditors.example/', 'https://u:p@auditors.example/']) {
      expect(() => httpWitness(address)).toThrow(ConfigError);
    }
    expect(() => httpWitness('http://auditors.example/')).toThrow(/`dangerouslyAllowHttp: true` allows http/);
    expect(() => httpWitness('ftp://auditors.example/')).toThrow(/must begin with https:\/\/\.$/);
    expect(() => httpWitness('https://x', { timeoutSeconds: 0 })).toThrow(ConfigError);
    expect(() => httpWitness('https://x', { timeoutSecond: 1 } as object)).toThrow(/Did you mean 'timeoutSeconds'/);
    expect(httpWitness('http://auditors.example/', { dangerouslyAllowHttp: true }).name).toBe('auditors.example');
    expect(() => fileWitness('')).toThrow(ConfigError);
    using folder = temporaryFolder();
    symlinkSync('/nowhere', join(folder.path, 'link'));
    expect(() => fileWitness(join(folder.path, 'link'))).toThrow(ConfigError);
  });
});
