import { Writable } from 'node:stream';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { fanOut } from '../../src/sinks/fan-out.js';
import { readAudit } from '../../src/sinks/audit-option.js';
import { auditPino, type PinoLogger } from '../../src/sinks/audit-pino.js';
import { ConfigError } from '@countersign/common';
import { event } from '../events.js';

function listen(): { readonly stream: Writable; readonly lines: () => string[] } {
  let text = '';
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  return { stream, lines: () => text.split('\n').slice(0, -1) };
}

describe('auditPino', () => {
  it('logs each record as one field of one line', async () => {
    const { stream, lines } = listen();
    const sink = auditPino(pino({ level: 'debug' }, stream), { level: 'debug' });
    await sink.write(event('a'));
    await sink.write(event('b', { phase: 'decision', decision: 'deny', code: 'policy_denied' }));
    expect(lines().map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 20, msg: 'countersign decision allow', countersign: event('a') },
      { level: 20, msg: 'countersign decision deny policy_denied', countersign: { id: 'b' } },
    ]);
  });

  it('rejects when an async logger rejects [L1]', async () => {
    const logger = { info: () => Promise.reject(new Error('no disk')) } as unknown as PinoLogger;
    await expect(auditPino(logger).write(event('a'))).rejects.toThrow('no disk');
  });

  it('logs one bounded printable line whatever a name holds [F1, F3]', async () => {
    const { stream, lines } = listen();
    const odd = '\r\n{"level":60}\u001b[2J\u2028\u202e\u0085\0\u{e0041}';
    await auditPino(pino(stream)).write(event('a', { action: odd, detail: 'x'.repeat(100_000) }));
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toMatch(/^[\x20-\x7e…]*$/u);
    expect(lines()[0]?.length).toBeLessThan(4096);
    expect(lines()[0]).toContain('\\\\u001b[2J\\\\u2028\\\\u202e');
  });

  it('is refused as the only sink unless dangerouslyCountAsRecord is set [F4]', () => {
    const logger = pino(listen().stream);
    expect(() => readAudit(auditPino(logger))).toThrow(ConfigError);
    expect(() => fanOut([auditPino(logger)])).toThrow(ConfigError);
    expect(() => readAudit(auditPino(logger, { dangerouslyCountAsRecord: true }))).not.toThrow();
  });

  it('rejects when the logger throws [F4]', async () => {
    const { stream } = listen();
    const broken: PinoLogger = Object.assign(Object.create(pino(stream)) as PinoLogger, {
      info() {
        throw new Error('no transport');
      },
    });
    await expect(auditPino(broken).write(event('a'))).rejects.toThrow('no transport');
  });

  it('refuses a value that is not a logger, and a logger that drops the level [G5]', () => {
    expect(() => auditPino({} as PinoLogger)).toThrow('pass a pino logger');
    expect(() => auditPino(undefined as never)).toThrow(ConfigError);
    expect(() => auditPino(pino({ level: 'error' }))).toThrow("drops lines of level 'info'");
    expect(() => auditPino(pino(), { level: 'audit' as 'info' })).toThrow("'level' must be 'trace', 'debug'");
    expect(() => auditPino(pino(), { levels: 'info' } as object)).toThrow("Did you mean 'level'");
  });
});
