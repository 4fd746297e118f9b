import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { AuditSink } from '../../src/record/event.js';
import { fanOut } from '../../src/sinks/fan-out.js';
import { memoryAudit } from '../../src/sinks/memory-audit.js';
import { readAudit } from '../../src/sinks/audit-option.js';
import { ConfigError } from '@countersign/common';
import { Deferred } from '../../../core/test/deferred.js';
import { event } from '../events.js';

describe('fanOut', () => {
  const failing: AuditSink = {
    write: () => Promise.reject(new Error('down')),
    close: () => Promise.reject(new Error('stuck')),
  };
  const throwing: AuditSink = {
    write() {
      throw new Error('broken');
    },
  };

  it('writes to all sinks', async () => {
    const sinks = [memoryAudit(), memoryAudit()];
    await fanOut(sinks).write(event('a'));
    expect(sinks.map(({ records }) => records.length)).toEqual([1, 1]);
  });

  it('rejects when one sink fails, even if the others have the record [F4]', async () => {
    const memory = memoryAudit();
    await expect(fanOut([failing, memory]).write(event('a'))).rejects.toThrow('down');
    expect(memory.records).toHaveLength(1);
    await expect(fanOut([throwing, memory]).write(event('b'))).rejects.toThrow('broken');
    expect(memory.records).toHaveLength(2);
  });

  it('names every failure when several sinks fail [F4]', async () => {
    await expect(fanOut([failing, throwing]).write(event('a'))).rejects.toThrow(/2 audit sinks failed.*down.*broken/);
  });

  it('tells what waits, what is lost and what is behind in each sink', async () => {
    const finished = new Deferred();
    const slow: AuditSink = { write: () => finished.promise, backlog: () => ({ unsealed: 5 }) };
    const fan = fanOut([
      slow,
      { sink: failing, onFailure: 'report', name: 'failing' },
      { sink: throwing, onFailure: 'report', name: 'throwing' },
      memoryAudit(),
    ]);
    const written = fan.write(event('a'));
    await new Promise(setImmediate);
    expect(fan.status()).toEqual([
      { name: 'sink 1', waiting: 1, lost: 0, unsealed: 5 },
      { name: 'sink 4', waiting: 0, lost: 0 },
      { name: 'failing', waiting: 0, lost: 1 },
      { name: 'throwing', waiting: 0, lost: 1 },
    ]);
    finished.resolve();
    await written;
    expect(fan.status()[0]).toMatchObject({ waiting: 0, lost: 0 });
    expect(fan.lost).toEqual({ failing: 1, throwing: 1 });
  });

  it('counts a record once that times out and fails later, and one for which there is no room', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const answers: Deferred[] = [];
    const hanging: AuditSink = {
      write() {
        const answer = new Deferred();
        answers.push(answer);
        return answer.promise.then(() => Promise.reject(new Error('late')));
      },
    };
    const fan = fanOut([hanging], { timeoutSeconds: 1, maxWaiting: 1 });
    const [first, second] = [fan.write(event('a')), fan.write(event('b'))];
    await expect(second).rejects.toThrow('waiting');
    const timedOut = expect(first).rejects.toThrow('did not answer');
    await vi.advanceTimersByTimeAsync(1000);
    await timedOut;
    answers[0]?.resolve();
    await new Promise(setImmediate);
    expect(fan.status()).toMatchObject([{ waiting: 0, lost: 2 }]);
  });

  it('is told of by a single sink, too', async () => {
    const sink = readAudit(failing);
    await expect(sink.write(event('a'))).rejects.toThrow('down');
    expect(sink.status()).toEqual([{ name: 'audit', waiting: 0, lost: 1 }]);
  });

  it('waits for the slowest sink', async () => {
    const finished = new Deferred();
    const slow: AuditSink = { write: () => finished.promise };
    let done = false;
    const written = fanOut([memoryAudit(), slow])
      .write(event('a'))
      .then(() => {
        done = true;
      });
    await new Promise(setImmediate);
    expect(done).toBe(false);
    finished.resolve();
    await written;
  });

  it('closes all sinks that can be closed, each once', async () => {
    let closed = 0;
    const closable: AuditSink = {
      write: async () => {},
      close: async () => {
        closed++;
      },
    };
    const sinks = [closable, failing, memoryAudit(), { ...closable }, closable];
    await expect(fanOut(sinks).close()).rejects.toThrow('stuck');
    expect(closed).toBe(2);
  });

  it('times out a sink that hangs, and bounds its waiting records [F4]', async () => {
    vi.useFakeTimers();
    const hanging: AuditSink = { write: () => new Promise(() => {}) };
    const sink = fanOut([hanging], { timeoutSeconds: 2, maxWaiting: 2 });
    const late = [sink.write(event('a')), sink.write(event('b'))].map((write) =>
      expect(write).rejects.toMatchObject({ code: 'timed_out' }),
    );
    await expect(sink.write(event('c'))).rejects.toMatchObject({ code: 'overloaded' });
    vi.advanceTimersByTime(2000);
    await Promise.all(late);
    const tried = expect(sink.write(event('d'))).rejects.toMatchObject({ code: 'timed_out' });
    await expect(sink.write(event('e'))).rejects.toMatchObject({ code: 'overloaded' });
    await vi.advanceTimersByTimeAsync(2000);
    await tried;
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it('keeps room from strangers, and has some for outcomes even then [F4]', async () => {
    const taken: string[] = [];
    const slow: AuditSink = { write: ({ id }) => (taken.push(id), new Promise(() => {})) };
    const sink = fanOut([slow], { maxWaiting: 8 });
    const write = (id: string, phase: 'authentication' | 'decision' | 'outcome') =>
      void sink.write({ ...event(id), phase }).catch(() => {});
    for (let count = 0; count < 5; count++) write('stranger', 'authentication');
    for (let count = 0; count < 10; count++) write('known', 'decision');
    for (let count = 0; count < 5; count++) write('outcome', 'outcome');
    const counted = (name: string) => taken.filter((id) => id === name).length;
    expect([counted('stranger'), counted('known'), counted('outcome')]).toEqual([2, 6, 5]);
  });

  it('uses a sink again after many timeouts, once it works [F4]', async () => {
    vi.useFakeTimers();
    let hangs = true;
    const taken = new Deferred();
    const answers = (): Promise<void> => (hangs ? new Promise(() => {}) : taken.promise);
    const sink = fanOut([{ write: answers }], { timeoutSeconds: 2, maxWaiting: 2 });
    const late = ['a', 'b'].map((id) => expect(sink.write(event(id))).rejects.toMatchObject({ code: 'timed_out' }));
    await vi.advanceTimersByTimeAsync(2000);
    await Promise.all(late);
    hangs = false;
    const first = sink.write(event('c'));
    await expect(sink.write(event('d'))).rejects.toMatchObject({ code: 'overloaded' });
    taken.resolve();
    await first;
    await Promise.all([sink.write(event('e')), sink.write(event('f'))]);
    vi.useRealTimers();
  });

  it('frees the place of a late answer [F4]', async () => {
    vi.useFakeTimers();
    const answer = new Deferred();
    const sink = fanOut([{ write: () => answer.promise }], { timeoutSeconds: 2, maxWaiting: 2 });
    const late = ['a', 'b'].map((id) => expect(sink.write(event(id))).rejects.toMatchObject({ code: 'timed_out' }));
    await vi.advanceTimersByTimeAsync(2000);
    await Promise.all(late);
    answer.resolve();
    await vi.advanceTimersByTimeAsync(0);
    await Promise.all([sink.write(event('c')), sink.write(event('d'))]);
    vi.useRealTimers();
  });

  it('times out a sink that does not close, and closes the others [F4]', async () => {
    vi.useFakeTimers();
    let closed = 0;
    const stuck: AuditSink = { write: async () => {}, close: () => new Promise(() => {}) };
    const other: AuditSink = { write: async () => {}, close: async () => void closed++ };
    const closing = expect(fanOut([stuck, other], { timeoutSeconds: 2 }).close()).rejects.toMatchObject({
      code: 'timed_out',
      message: 'sink 1 was not closed within 2 seconds. Records without an answer: 0.',
    });
    await vi.advanceTimersByTimeAsync(2000);
    await closing;
    expect(closed).toBe(1);
    vi.useRealTimers();
  });
});

describe('a sink whose failures are reported', () => {
  const down: AuditSink = { write: () => Promise.reject(new Error('down')) };

  it('fails no write; its lost records are counted, and its reports throttled [F4]', async () => {
    const memory = memoryAudit();
    const told: string[] = [];
    const sink = fanOut([memory, { sink: down, onFailure: 'report', name: 'lake' }], {
      onTrouble: (message) => void told.push(message),
    });
    for (let count = 0; count < 100; count++) await sink.write(event(`${count}`));
    expect(memory.records).toHaveLength(100);
    expect(sink.lost).toEqual({ lake: 100 });
    expect(told.map((message) => /\d+/.exec(message)?.[0])).toEqual(['1', '2', '4', '8', '16', '32', '64']);
    expect(told[0]).toBe('countersign: 1 audit records are missing in lake so far: Error: down');
    await sink.close();
    expect(told.at(-1)).toBe('countersign: 100 audit records are missing in lake.');
  });

  it('reports recovery once, with the number of lost records [F4]', async () => {
    let now = 1_000_000;
    let isDown = true;
    const told: string[] = [];
    const lake: AuditSink = { write: () => (isDown ? Promise.reject(new Error('down')) : Promise.resolve()) };
    const sink = fanOut([memoryAudit(), { sink: lake, onFailure: 'report', name: 'lake' }], {
      clock: () => now,
      onTrouble: (message) => void told.push(message),
    });
    const write = async (count: number): Promise<void> => {
      for (let index = 0; index < count; index++) await sink.write(event(`${index}`));
    };
    await write(3);
    isDown = false;
    await write(3);
    expect(told).toHaveLength(2);
    now += 10_000;
    await write(3);
    expect(told.slice(2)).toEqual(['countersign: lake takes audit records again; 3 are missing there.']);
    isDown = true;
    await write(1);
    expect(told.at(-1)).toBe('countersign: 4 audit records are missing in lake so far: Error: down');
  });

  it('delays no request when it is slow, and drops records beyond its limit [F4]', async () => {
    const taken = new Deferred();
    const slow: AuditSink = { write: () => taken.promise };
    const told: string[] = [];
    const sink = fanOut([memoryAudit(), { sink: slow, onFailure: 'report' }], {
      maxWaiting: 10,
      onTrouble: (message) => void told.push(message),
    });
    for (let count = 0; count < 50; count++) await sink.write(event(`${count}`));
    expect(sink.lost).toEqual({ 'sink 2': 40 });
    expect(told[0]).toContain('10 audit records are waiting for sink 2 already');
    taken.resolve();
    await new Promise(setImmediate);
    await sink.write(event('after'));
    await sink.close();
    expect(sink.lost).toEqual({ 'sink 2': 40 });
  });

  it('does not keep the guard from closing when it never answers [F4]', async () => {
    vi.useFakeTimers();
    const memory = memoryAudit();
    const told: string[] = [];
    const hanging: AuditSink = { write: () => new Promise(() => {}) };
    const sink = fanOut([memory, { sink: hanging, onFailure: 'report' }], {
      timeoutSeconds: 1,
      onTrouble: (message) => void told.push(message),
    });
    await sink.write(event('a'));
    const closed = sink.close();
    await vi.advanceTimersByTimeAsync(1000);
    await closed;
    expect(told).toEqual([
      'countersign: 1 audit records are missing in sink 2 so far: AuditError: sink 2 did not answer within 1 seconds.',
      'countersign: sink 2 could not be closed: AuditError: sink 2 was not closed within 1 seconds. ' +
        'Records without an answer: 1.',
      'countersign: 1 audit records are missing in sink 2.',
    ]);
    vi.useRealTimers();
  });

  it('is called in the async context of the request [F4]', async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const watching: AuditSink = {
      async write() {
        seen.push(context.getStore());
      },
    };
    const sink = fanOut([memoryAudit(), { sink: watching, onFailure: 'report' }]);
    await context.run('request 1', () => sink.write(event('a')));
    expect(seen).toEqual(['request 1']);
  });
});

