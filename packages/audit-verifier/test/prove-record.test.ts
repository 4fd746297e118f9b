import { describe, expect, it } from 'vitest';
import { checkProof } from '../src/proof.js';
import { proveRecord } from '../src/prove-record.js';
import { key, SmallLog } from './small-log.js';

describe('proveRecord finds a record by its id', () => {
  it.each([
    ['verbatim', '"id":"d-1","phase":"decision"', 'd-1'],
    ['with a quote in it', '"id":"d\\"1","phase":"decision"', 'd"1'],
    ['in another script', '"id":"д","phase":"decision"', 'д'],
    ['in escapes', '"id":"\\u0064\\u002d1","phase":"decision"', 'd-1'],
    ['late in the line', `"note":"${'x'.repeat(500)}","id":"d-1"`, 'd-1'],
  ])('%s', async (_name, members, id) => {
    using log = new SmallLog();
    log.addText('"phase":"decision","note":"d-1 д d\\"1","about":{"id":"d-1"}');
    log.addText(members);
    log.seal();
    const proven = await proveRecord(log.path, { key, id });
    expect(proven).toMatchObject({ ok: true, sequence: 6 });
    expect(proven.ok && checkProof(proven.proof, key)).toMatchObject({ ok: true, record: { sequence: 6, id } });
  });

  it.each([{ id: 'd' }, { sequence: 5 }])('and with %j no line that is not a record', async (wanted) => {
    using log = new SmallLog();
    log.addText('"id":"d","phase":"decision",x');
    log.seal();
    expect(await proveRecord(log.path, { key, ...wanted })).toEqual({ ok: false, problem: 'not_found' });
  });
});
