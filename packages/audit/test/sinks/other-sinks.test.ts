import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { auditStdout } from '../../src/sinks/audit-stdout.js';
import { memoryAudit } from '../../src/sinks/memory-audit.js';
import { ConfigError } from '@countersign/common';
import { Deferred } from '../../../core/test/deferred.js';
import { event } from '../events.js';

describe('auditStdout', () => {
  it('writes one numbered line for each event [F1]', async () => {
    let text = '';
    const sink = auditStdout(
      new Writable({
        write(chunk, _encoding, done) {
          text += String(chunk);
          done();
        },
      }),
    );
    await sink.write(event('a\nb'));
    await sink.write(event('c'));
    const lines = text.split('\n');
    expect(lines).toHaveLength(3);
    expect(lines.slice(0, 2).map((line) => JSON.parse(line) as unknown)).toEqual([
      { sequence: 1, version: 1, ...event('a\nb') },
      { sequence: 2, version: 1, ...event('c') },
    ]);
  });

  it('resolves only once the stream has taken the line [F4]', async () => {
    const taken = new Deferred();
    const sink = auditStdout(
      new Writable({
        write(_chunk, _encoding, done) {
          void taken.promise.then(() => done());
        },
      }),
    );
    let done = false;
    const written = sink.write(event('a')).then(() => {
      done = true;
    });
    await new Promise(setImmediate);
    expect(done).toBe(false);
    taken.resolve();
    await written;
  });

  it('rejects when the stream is broken, and keeps the process running [F4]', async () => {
    const sink = auditStdout(
      new Writable({
        write(_chunk, _encoding, done) {
          done(new Error('EPIPE'));
        },
      }),
    );
    await expect(sink.write(event('a'))).rejects.toMatchObject({ code: 'write_failed' });
    await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'write_failed' });
  });

  it('rejects when the reader is too slow [F4]', async () => {
    const sink = auditStdout(new Writable({ write() {}, highWaterMark: 1 }));
    const long = event('a', { scope: Array.from({ length: 10 }, () => 'x'.repeat(1000)) });
    const refusals: unknown[] = [];
    for (let count = 0; count < 3000; count++) void sink.write(long).catch((error: unknown) => refusals.push(error));
    await new Promise(setImmediate);
    expect(refusals.length).toBeGreaterThan(1000);
    expect(refusals.length).toBeLessThan(2000);
    expect(refusals[0]).toMatchObject({ code: 'overloaded' });
  });
});

describe('memoryAudit', () => {
  it('keeps records in the form of a log, whatever happens to the event [F9]', async () => {
    const audit = memoryAudit();
    const request = { id: 'r', method: 'GET', path: '/' };
    const written = audit.write(event('a', { request }));
    request.path = '/changed';
    await written;
    expect(audit.records).toEqual([
      { sequence: 1, version: 1, ...event('a'), request: { id: 'r', method: 'GET', path: '/' } },
    ]);
  });

  it('drops the oldest records beyond its capacity, and counts them', async () => {
    const audit = memoryAudit({ capacity: 2 });
    for (const id of ['a', 'b', 'c']) await audit.write(event(id));
    expect(audit.records.map(({ sequence, id }) => [sequence, id])).toEqual([
      [2, 'b'],
      [3, 'c'],
    ]);
    expect(audit.dropped).toBe(1);
  });

  it('refuses an invalid capacity [G5]', () => {
    expect(() => memoryAudit({ capacity: 0 })).toThrow(ConfigError);
    expect(() => memoryAudit({ capcity: 1 } as object)).toThrow(/Did you mean 'capacity'/);
  });
});