describe('fanOut refuses rules that would keep no record [G5]', () => {
  const sure = memoryAudit();
  const bestEffort: AuditSink = { write: async () => {}, bestEffort: true };

  it.each<[string, unknown, object, string]>([
    ['no sink', [], {}, 'no sink keeps records'],
    ['only report sinks', [{ sink: sure, onFailure: 'report' }], {}, 'no sink keeps records'],
    ['only best effort sinks', [bestEffort], {}, 'no sink keeps records'],
    ['no list', sure, {}, 'pass a list'],
    ['something else than a sink', [sure, 'audit'], {}, 'sink 2 has no method write()'],
    ['nothing', [undefined], {}, 'sink 1 has no method write()'],
    ['an unknown rule', [{ sink: sure, onFailure: 'ignore' }], {}, "must be 'deny' or 'report'"],
    ['a misspelt rule', [{ sink: sure, onFailur: 'report' }], {}, "Did you mean 'onFailure'"],
    ['one name twice', [sure, { sink: sure, name: 'sink 1' }], {}, 'the same name'],
    ['no room', [sure], { maxWaiting: 0 }, 'maxWaiting'],
    ['no time', [sure], { timeoutSeconds: 0.5 }, 'timeoutSeconds'],
    ['no clock', [sure], { clock: 1 }, "'clock' must be a function"],
    ['a misspelt option', [sure], { timeoutSecond: 1 }, "Did you mean 'timeoutSeconds'"],
  ])('%s', (_title, sinks, options, message) => {
    expect(() => fanOut(sinks as AuditSink[], options)).toThrow(ConfigError);
    expect(() => fanOut(sinks as AuditSink[], options)).toThrow(message);
  });

  it('a best effort sink is accepted beside others, never alone', () => {
    expect(() => readAudit(bestEffort)).toThrow(/cannot tell whether it kept a record/);
    expect(() => readAudit([bestEffort, bestEffort])).toThrow(ConfigError);
    expect(() => readAudit([bestEffort, sure])).not.toThrow();
  });
});
